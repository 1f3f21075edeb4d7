// OpenGate: keeps what is open so while somebody is inside.
#pragma once

#include <condition_variable>

#include "base/thread_mutex.h"

namespace millrace::store {

// Whoever reads holds the store open, and waits while it is being opened anew. Only for threads that may sleep; not for
// a fiber, which may be stopped while it is inside.
class OpenGate {
 public:
  // False: it is not open now.
  bool Enter() {
    ThreadGuard guard(lock_);
    while (changing_) guard.Wait(settled_);
    if (!open_) return false;
    ++inside_;
    return true;
  }
  void Leave() {
    ThreadGuard guard(lock_);
    if (--inside_ == 0) left_.notify_all();
  }
  void Open() {
    ThreadGuard guard(lock_);
    open_ = true;
    changing_ = false;
    settled_.notify_all();
  }
  // Open or StayClosed is to follow.
  void Close() {
    ThreadGuard guard(lock_);
    open_ = false;
    changing_ = true;
    while (inside_ != 0) guard.Wait(left_);
  }
  // Nothing where it was opened.
  void StayClosed() {
    ThreadGuard guard(lock_);
    changing_ = false;
    settled_.notify_all();
  }

 private:
  ThreadMutex lock_;
  std::condition_variable left_, settled_;
  bool open_ MR_GUARDED_BY(lock_) = false;
  bool changing_ MR_GUARDED_BY(lock_) = false;
  int inside_ MR_GUARDED_BY(lock_) = 0;
};

class Inside {
 public:
  explicit Inside(OpenGate& gate) : gate_(gate), entered_(gate.Enter()) {}
  ~Inside() {
    if (entered_) gate_.Leave();
  }
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;
  explicit operator bool() const { return entered_; }

 private:
  OpenGate& gate_;
  const bool entered_;
};

}  // namespace millrace::store
