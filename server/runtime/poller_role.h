// PollerRole: which machine without work sleeps until the earliest timer, and until I/O is ready. Rule 4 of
// scheduler.h.
//
//   The role   One machine has it at a time, and none that holds a processor. It is given up only for a processor, or
//              when no processor is idle and no I/O is awaited: then the machines that run look after their timers by
//              themselves.
//   Timers     The poller says until when it sleeps, and then looks at all timers once more. Whoever arms a timer puts
//              it into its heap, and then asks SleepsBeyond. Both sides are seq_cst: whoever comes second sees the
//              other.
//   Busy       While all processors are busy and I/O is awaited, the host lets it sleep longer than it says, by a time
//              slice at most, since the machines that run look after their timers. A processor that goes idle within
//              that time does not interrupt it, so a timer may be that much late.
//   Giving up  A machine may have gone idle meanwhile, found the role taken and gone to sleep. So whoever gives the
//              role up looks once more whether somebody should have it.
//   Host       The rest of the scheduler, so that the model checker can bring another one:
//                bool Stopping();           the run ends: nobody polls any more
//                int64_t EarliestTimer();   seq_cst; kNever when there is none
//                int IdleProcessors();      seq_cst
//                bool Watching();           does anybody wait for I/O?
//                void Wait(int64_t until);  sleeps until then (see Busy), or until it is interrupted; what has become
//                                           ready is in a queue after it
//                bool AnyWork();            in a queue, or a timer that is due
//                bool TakeProcessor();      an idle one, for the machine that calls
//   Threads    UntilWork: a machine without a processor. The others: any.
//   Proof      tests/model/poller_role_test.cc
#pragma once

#include <atomic>
#include <cstdint>
#include <limits>

namespace millrace::rt {

class PollerRole {
 public:
  static constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

  // Takes the role if it is free, and sleeps until there is something to do. True: the machine got a processor. False:
  // somebody else has the role, or nobody needs to have it, or the run ends.
  template <typename Host>
  bool UntilWork(Host& host) {
    while (!taken_.exchange(true, std::memory_order_seq_cst)) {
      const bool took_processor = Poll(host);
      asleep_until_.store(kAwake, std::memory_order_seq_cst);
      taken_.store(false, std::memory_order_seq_cst);
      if (took_processor) return true;
      const bool again = host.Watching() || (host.IdleProcessors() > 0 && host.EarliestTimer() != kNever);
      if (!again || host.Stopping()) return false;
    }
    return false;
  }

  // The caller has put a timer into its heap. True: the poller must be interrupted.
  bool SleepsBeyond(int64_t deadline_ns) const { return deadline_ns < asleep_until_.load(std::memory_order_seq_cst); }

  bool taken() const { return taken_.load(std::memory_order_seq_cst); }
  bool asleep() const { return asleep_until_.load(std::memory_order_seq_cst) != kAwake; }

 private:
  static constexpr int64_t kAwake = std::numeric_limits<int64_t>::min();

  // True: with a processor.
  template <typename Host>
  bool Poll(Host& host) {
    while (!host.Stopping()) {
      const int64_t until = host.EarliestTimer();
      asleep_until_.store(until, std::memory_order_seq_cst);
      if (host.EarliestTimer() < until) continue;
      host.Wait(until);
      asleep_until_.store(kAwake, std::memory_order_seq_cst);
      if (!host.AnyWork()) continue;  // Interrupted for the sake of an earlier timer.
      if (host.TakeProcessor()) return true;
      if (!host.Watching()) return false;
    }
    return false;
  }

  std::atomic<bool> taken_{false};
  std::atomic<int64_t> asleep_until_{kAwake};
};

}  // namespace millrace::rt
