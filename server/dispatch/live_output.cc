#include "dispatch/live_output.h"

#include <algorithm>
#include <utility>

namespace millrace::dispatch {

void LogTail::Restore(std::string tail, int64_t bytes_ever) {
  ring_ = std::move(tail);
  bytes_ever_ = bytes_ever;
}

void LogTail::Append(std::string_view bytes) {
  bytes_ever_ += static_cast<int64_t>(bytes.size());
  if (bytes.size() >= kLogTailBytes) {
    ring_ = bytes.substr(bytes.size() - kLogTailBytes);
    oldest_ = 0;
    return;
  }
  size_t fits = std::min(bytes.size(), kLogTailBytes - ring_.size());
  ring_.append(bytes.substr(0, fits));
  bytes.remove_prefix(fits);
  while (!bytes.empty()) {  // Over the oldest bytes, around the end of the ring at most once.
    size_t run = std::min(bytes.size(), kLogTailBytes - oldest_);
    bytes.copy(ring_.data() + oldest_, run);
    bytes.remove_prefix(run);
    oldest_ = (oldest_ + run) % kLogTailBytes;
  }
}

std::string LogTail::Content() const { return ring_.substr(oldest_) + ring_.substr(0, oldest_); }

void LiveOutput::Restore(const Bytes& log_tail, int64_t log_bytes, const std::optional<Progress>& reported) {
  if (log_tail) {
    log.Restore(*log_tail, log_bytes);
    Charge();
  }
  if (reported) {
    progress->value = *reported;
    has_progress = true;
  }
}

void LiveOutput::Charge() {
  const int64_t held = kFixedBytes + log.held_bytes();
  budget->fetch_add(held - std::exchange(charged, held), std::memory_order_relaxed);
}

std::optional<Progress> LiveOutput::ReadProgress() {
  {
    rt::LockGuard guard(lock);
    if (!has_progress) return std::nullopt;
  }
  rt::LockGuard guard(progress->lock);
  return progress->value;
}

}  // namespace millrace::dispatch
