#include "sync/wait_group.h"

#include "base/check.h"

namespace millrace::sync {

namespace {
int32_t CountOf(uint64_t state) { return static_cast<int32_t>(state >> 32); }
uint32_t WaitersOf(uint64_t state) { return static_cast<uint32_t>(state); }
}  // namespace

void WaitGroup::Add(int32_t delta) {
  uint64_t change = static_cast<uint64_t>(static_cast<uint32_t>(delta)) << 32;
  // release: what was done before each Done is seen by whoever Wait lets go. No acquire: two that are done have not
  // met.
  uint64_t state = state_.fetch_add(change, std::memory_order_release) + change;
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

// False: there is nothing to wait for.
bool WaitGroup::BeginWait() {
  uint64_t state = state_.load(std::memory_order_acquire);
  do {
    if (CountOf(state) == 0) return false;
  } while (!state_.compare_exchange_weak(state, state + 1, std::memory_order_acq_rel, std::memory_order_acquire));
  return true;
}

void WaitGroup::EndWait() {
  MR_CHECK(state_.load(std::memory_order_acquire) == 0, "sync: WaitGroup is reused before previous Wait has returned");
}

void WaitGroup::Wait() {
  if (!BeginWait()) return;
  gate_.Acquire();
  EndWait();
}

bool WaitGroup::TryWait(const Until& until) {
  if (!BeginWait()) return true;
  if (!gate_.TryAcquire(1, until)) {
    uint64_t state = state_.load(std::memory_order_relaxed);
    while (CountOf(state) != 0 && WaitersOf(state) != 0) {
      if (state_.compare_exchange_weak(state, state - 1, std::memory_order_relaxed)) return false;
    }
    // The last Done has come. It counts on us: it has opened the gate for us or is about to, and is through with the
    // group after that.
    gate_.Acquire();
  }
  EndWait();
  return true;
}

}  // namespace millrace::sync
