#include "sync/rw_mutex.h"

#include "base/check.h"
#include "runtime/sanitizers.h"

namespace millrace::sync {

// For ThreadSanitizer the count of readers orders nobody: two readers have not met. What does is said at the gates, as
// Go does it: readers come after the last writer, writers after all who were there before.
using rt::sanitizers::Acquire;
using rt::sanitizers::IgnoreScope;
using rt::sanitizers::Release;

void RwMutex::lock() {
  writers_.lock();
  // From here new readers queue. Those inside are counted over to departing_; they may leave at the same time,
  // therefore the sum.
  if (Announce()) writer_gate_.Acquire();
  Acquire(&reader_gate_);
  Acquire(&writer_gate_);
}

// True: readers are inside, wait for the last one.
bool RwMutex::Announce() {
  IgnoreScope ignore;
  int32_t inside = readers_.fetch_sub(kReadersMax, std::memory_order_acq_rel);
  return inside != 0 && departing_.fetch_add(inside, std::memory_order_acq_rel) + inside != 0;
}

bool RwMutex::try_lock() {
  if (!writers_.try_lock()) return false;
  int32_t none = 0;
  if (!readers_.compare_exchange_strong(none, -kReadersMax, std::memory_order_acq_rel, std::memory_order_relaxed)) {
    writers_.unlock();
    return false;
  }
  Acquire(&reader_gate_);
  Acquire(&writer_gate_);
  return true;
}

void RwMutex::unlock() {
  Release(&reader_gate_);
  int32_t waiting = Count(kReadersMax) + kReadersMax;
  MR_CHECK(waiting < kReadersMax, "sync: Unlock of unlocked RWMutex");
  if (waiting > 0) reader_gate_.Release(waiting);
  writers_.unlock();
}

void RwMutex::lock_shared() {
  if (Count(1) + 1 < 0) {
    // It waits for the writer, who holds writers_ until after it has opened the gate. For reports, as in
    // Mutex::LockSlow.
    rt::Fiber* fiber = rt::CurrentFiber();
    if (fiber != nullptr) fiber->waits_for_owner_at.store(writers_.owner_word(), std::memory_order_relaxed);
    reader_gate_.Acquire();
    if (fiber != nullptr) fiber->waits_for_owner_at.store(nullptr, std::memory_order_relaxed);
  }
  Acquire(&reader_gate_);
}

// Changes the count of readers and returns what it was.
int32_t RwMutex::Count(int32_t change) {
  IgnoreScope ignore;
  return readers_.fetch_add(change, std::memory_order_acq_rel);
}

bool RwMutex::try_lock_shared() {
  {
    IgnoreScope ignore;
    int32_t readers = readers_.load(std::memory_order_relaxed);
    do {
      if (readers < 0) return false;
    } while (
        !readers_.compare_exchange_weak(readers, readers + 1, std::memory_order_acq_rel, std::memory_order_relaxed));
  }
  Acquire(&reader_gate_);
  return true;
}

void RwMutex::unlock_shared() {
  Release(&writer_gate_);
  int32_t before = Count(-1);
  if (before > 0) [[likely]]
    return;
  MR_CHECK(before != 0 && before != -kReadersMax, "sync: RUnlock of unlocked RWMutex");
  // A writer waits; the last reader that was there before it lets it in.
  if (Depart()) writer_gate_.Release();
}

// True: the last reader that the writer waits for.
bool RwMutex::Depart() {
  IgnoreScope ignore;
  return departing_.fetch_sub(1, std::memory_order_acq_rel) == 1;
}

}  // namespace millrace::sync
