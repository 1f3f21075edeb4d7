// ProgressBar: one line on stderr that moves, for work that takes long. Where stderr is no terminal it shows nothing.
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
  // `verb` as in "submitting"; `total` of the things counted, 0 when unknown.
  ProgressBar(std::string verb, int64_t total, bool enabled = true);
  ~ProgressBar();  // Clears the line.
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  void Set(int64_t done);
  void Hide();  // Until the next Set.
  // A line on stdout, which would otherwise be written into the bar when both are the same terminal.
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
