#include "sync/wait_group.h"

#include "base/check.h"

namespace millrace::sync {

namespace {
int32_t CountOf(uint64_t state) { return static_cast<int32_t>(state >> 32); }
uint32_t WaitersOf(uint64_t state) { return static_cast<uint32_t>(state); }
}  // namespace

void WaitGroup::Add(int32_t delta) {
  uint64_t change = static_cast<uint64_t>(static_cast<uint32_t>(delta)) << 32;
  // acq_rel: what was done before each Done is seen by whoever Wait lets go.
  uint64_t state = state_.fetch_add(change, std::memory_order_acq_rel) + change;
  int32_t count = CountOf(state);
  MR_CHECK(count >= 0, "sync: negative WaitGroup counter");
  if (WaitersOf(state) == 0) return;
  MR_CHECK(delta <= 0 || count != delta, "sync: WaitGroup misuse: Add called concurrently with Wait");
  if (count == 0) ReleaseWaiters(state);
}

void WaitGroup::ReleaseWaiters(uint64_t state) {
  // Nobody may come between the last Done and this: Add must not run along with Wait, and Wait does not queue at zero.
  MR_CHECK(state_.compare_exchange_strong(state, 0, std::memory_order_acq_rel),
           "sync: WaitGroup misuse: Add called concurrently with Wait");
  gate_.Release(WaitersOf(state));
}

void WaitGroup::Wait() {
  MR_CHECK(rt::CurrentFiber() != nullptr, "WaitGroup::Wait on a plain thread: only a fiber can wait");
  uint64_t state = state_.load(std::memory_order_acquire);
  do {
    if (CountOf(state) == 0) return;
  } while (!state_.compare_exchange_weak(state, state + 1, std::memory_order_acq_rel, std::memory_order_acquire));
  gate_.Acquire();
  MR_CHECK(state_.load(std::memory_order_acquire) == 0, "sync: WaitGroup is reused before previous Wait has returned");
}

}  // namespace millrace::sync
