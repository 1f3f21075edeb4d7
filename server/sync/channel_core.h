// ChannelCore: the part of a channel that does not depend on what it carries: the lock, the counts, who waits. (Go:
// hchan.)
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/thread_annotations.h"
#include "runtime/sleeper.h"
#include "runtime/spin_lock.h"
#include "sync/wait_list.h"
#include "sync/wake_race.h"

namespace millrace::sync::internal {

struct ChannelWaiter;

// A select asleep on several channels.
struct SelectRace : WakeRace {
  using WakeRace::WakeRace;
  ChannelWaiter* winner = nullptr;  // Written by the one that won it; nullptr when that was a timer.
};

// Somebody who waits, or one case of its select, in a channel's queue; on its stack. (Go: sudog.)
struct ChannelWaiter : WaitLink<ChannelWaiter> {
  rt::SleeperHandle who;
  void* value = nullptr;  // A sender's T*, a receiver's std::optional<T>*.
  SelectRace* race = nullptr;
  bool passed = false;  // A value went over. Else the channel was closed.
};

// The oldest waiter that can still be had. The others are cases of selects that another case has won.
inline ChannelWaiter* PopLive(WaitList<ChannelWaiter>& waiters) {
  while (ChannelWaiter* waiter = waiters.PopFront()) {
    if (waiter->race == nullptr) return waiter;
    if (waiter->race->Claim() != WakeRace::Outcome::kLost) {
      waiter->race->winner = waiter;
      return waiter;
    }
  }
  return nullptr;
}

enum class Verdict : uint8_t { kDone, kWouldBlock, kClosed };

// What an operation settled under the lock and has still to do after it.
struct Deal {
  ChannelWaiter* partner = nullptr;  // To be served and woken.
  void* cell = nullptr;              // Where a loud value goes or comes from (channel_cells.h), in its turn.
  uint32_t turn = 0;
  uint32_t partner_turn = 0;
};

// One cache line, so that an operation costs one transfer between processors, not several.
struct alignas(64) ChannelCore {
  rt::SpinLock lock;
  std::atomic<uint32_t> count{0};
  const uint32_t capacity;
  uint32_t head MR_GUARDED_BY(lock) = 0;  // The oldest value's cell.
  uint32_t tail MR_GUARDED_BY(lock) = 0;  // The next value's cell.
  std::atomic<bool> closed{false};
  void* cells = nullptr;
  WaitList<ChannelWaiter> receivers MR_GUARDED_BY(lock);
  WaitList<ChannelWaiter> senders MR_GUARDED_BY(lock);

  explicit ChannelCore(size_t cells_wanted);
  ChannelCore(const ChannelCore&) = delete;
  ChannelCore& operator=(const ChannelCore&) = delete;

  // ---- Without the lock, for operations that do not wait (Go: empty, full). The order of the loads matters: a channel
  // does not open again, so "empty, then not closed" was true at the moment it was empty.
  bool LooksFull() const MR_NO_THREAD_SAFETY_ANALYSIS {
    return capacity == 0 ? receivers.LooksEmpty() : count.load(std::memory_order_acquire) == capacity;
  }
  bool LooksEmpty() const MR_NO_THREAD_SAFETY_ANALYSIS {
    return capacity == 0 ? senders.LooksEmpty() : count.load(std::memory_order_acquire) == 0;
  }
  bool SendWouldBlock() const { return !closed.load(std::memory_order_acquire) && LooksFull(); }
  bool ReceiveWouldBlock() const { return LooksEmpty() && !closed.load(std::memory_order_acquire); }

  // ---- Under the lock.
  uint32_t NextTail() MR_REQUIRES(lock) {
    uint32_t cell = tail;
    tail = cell + 1 == capacity ? 0 : cell + 1;
    return cell;
  }
  uint32_t NextHead() MR_REQUIRES(lock) {
    uint32_t cell = head;
    head = cell + 1 == capacity ? 0 : cell + 1;
    return cell;
  }
  void SetCount(uint32_t value) MR_REQUIRES(lock) { count.store(value, std::memory_order_release); }

  // ---- With the lock held; they park and release it. False: the channel was closed meanwhile.
  bool ParkSender(void* value) MR_RELEASE(lock);
  bool ParkReceiver(void* value) MR_RELEASE(lock);

  // Takes the lock. Fatal when closed already.
  void Close() MR_EXCLUDES(lock);
};

static_assert(sizeof(ChannelCore) == 64);

[[noreturn]] void FatalSendOnClosed();
[[noreturn]] void FatalCloseOfNil();
// What a nil channel does to whoever waits for it.
[[noreturn]] void ParkForEver(rt::WaitReason reason);

}  // namespace millrace::sync::internal
