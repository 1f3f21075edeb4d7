// Deadlocks: which fiber waits for which.
//
//   All asleep     A program whose fibers all wait for each other can never go on: it ends with Go's message and exit
//                  code 2, and the dump of its fibers (Runtime does that by itself). Somebody outside who may wake one
//                  keeps it from that: an armed timer, a fiber that waits for I/O, a child or a blocking call, another
//                  thread of the process. So in a daemon, which has other threads, this never speaks; a test may be
//                  sure of it (Go: checkdead, and what its users wish it knew).
//   Lock cycles    Fibers that wait for mutexes in a ring are found by walking from waiter to owner, whatever else
//                  runs.
//   Too long       Everything else (a channel nobody sends to) shows as a fiber that waits for another one for longer
//                  than it should: in the log, with RuntimeOptions::report_blocked_longer.
//
// Callers of all: any plain thread, or a fiber. They walk over every fiber there is, some 20 ns each.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "runtime/accounting.h"

namespace millrace::rt {

class Scheduler;
struct Fiber;

struct WaitingFiber {
  uint64_t id = 0;
  std::string name;
  WaitReason reason = WaitReason::kNone;
  Nanos since{0};  // How long it has been waiting.
  // Addresses of code, innermost first, kFramesShown (dump.h) at most. Not of a fiber that went on meanwhile, nor in
  // cycles.
  std::vector<uintptr_t> stack;
};

// Fibers of this process that have been waiting for another fiber (IsLost) for longer than `limit`, the longest first,
// `max` at most. One that waits for its turn, its time or the outside is not among them.
std::vector<WaitingFiber> FibersBlockedLonger(Nanos limit, size_t max = 100);

struct BlockedFibers {
  std::vector<WaitingFiber> longest;
  size_t count = 0;  // Also those that are not listed.
};
// The same for waits that began after `after` and not after `until`, in ticks (cycles.h), of one runtime; nullptr: of
// all.
BlockedFibers FibersBlockedSince(uint64_t after, uint64_t until, size_t max, const Scheduler* of);

// Rings of fibers of which each waits for a mutex that the next one holds. Looked at twice, so that what is returned is
// there to stay.
std::vector<std::vector<WaitingFiber>> LockCycles();

// "fiber 3 'a' waits for a mutex that fiber 4 'b' holds, which waits for a mutex that fiber 3 'a' holds"
std::string DescribeCycle(const std::vector<WaitingFiber>& cycle);

// Was each of its fibers, at its own moment of the call, parked for a reason that only another fiber can end? That all
// of them were at once follows only if none has run meanwhile (Housekeeper::LookForDeadlocks).
bool AllWaitForEachOther(const Scheduler& scheduler);

namespace internal {
// For tests of what happens meanwhile: called before each fiber is looked at.
extern std::atomic<void (*)(const Fiber&)> before_look;
}  // namespace internal

}  // namespace millrace::rt
