// Who waits for whom.
//
//   All asleep     A program whose fibers all wait for each other can never go on: it ends with Go's message and exit code 2, and the
//                  dump of its fibers (Runtime does that by itself). Somebody outside who may wake one keeps it from that: an armed
//                  timer, a fiber that waits for I/O, a child or a blocking call, another thread of the process. So in a daemon, which
//                  has other threads, this never speaks; a test may be sure of it (Go: checkdead, and what its users wish it knew).
//   Lock cycles    Fibers that wait for mutexes in a ring are found by walking from waiter to owner, whatever else runs.
//   Too long       Everything else (a channel nobody sends to) shows as a fiber that waits for another one for longer than it should.
//
// Callers of all: any plain thread, or a fiber. They walk over every fiber there is, some 20 ns each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "runtime/accounting.h"

namespace millrace::rt {

class Scheduler;

struct WaitingFiber {
  uint64_t id = 0;
  std::string name;
  WaitReason reason = WaitReason::kNone;
  Nanos since{0};  // How long it has been waiting.
};

// Fibers of this process that have been waiting for another fiber (IsLost) for longer than `limit`, the longest first, `max` at most.
// One that waits for its turn, its time or the outside is not among them.
std::vector<WaitingFiber> FibersBlockedLonger(Nanos limit, size_t max = 100);

// Rings of fibers of which each waits for a mutex that the next one holds. Looked at twice, so that what is returned is there to stay.
std::vector<std::vector<WaitingFiber>> LockCycles();

// "fiber 3 'a' waits for a mutex that fiber 4 'b' holds, which waits for a mutex that fiber 3 'a' holds"
std::string DescribeCycle(const std::vector<WaitingFiber>& cycle);

// Are all of its fibers parked for a reason that only another fiber can end? Meaningful while its processors are idle.
bool AllWaitForEachOther(const Scheduler& scheduler);

}  // namespace millrace::rt
