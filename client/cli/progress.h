// ProgressBar: a line on stderr that shows how far the work is. Where stderr is no terminal it shows nothing.
//
//   Threads   Any; a short lock. Redrawn ten times a second at most.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

namespace millrace::cli {

class ProgressBar {
 public:
  // `verb`: "submitting". `total`: how many things there are to do; 0 when unknown.
  ProgressBar(std::string verb, int64_t total, bool enabled = true);
  ~ProgressBar();  // Clears the line.
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  void Set(int64_t done);
  void Hide();  // Until the next Set.
  // Prints a line on stdout. Without this it would be written into the bar when both are the same terminal.
  void PrintLine(std::string_view line);

  // "finishing [=====>    ]  123/200  61%  48/s  2.0 s left", without colour or cursor movement.
  static std::string Line(std::string_view verb, int64_t done, int64_t total, std::chrono::nanoseconds elapsed);

 private:
  using Clock = std::chrono::steady_clock;
  void Clear();

  const std::string verb_;
  const int64_t total_;
  const bool visible_;
  const Clock::time_point start_ = Clock::now();
  std::mutex mutex_;
  Clock::time_point drawn_{};
  bool on_screen_ = false;
};

}  // namespace millrace::cli
