// ThreadMutex: std::mutex, for threads that may sleep while they wait, in a form that clang's thread-safety analysis
// knows (base/thread_annotations.h). A fiber that waits for it blocks its machine, so fibers take it only for what is
// short or happens seldom, and is shared with plain threads; else rt::Lock or sync::Mutex.
//
//   ThreadGuard guard(mutex_);
//   while (!ready_) guard.Wait(changed_);     // std::condition_variable changed_;
//
// The condition is written as a loop and not as a lambda: the tool sees there that the mutex is held.
#pragma once

#include <condition_variable>
#include <mutex>

#include "base/thread_annotations.h"

namespace millrace {

class MR_CAPABILITY("mutex") ThreadMutex {
 public:
  ThreadMutex() = default;
  ThreadMutex(const ThreadMutex&) = delete;
  ThreadMutex& operator=(const ThreadMutex&) = delete;

  void lock() MR_ACQUIRE() { mutex_.lock(); }
  bool try_lock() MR_TRY_ACQUIRE(true) { return mutex_.try_lock(); }
  void unlock() MR_RELEASE() { mutex_.unlock(); }

 private:
  friend class ThreadGuard;
  std::mutex mutex_;
};

class MR_SCOPED_CAPABILITY ThreadGuard {
 public:
  explicit ThreadGuard(ThreadMutex& mutex) MR_ACQUIRE(mutex) : lock_(mutex.mutex_) {}
  ~ThreadGuard() MR_RELEASE() {}
  ThreadGuard(const ThreadGuard&) = delete;
  ThreadGuard& operator=(const ThreadGuard&) = delete;

  // Before its end. Nothing may follow that needs the mutex.
  void Unlock() MR_RELEASE() { lock_.unlock(); }
  // Releases the mutex while it sleeps. It may return without a reason: the caller looks at its condition again.
  void Wait(std::condition_variable& changed) { changed.wait(lock_); }

 private:
  std::unique_lock<std::mutex> lock_;
};

}  // namespace millrace
