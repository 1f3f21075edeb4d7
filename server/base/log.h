// Log lines on stderr: `LogInfo("pool '%s' resized to %d workers", name, workers);`
//
//   Form      Text ("2026-11-23T17:53:01.120Z info    pool 'thumbs' resized to 8 workers") or one JSON object a line
//             with the members time, level and message. Times are UTC.
//   Safety    A message cannot forge a line: control characters are escaped, and further lines of a message are
//             indented (text) or escaped (JSON). Bytes that are not UTF-8 are written as "\\xff", so that a line always
//             is valid text and JSON.
//   Threads   Any thread or fiber once ConfigureLog has returned, which is called before others start. A line is
//             written whole, under a short lock.
//   Waiting   Until StartLogWriter whoever logs waits for stderr, and the whole thread waits, not only the fiber.
//             Afterwards nobody waits: lines go into a queue. Lines that find no room there are dropped, and a line
//             says how many once there is room again.
#pragma once

#include <chrono>
#include <cstdint>

namespace millrace {

enum class LogLevel : uint8_t { kDebug, kInfo, kWarning, kError };
enum class LogFormat : uint8_t { kText, kJson };

// Without this call: info and text.
void ConfigureLog(LogLevel level, LogFormat format);

// From now on a thread of the log writes the lines. To be called once. Where the system refuses a thread, all stays as
// it was.
void StartLogWriter();
// Waits until what was logged is written. False: stderr did not take it all within `patience`.
bool FlushLog(std::chrono::milliseconds patience);

void LogDebug(const char* format, ...) __attribute__((format(printf, 1, 2)));
void LogInfo(const char* format, ...) __attribute__((format(printf, 1, 2)));
void LogWarning(const char* format, ...) __attribute__((format(printf, 1, 2)));
void LogError(const char* format, ...) __attribute__((format(printf, 1, 2)));

}  // namespace millrace
