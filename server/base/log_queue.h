// LogQueue: lines on their way to stderr. Only the thread of the queue waits for whoever reads them.
//
// Before Start, Write waits for stderr itself. Never destroyed once started: its thread may be in a write that does not
// end.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>

namespace millrace {

class LogQueue {
 public:
  // Bytes of the lines that wait. A start prints a few hundred KiB at most; beyond this limit nobody is reading.
  static constexpr size_t kBytesMax = size_t{1} << 20;

  // `tell` is called on the queue's thread when there is room again after lines were dropped; it Writes a line that
  // says so.
  void Start(std::function<void(uint64_t dropped)> tell);

  // Whole lines. Any thread, a short lock.
  void Write(std::string_view lines);

  // Waits until all is written. False: it was not within `patience`.
  bool Flush(std::chrono::milliseconds patience);

 private:
  void Run();

  std::function<void(uint64_t)> tell_;
  std::mutex mutex_;
  std::condition_variable arrived_, written_;
  // Guarded by the mutex.
  std::string waiting_;
  uint64_t dropped_ = 0;
  bool started_ = false;
  bool writing_ = false;
};

}  // namespace millrace
