// SysmonSleep: how sysmon (sysmon.h) sleeps, and how it is woken.
//
//   Nap      Until a given time. Only Wake ends it earlier: whoever takes a processor pays nothing.
//   Sleep    Without an end, so only while nobody runs. Whoever takes an idle processor ends it with Rouse.
//
//   Protocol   Sysmon says that it sleeps, and then looks whether it may. Whoever changes what it looks at (takes a
//              processor out of the list of idle ones, or ends the run) does that first, and then looks whether sysmon
//              sleeps. Both sides are seq_cst: whoever comes second sees the other.
//   Threads    Sysmon alone calls Nap and Sleep. The others: any, also in a signal handler.
//   Proof      tests/model/sysmon_sleep_test.cc
#pragma once

#include <atomic>
#include <cstdint>

#include "runtime/futex.h"

namespace millrace::rt {

class SysmonSleep {
 public:
  template <typename F>
  void Nap(int64_t until_ns, F&& may_nap) {
    word_.store(kNaps, std::memory_order_seq_cst);
    if (may_nap()) FutexWaitUntil(word_, kNaps, until_ns);
    word_.store(kAwake, std::memory_order_seq_cst);
  }
  template <typename F>
  void Sleep(F&& may_sleep) {
    word_.store(kSleeps, std::memory_order_seq_cst);
    if (may_sleep()) {
      while (word_.load(std::memory_order_seq_cst) == kSleeps) FutexWait(word_, kSleeps);
    }
    word_.store(kAwake, std::memory_order_seq_cst);
  }

  // The caller has taken an idle processor.
  void Rouse() {
    uint32_t sleeps = kSleeps;
    if (word_.load(std::memory_order_seq_cst) == sleeps &&
        word_.compare_exchange_strong(sleeps, kAwake, std::memory_order_seq_cst)) {
      FutexWake(word_, 1);
    }
  }
  // Also out of a nap.
  void Wake() {
    word_.store(kAwake, std::memory_order_seq_cst);
    FutexWake(word_, 1);
  }

  // Awake it may be using a machine that it has found on a processor. A sleep without an end looks at nothing.
  bool awake() const { return word_.load(std::memory_order_seq_cst) == kAwake; }
  bool sleeps() const { return word_.load(std::memory_order_seq_cst) == kSleeps; }

 private:
  static constexpr uint32_t kAwake = 0, kNaps = 1, kSleeps = 2;
  std::atomic<uint32_t> word_{kAwake};
};

}  // namespace millrace::rt
