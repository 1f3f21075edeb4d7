// A fiber of a test that others can watch: started at once, joined at the end, and one can wait until it is parked.
#pragma once

#include <atomic>
#include <utility>

#include "runtime/runtime.h"
#include "sync/wait_group.h"

namespace millrace::test {

// Fibers alive at once: ThreadSanitizer knows about 8,000 contexts at most, and takes milliseconds to make one.
#if defined(__SANITIZE_THREAD__)
inline constexpr int kManyFibers = 1'000;
inline constexpr bool kSlowBuild = true;
#elif defined(__SANITIZE_ADDRESS__)
inline constexpr int kManyFibers = 5'000;
inline constexpr bool kSlowBuild = true;
#else
inline constexpr int kManyFibers = 10'000;
inline constexpr bool kSlowBuild = false;
#endif

class WatchedFiber {
 public:
  template <typename F>
  explicit WatchedFiber(F&& fn) {
    ended_.Go([this, fn = std::forward<F>(fn)]() mutable {
      fiber_.store(rt::CurrentFiber(), std::memory_order_release);
      fn();
      finished_.store(true, std::memory_order_release);
    });
  }
  ~WatchedFiber() { Join(); }
  WatchedFiber(const WatchedFiber&) = delete;
  WatchedFiber& operator=(const WatchedFiber&) = delete;

  // Returns when the fiber waits for something (or has finished). What it queued itself for sees it from then on.
  void AwaitParked() const {
    while (!finished()) {
      rt::Fiber* fiber = fiber_.load(std::memory_order_acquire);
      if (fiber != nullptr && fiber->state.load(std::memory_order_acquire) == rt::FiberState::kParked) return;
      rt::Yield();
    }
  }
  bool finished() const { return finished_.load(std::memory_order_acquire); }
  void Join() { ended_.Wait(); }

 private:
  std::atomic<rt::Fiber*> fiber_{nullptr};
  std::atomic<bool> finished_{false};
  sync::WaitGroup ended_;
};

}  // namespace millrace::test
