// Once: the first Do runs its function, all others wait until that has returned, and from then on cost one load.
//
// As in Go, a function that throws has run: the exception reaches its caller, later calls return at once.
// (std::call_once would try again with the next.) Do inside its own function never returns. Callers: anyone; a plain
// thread that waits blocks.
#pragma once

#include <atomic>
#include <mutex>
#include <utility>

#include "sync/mutex.h"

namespace millrace::sync {

class Once {
 public:
  Once() = default;
  Once(const Once&) = delete;
  Once& operator=(const Once&) = delete;

  template <typename F>
  void Do(F&& fn) {
    if (done()) return;
    std::lock_guard guard(mutex_);
    if (done()) return;
    struct Mark {
      std::atomic<bool>& done;
      // release: whoever sees it done sees what the function did.
      ~Mark() { done.store(true, std::memory_order_release); }
    } mark{done_};
    std::forward<F>(fn)();
  }

  bool done() const { return done_.load(std::memory_order_acquire); }

 private:
  std::atomic<bool> done_{false};
  Mutex mutex_{rt::WaitReason::kOnce};
};

}  // namespace millrace::sync
