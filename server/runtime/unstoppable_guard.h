// UnstoppableGuard: a mutex in the hands of a fiber that the end of the run, which waits for the mutex as well, must
// not stop for good. The fiber may be stopped while it waits for the mutex: the holder may be waiting for its
// processor.
#pragma once

#include <sched.h>

#include "base/thread_annotations.h"
#include "base/thread_mutex.h"
#include "runtime/preempt.h"

namespace millrace::rt {

class MR_SCOPED_CAPABILITY UnstoppableGuard {
 public:
  explicit UnstoppableGuard(ThreadMutex& mutex) MR_ACQUIRE(mutex) : mutex_(mutex) {
    for (;; sched_yield()) {
      DisablePreemption();
      if (mutex_.try_lock()) return;
      EnablePreemption();
    }
  }
  ~UnstoppableGuard() MR_RELEASE() {
    mutex_.unlock();
    EnablePreemption();
  }
  UnstoppableGuard(const UnstoppableGuard&) = delete;
  UnstoppableGuard& operator=(const UnstoppableGuard&) = delete;

 private:
  ThreadMutex& mutex_;
};

}  // namespace millrace::rt
