#include "base/log.h"

#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>

#include <cstdarg>
#include <cstdio>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "base/log_queue.h"

namespace millrace {
namespace {

constexpr const char* kTextPattern = "%Y-%m-%dT%H:%M:%S.%eZ %-7l %v";
constexpr const char* kJsonPattern = R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l","message":"%v"})";

class Sink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  LogQueue queue;

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    queue.Write({line.data(), line.size()});
  }
  void flush_() override {}
};

struct Log {
  Log() : sink(std::make_shared<Sink>()), logger("millrace", sink) { Configure(LogLevel::kInfo, LogFormat::kText); }

  void Configure(LogLevel level, LogFormat new_format) {
    format = new_format;
    switch (level) {
      case LogLevel::kDebug:
        logger.set_level(spdlog::level::debug);
        break;
      case LogLevel::kInfo:
        logger.set_level(spdlog::level::info);
        break;
      case LogLevel::kWarning:
        logger.set_level(spdlog::level::warn);
        break;
      case LogLevel::kError:
        logger.set_level(spdlog::level::err);
        break;
    }
    logger.set_pattern(format == LogFormat::kJson ? kJsonPattern : kTextPattern, spdlog::pattern_time_type::utc);
  }

  std::shared_ptr<Sink> sink;
  spdlog::logger logger;
  LogFormat format = LogFormat::kText;
};

// Never destroyed: threads may log while the process exits.
Log& TheLog() {
  static Log* log = new Log;
  return *log;
}

void AppendEscaped(std::string* out, char c, LogFormat format) {
  auto byte = static_cast<unsigned char>(c);
  bool json = format == LogFormat::kJson;
  if (json && (c == '"' || c == '\\')) {
    *out += '\\';
    *out += c;
  } else if (c == '\n') {
    *out += json ? "\\n" : "\n    ";
  } else if (c == '\t') {
    *out += json ? "\\t" : "\t";
  } else if (byte < 0x20 || byte == 0x7f) {
    char text[8];
    snprintf(text, sizeof(text), "\\u%04x", byte);
    *out += text;
  } else {
    *out += c;
  }
}

// How many bytes of `rest` are one character of valid UTF-8 beyond ASCII; 0: none.
size_t CharacterBytes(std::string_view rest) {
  const auto at = [rest](size_t i) { return static_cast<unsigned char>(rest[i]); };
  const unsigned char first = at(0);
  const size_t size = first >= 0xC2 && first <= 0xDF   ? 2
                      : (first & 0xF0) == 0xE0         ? 3
                      : first >= 0xF0 && first <= 0xF4 ? 4
                                                       : 0;
  if (size == 0 || rest.size() < size) return 0;
  for (size_t i = 1; i < size; ++i) {
    if ((at(i) & 0xC0) != 0x80) return 0;
  }
  // Longer forms of what is shorter, the halves of a UTF-16 pair, and what is beyond Unicode.
  if ((first == 0xE0 && at(1) < 0xA0) || (first == 0xED && at(1) > 0x9F)) return 0;
  if ((first == 0xF0 && at(1) < 0x90) || (first == 0xF4 && at(1) > 0x8F)) return 0;
  return size;
}

std::string Escaped(std::string_view message, LogFormat format) {
  std::string out;
  out.reserve(message.size() + 16);
  while (!message.empty()) {
    const auto first = static_cast<unsigned char>(message[0]);
    size_t size = 1;
    char text[8];
    if (first < 0x80) {
      AppendEscaped(&out, message[0], format);
    } else if (size = CharacterBytes(message); size == 0) {
      size = 1;
      snprintf(text, sizeof(text), format == LogFormat::kJson ? "\\\\x%02x" : "\\x%02x", first);
      out += text;
    } else if (first == 0xC2 && static_cast<unsigned char>(message[1]) < 0xA0) {
      // Terminals take these for control characters too.
      snprintf(text, sizeof(text), "\\u%04x", static_cast<unsigned char>(message[1]));
      out += text;
    } else {
      out += message.substr(0, size);
    }
    message.remove_prefix(size);
  }
  return out;
}

__attribute__((noinline)) void Write(spdlog::level::level_enum level, const char* format, va_list arguments) {
  Log& log = TheLog();
  if (!log.logger.should_log(level)) return;

  char small[512];
  va_list again;
  va_copy(again, arguments);
  int length = vsnprintf(small, sizeof(small), format, arguments);
  std::string message;
  if (length >= static_cast<int>(sizeof(small))) {
    message.resize(static_cast<size_t>(length));
    vsnprintf(message.data(), message.size() + 1, format, again);
  } else if (length > 0) {
    message.assign(small, static_cast<size_t>(length));
  }
  va_end(again);

  while (message.ends_with('\n')) message.pop_back();
  const std::string escaped = Escaped(message, log.format);
  log.logger.log(level, spdlog::string_view_t(escaped.data(), escaped.size()));
}

}  // namespace

void ConfigureLog(LogLevel level, LogFormat format) { TheLog().Configure(level, format); }

void StartLogWriter() {
  TheLog().sink->queue.Start([](uint64_t dropped) {
    LogWarning("%llu lines of this log were dropped here: stderr did not take them in time",
               static_cast<unsigned long long>(dropped));
  });
}

bool FlushLog(std::chrono::milliseconds patience) { return TheLog().sink->queue.Flush(patience); }

void LogDebug(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  Write(spdlog::level::debug, format, arguments);
  va_end(arguments);
}

void LogInfo(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  Write(spdlog::level::info, format, arguments);
  va_end(arguments);
}

void LogWarning(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  Write(spdlog::level::warn, format, arguments);
  va_end(arguments);
}

void LogError(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  Write(spdlog::level::err, format, arguments);
  va_end(arguments);
}

}  // namespace millrace
