// WaitGroup: waits until a number of things are done. Go's sync.WaitGroup.
//
//   sync::WaitGroup done;
//   for (Job& job : jobs) done.Go([&job] { Run(job); });
//   done.Wait();
//
//   Contract  Add with a positive number happens before the Wait that is to see it, or while the count is above zero; a
//             group may be used again once every Wait of the last round has returned.
//   Misuse    Fatal, with Go's words: a negative count, Add at the same time as the first Wait, reuse before Wait has
//             returned.
//   Lifetime  The last Done touches nothing of the group after it has let Wait return, so a group may live in Wait's
//             frame.
//   Callers   Anyone, except Go: fibers. A plain thread that waits blocks.
#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

#include "runtime/runtime.h"
#include "sync/semaphore.h"

namespace millrace::sync {

class WaitGroup {
 public:
  WaitGroup() = default;
  WaitGroup(const WaitGroup&) = delete;
  WaitGroup& operator=(const WaitGroup&) = delete;

  void Add(int32_t delta);
  void Done() { Add(-1); }
  void Wait();
  // False: `until` was over first. Then the group must go on living until all are done.
  [[nodiscard]] bool TryWait(const Until& until);

  // Add(1), and Done when `fn` has returned on a fiber of its own and what it has captured is gone. What the copy of
  // `fn` throws goes on to the caller, and the count is as before.
  template <typename F>
  void Go(F&& fn) {
    Go(rt::FiberOptions{}, std::forward<F>(fn));
  }
  template <typename F>
  void Go(rt::FiberOptions options, F&& fn) {
    Add(1);
    try {
      rt::Go(options, [this, fn = std::forward<F>(fn)]() mutable {
        {
          auto task = std::move(fn);
          task();
        }
        Done();
      });
    } catch (...) {  // The copy threw: there is no fiber.
      Done();
      throw;
    }
  }

  // A moment's view.
  int32_t count() const { return static_cast<int32_t>(state_.load(std::memory_order_relaxed) >> 32); }

 private:
  bool BeginWait();
  void EndWait();
  void ReleaseWaiters(uint64_t state);

  std::atomic<uint64_t> state_{0};  // The count in the upper half, the number of waiting fibers in the lower.
  Semaphore gate_{0, rt::WaitReason::kWaitGroup};
};

}  // namespace millrace::sync
