// What a running attempt shows before it ends: progress and log.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "job/job.h"
#include "runtime/lock.h"

namespace millrace::dispatch {

// The newest kLogTailBytes of what was appended. Memory grows with the text, to that bound.
class LogTail {
 public:
  // Goes on after what a retried job had logged before.
  void Restore(std::string tail, int64_t bytes_ever);
  void Append(std::string_view bytes);
  std::string Content() const;  // Oldest byte first.
  int64_t bytes_ever() const { return bytes_ever_; }
  int64_t held_bytes() const { return static_cast<int64_t>(ring_.capacity()); }

 private:
  std::string ring_;
  size_t oldest_ = 0;  // Where ring_ begins, once it is full.
  int64_t bytes_ever_ = 0;
};

// The newest progress of a job, shared by the job and the events that tell of it, so an event read late shows the
// newest value.
struct ProgressCell {
  rt::Lock lock;
  Progress value MR_GUARDED_BY(lock);
  bool unread MR_GUARDED_BY(lock) =
      false;  // An event tells of it that no watcher has read: another one would say the same.
};

// Made when an attempt first shows something; most never do. What it holds counts on `budget`.
struct LiveOutput {
  // The progress with its message, and this.
  static constexpr int64_t kFixedBytes = 1536;

  explicit LiveOutput(std::shared_ptr<std::atomic<int64_t>> on_budget) : budget(std::move(on_budget)) { Charge(); }
  ~LiveOutput() { budget->fetch_sub(charged, std::memory_order_relaxed); }
  LiveOutput(const LiveOutput&) = delete;
  LiveOutput& operator=(const LiveOutput&) = delete;

  // What an earlier attempt of the job showed. Takes no lock: nobody else knows this object yet.
  void Restore(const Bytes& log_tail, int64_t log_bytes,
               const std::optional<Progress>& reported) MR_NO_THREAD_SAFETY_ANALYSIS;
  void Charge() MR_REQUIRES(lock);  // The log has grown.

  std::shared_ptr<ProgressCell> progress = std::make_shared<ProgressCell>();
  rt::Lock lock;
  bool has_progress MR_GUARDED_BY(lock) = false;
  LogTail log MR_GUARDED_BY(lock);
  const std::shared_ptr<std::atomic<int64_t>> budget;
  int64_t charged MR_GUARDED_BY(lock) = 0;

  std::optional<Progress> ReadProgress();
};

}  // namespace millrace::dispatch
