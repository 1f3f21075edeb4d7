// What a running attempt shows before it ends: progress and log.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

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

 private:
  std::string ring_;
  size_t oldest_ = 0;  // Where ring_ begins, once it is full.
  int64_t bytes_ever_ = 0;
};

// The newest progress of a job, shared by the job and the events that tell of it, so an event read late shows the newest value.
struct ProgressCell {
  rt::Lock lock;
  Progress value;
  bool unread = false;  // An event tells of it that no watcher has read: another one would say the same.
};

// Made when an attempt first shows something; most never do.
struct LiveOutput {
  std::shared_ptr<ProgressCell> progress = std::make_shared<ProgressCell>();
  rt::Lock lock;  // Guards what follows.
  bool has_progress = false;
  LogTail log;

  std::optional<Progress> ReadProgress();
};

}  // namespace millrace::dispatch
