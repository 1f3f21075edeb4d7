#include "runtime/park.h"

#include "base/check.h"
#include "runtime/context.h"
#include "runtime/futex.h"
#include "runtime/machine.h"
#include "runtime/sanitizers.h"
#include "runtime/scheduler.h"

namespace millrace::rt {

MR_NO_TSAN Fiber* CurrentFiber() {
  Machine* machine = CurrentMachine();
  return machine != nullptr ? machine->current : nullptr;
}

MR_NO_TSAN void Park(WaitReason reason, ParkCommit commit, void* argument) {
  Fiber* fiber = CurrentFiber();
  MR_CHECK(fiber != nullptr,
           "wait for a %s outside a fiber; only fibers can park: call it inside Runtime::Run or rt::Go",
           ToString(reason));
  fiber->wait_reason = reason;
  // The commit runs unseen (sanitizers.h). What it unlocks or publishes is its argument, or what that begins with: in
  // the fiber's name.
  sanitizers::Release(argument);
  LeaveFiber(AfterSwitch::kPark, commit, argument);
}

// Unlocked by whoever settles the fiber.
void ParkAndUnlock(WaitReason reason, Lock& lock) MR_NO_THREAD_SAFETY_ANALYSIS {
  Park(
      reason,
      [](Fiber*, void* held) MR_NO_THREAD_SAFETY_ANALYSIS {
        static_cast<Lock*>(held)->unlock();
        return true;
      },
      &lock);
}

void Ready(Fiber* fiber) { fiber->scheduler->MakeReady(fiber); }

bool Parker::Commit(Fiber* fiber, void* self) {
  uintptr_t nobody = 0;
  // release: pairs with the acquire in Wake, which then resumes a fiber that has left its stack. acquire: with Wake's
  // release, when Wake was first.
  return static_cast<Parker*>(self)->state_.compare_exchange_strong(
      nobody, reinterpret_cast<uintptr_t>(fiber), std::memory_order_acq_rel, std::memory_order_acquire);
}

void Parker::Wait(WaitReason reason) {
  if (state_.load(std::memory_order_acquire) == kWoken) return;
  if (CurrentFiber() != nullptr) {
    Park(reason, Commit, this);
    sanitizers::Acquire(&state_);  // Wake may have come before the commit, which then saw it.
    return;
  }
  uintptr_t nobody = 0;
  if (!state_.compare_exchange_strong(nobody, kThreadWaits, std::memory_order_acq_rel, std::memory_order_acquire))
    return;
  while (thread_word_.load(std::memory_order_acquire) == 0) FutexWait(thread_word_, 0);
}

void Parker::Wake() {
  const uintptr_t waiter = state_.exchange(kWoken, std::memory_order_acq_rel);
  MR_CHECK(waiter != kWoken, "Parker::Wake was called twice");
  if (waiter == kThreadWaits) {
    // A futex wake on an address whose owner has gone on is harmless: at worst it wakes a stranger once for nothing.
    thread_word_.store(1, std::memory_order_release);
    FutexWake(thread_word_, 1);
  } else if (waiter != 0) {
    Ready(reinterpret_cast<Fiber*>(waiter));
  }
}

}  // namespace millrace::rt
