#include "client/cli/progress.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "client/cli/output.h"
#include "client/cli/units.h"

namespace millrace::cli {
namespace {

constexpr int64_t kBarColumns = 24;
constexpr auto kRedraw = std::chrono::milliseconds(100);

}  // namespace

ProgressBar::ProgressBar(std::string verb, int64_t total, bool enabled)
    : verb_(std::move(verb)), total_(total), visible_(enabled && isatty(STDERR_FILENO)) {}

ProgressBar::~ProgressBar() { Clear(); }

std::string ProgressBar::Line(std::string_view verb, int64_t done, int64_t total, std::chrono::nanoseconds elapsed) {
  const double seconds = std::max(static_cast<double>(elapsed.count()) / 1e9, 1e-9);
  const double rate = static_cast<double>(done) / seconds;
  std::string line(verb);
  if (total > 0) {
    const int64_t filled = std::clamp<int64_t>(done * kBarColumns / total, 0, kBarColumns);
    line += " [" + std::string(static_cast<size_t>(filled), '=') + (filled < kBarColumns ? ">" : "") +
            std::string(static_cast<size_t>(std::max<int64_t>(kBarColumns - filled - 1, 0)), ' ') + "]  " +
            FormatCount(done) + "/" + FormatCount(total) + "  " + std::to_string(done * 100 / total) + "%";
  } else {
    line += "  " + FormatCount(done);
  }
  if (done > 0 && elapsed >= std::chrono::milliseconds(500)) {
    line += "  " + FormatCount(static_cast<int64_t>(rate)) + "/s";
    if (total > done) {
      line += "  " + FormatDuration(nanoseconds(static_cast<int64_t>(static_cast<double>(total - done) / rate * 1e9))) +
              " left";
    }
  }
  return line;
}

void ProgressBar::Set(int64_t done) {
  if (!visible_) return;
  std::lock_guard lock(mutex_);
  const auto now = Clock::now();
  if (now - drawn_ < kRedraw) return;
  drawn_ = now;
  on_screen_ = true;
  std::fprintf(stderr, "\r\033[K%s", Line(verb_, done, total_, now - start_).c_str());
  std::fflush(stderr);
}

void ProgressBar::Hide() {
  std::lock_guard lock(mutex_);
  Clear();
}

void ProgressBar::PrintLine(std::string_view line) {
  std::lock_guard lock(mutex_);
  Clear();
  drawn_ = {};
  cli::PrintLine(line);
  if (visible_) FlushOutput();
}

void ProgressBar::Clear() {
  if (!on_screen_) return;
  on_screen_ = false;
  std::fputs("\r\033[K", stderr);
  std::fflush(stderr);
}

}  // namespace millrace::cli
