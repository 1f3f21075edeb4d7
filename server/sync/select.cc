#include "sync/select.h"

#include <algorithm>
#include <atomic>
#include <functional>

#include "runtime/runtime.h"
#include "runtime/sanitizers.h"

namespace millrace::sync::internal {
namespace {

// A Weyl sequence through a mixer (splitmix32): a few cycles, and no two fibers share a line for it.
uint32_t NextRandom(rt::Fiber* fiber) {
  static std::atomic<uint32_t> plain_threads{0};
  constexpr uint32_t kStep = 0x9E3779B9;
  uint32_t x =
      fiber != nullptr ? fiber->select_random += kStep : plain_threads.fetch_add(kStep, std::memory_order_relaxed);
  x = (x ^ (x >> 16)) * 0x21F0AAAD;
  x = (x ^ (x >> 15)) * 0x735A2D97;
  return x ^ (x >> 15);
}

void Shuffle(SelectCase** cases, size_t count, rt::Fiber* fiber) {
  if (count == 2) {
    size_t first = NextRandom(fiber) & 1;
    SelectCase *one = cases[first], *other = cases[first ^ 1];
    cases[0] = one, cases[1] = other;
    return;
  }
  for (size_t i = count; i > 1; --i) {
    size_t j = (uint64_t{NextRandom(fiber)} * i) >> 32;
    std::swap(cases[i - 1], cases[j]);
  }
}

bool WouldBlock(const SelectCase& one) {
  return one.sends ? one.core->SendWouldBlock() : one.core->ReceiveWouldBlock();
}

void ToldClosed(SelectCase& one) {
  if (one.sends && !one.close_is_told) FatalSendOnClosed();
  one.closed = true;
}

// Does what is left of an operation after its lock is released.
size_t Complete(SelectCase& one, Verdict verdict, Deal& deal) {
  if (verdict == Verdict::kDone) {
    one.finish(one, deal);
  } else {
    ToldClosed(one);
  }
  return one.index;
}

// All locks of one select, each once, in the order of their addresses so that two selects cannot deadlock.
class LockSet {
 public:
  LockSet(SelectCase** cases, ChannelCore** locks, size_t count) : locks_(locks) {
    if (count > kInsertMax) {
      Sort(cases, count);
    } else {
      for (size_t i = 0; i < count; ++i) Insert(cases[i]->core);
    }
  }

  void LockAll() MR_NO_THREAD_SAFETY_ANALYSIS {
    for (size_t i = 0; i < count_; ++i) locks_[i]->lock.lock();
  }

  // The waking fiber may be resumed as soon as one lock is free, but it cannot leave its frame, in which we read,
  // before it has taken all others to unlink its cases, and it gets the last of them when we are through. For
  // ThreadSanitizer, before the fiber parks: UnlockAll then runs unseen (runtime/sanitizers.h).
  void ReleaseInMyName() {
    for (size_t i = 0; i < count_; ++i) rt::sanitizers::Release(&locks_[i]->lock);
  }

  void UnlockAll() MR_NO_THREAD_SAFETY_ANALYSIS {
    for (size_t i = 0, count = count_; i < count; ++i) locks_[i]->lock.unlock();
  }

 private:
  static constexpr size_t kInsertMax = 32;  // Beyond some dozens, inserting one by one costs more than sorting all.

  void Sort(SelectCase** cases, size_t count) {
    for (size_t i = 0; i < count; ++i) locks_[i] = cases[i]->core;
    std::sort(locks_, locks_ + count, std::less<>());
    count_ = static_cast<size_t>(std::unique(locks_, locks_ + count) - locks_);
  }

  void Insert(ChannelCore* core) {
    size_t at = count_;
    while (at > 0 && locks_[at - 1] > core) --at;
    if (at > 0 && locks_[at - 1] == core) return;
    for (size_t i = count_++; i > at; --i) locks_[i] = locks_[i - 1];
    locks_[at] = core;
  }

  ChannelCore** locks_;
  size_t count_ = 0;
};

struct Sleep {
  SelectRace* race;
  LockSet* locks;
  bool early;

  static bool Commit(rt::Fiber*, void* argument) {
    auto* self = static_cast<Sleep*>(argument);
    LockSet locks = *self->locks;
    bool parked = !self->early || self->race->Commit();
    locks.UnlockAll();
    return parked;
  }
};

// Takes back what the winner has not taken. A loser may be looking at our race under its channel's lock until we get
// that lock.
void UnlinkLosers(SelectCase** cases, size_t count, const ChannelWaiter* winner) {
  for (size_t i = 0; i < count; ++i) {
    SelectCase& one = *cases[i];
    if (&one.waiter == winner) continue;
    rt::SpinLockGuard guard(one.core->lock);
    if (one.waiter.linked()) (one.sends ? one.core->senders : one.core->receivers).Remove(&one.waiter);
  }
}

// With the locks of a LockSet, of which the analysis knows nothing.
void Queue(SelectCase& one) MR_NO_THREAD_SAFETY_ANALYSIS {
  (one.sends ? one.core->senders : one.core->receivers).PushBack(&one.waiter);
}

MonoTime DeadlineOf(SelectWait wait) {
  Nanos ns(wait.ns);
  return wait.kind == SelectWait::Kind::kUntil ? MonoTime(ns) : Later(rt::Now(), ns);
}

}  // namespace

size_t SelectChannels(SelectCase** cases, ChannelCore** locks, size_t all, SelectWait wait) {
  const bool waits = wait.kind != SelectWait::Kind::kNone;
  const bool has_deadline = waits && wait.kind != SelectWait::Kind::kForEver && wait.ns != Nanos::max().count();
  rt::Fiber* fiber = rt::CurrentFiber();

  size_t count = 0;
  for (size_t i = 0; i < all; ++i) {
    if (cases[i]->core != nullptr) cases[count++] = cases[i];
  }
  if (count == 0 && !has_deadline) {
    if (waits) ParkForEver(wait.reason);
    return all;
  }
  if (count > 1) Shuffle(cases, count, fiber);

  // Whoever is ready now is taken with one lock.
  for (size_t i = 0; i < count; ++i) {
    SelectCase& one = *cases[i];
    if (WouldBlock(one)) continue;
    Deal deal;
    one.core->lock.lock();
    Verdict verdict = one.begin(one, deal);
    one.core->lock.unlock();
    if (verdict != Verdict::kWouldBlock) return Complete(one, verdict, deal);
  }
  if (!waits && count == 1) return all;

  // "None is ready" must hold for all at one moment: a value that goes while another comes would be missed above.
  SelectRace race(fiber, has_deadline);
  RaceTimer timer(race);
  if (has_deadline) timer.Start(DeadlineOf(wait));
  LockSet lock_set(cases, locks, count);
  lock_set.LockAll();
  for (size_t i = 0; i < count; ++i) {
    SelectCase& one = *cases[i];
    Deal deal;
    Verdict verdict = one.begin(one, deal);
    if (verdict == Verdict::kWouldBlock) continue;
    lock_set.UnlockAll();
    if (has_deadline) timer.Stop();
    return Complete(one, verdict, deal);
  }
  if (!waits) {
    lock_set.UnlockAll();
    return all;
  }

  for (size_t i = 0; i < count; ++i) {
    SelectCase& one = *cases[i];
    one.waiter.who = race.handle();
    one.waiter.race = &race;
    one.waiter.passed = false;
    Queue(one);
  }
  lock_set.ReleaseInMyName();
  Sleep sleep{&race, &lock_set, has_deadline};
  race.Park(wait.reason, &Sleep::Commit, &sleep);

  if (has_deadline) timer.Stop();
  UnlinkLosers(cases, count, race.winner);
  if (race.winner == nullptr) return all;
  for (size_t i = 0; i < count; ++i) {
    SelectCase& one = *cases[i];
    if (&one.waiter != race.winner) continue;
    if (!one.waiter.passed) ToldClosed(one);
    return one.index;
  }
  __builtin_unreachable();
}

}  // namespace millrace::sync::internal
