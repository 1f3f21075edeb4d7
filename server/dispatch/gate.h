// Gate: the line of submissions that wait for room in one place (a pool, or the process' byte budget), or for what a
// commit decides. First come, first served; whoever gives up leaves from anywhere.
//   Threads   Guarded by the dispatcher's lock.
#pragma once

#include <cstdint>

#include "dispatch/dispatcher.h"

namespace millrace::dispatch {

class Gate {
 public:
  void Join(Submission* submission) {
    submission->gate_ = this;
    submission->previous_ = back_;
    submission->next_ = nullptr;
    (back_ != nullptr ? back_->next_ : front_) = submission;
    back_ = submission;
    ++size_;
  }
  void Leave(Submission* submission) {
    (submission->previous_ != nullptr ? submission->previous_->next_ : front_) = submission->next_;
    (submission->next_ != nullptr ? submission->next_->previous_ : back_) = submission->previous_;
    submission->gate_ = nullptr;
    --size_;
  }

  Submission* front() const { return front_; }
  bool empty() const { return front_ == nullptr; }
  int64_t size() const { return size_; }

 private:
  Submission* front_ = nullptr;
  Submission* back_ = nullptr;
  int64_t size_ = 0;
};

}  // namespace millrace::dispatch
