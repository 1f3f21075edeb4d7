#include "sync/rw_mutex.h"

#include "base/check.h"

namespace millrace::sync {

void RwMutex::lock() {
  writers_.lock();
  // From here new readers queue. Those inside are counted over to departing_; they may leave at the same time, therefore the sum.
  int32_t inside = readers_.fetch_sub(kReadersMax, std::memory_order_acq_rel);
  if (inside != 0 && departing_.fetch_add(inside, std::memory_order_acq_rel) + inside != 0) writer_gate_.Acquire();
}

bool RwMutex::try_lock() {
  if (!writers_.try_lock()) return false;
  int32_t none = 0;
  if (readers_.compare_exchange_strong(none, -kReadersMax, std::memory_order_acq_rel, std::memory_order_relaxed))
    return true;
  writers_.unlock();
  return false;
}

void RwMutex::unlock() {
  int32_t waiting = readers_.fetch_add(kReadersMax, std::memory_order_acq_rel) + kReadersMax;
  MR_CHECK(waiting < kReadersMax, "sync: Unlock of unlocked RWMutex");
  if (waiting > 0) reader_gate_.Release(waiting);
  writers_.unlock();
}

void RwMutex::lock_shared() {
  if (readers_.fetch_add(1, std::memory_order_acq_rel) + 1 < 0) {
    // It waits for the writer, who holds writers_ until after it has opened the gate. For reports, as in Mutex::LockSlow.
    rt::Fiber* fiber = rt::CurrentFiber();
    if (fiber != nullptr) fiber->waits_for_owner_at.store(writers_.owner_word(), std::memory_order_relaxed);
    reader_gate_.Acquire();
    if (fiber != nullptr) fiber->waits_for_owner_at.store(nullptr, std::memory_order_relaxed);
  }
}

bool RwMutex::try_lock_shared() {
  int32_t readers = readers_.load(std::memory_order_relaxed);
  while (readers >= 0) {
    if (readers_.compare_exchange_weak(readers, readers + 1, std::memory_order_acq_rel, std::memory_order_relaxed))
      return true;
  }
  return false;
}

void RwMutex::unlock_shared() {
  int32_t before = readers_.fetch_sub(1, std::memory_order_acq_rel);
  if (before > 0) [[likely]]
    return;
  MR_CHECK(before != 0 && before != -kReadersMax, "sync: RUnlock of unlocked RWMutex");
  // A writer waits; the last reader that was there before it lets it in.
  if (departing_.fetch_sub(1, std::memory_order_acq_rel) == 1) writer_gate_.Release();
}

}  // namespace millrace::sync
