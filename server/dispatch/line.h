// Line: jobs of one pool and band that are alike to whoever hands them out: of one kind, and in need of the same
// permits and the same labels of a worker. So what holds for the first one, that it may run or what it waits for, holds
// for all of them, and a hundred thousand jobs that may not run are one line that is out of the way.
//
//   Order     First in, first out. A line ranks by the job at its front: the lower its push number, the sooner. Turns
//             between the keys of clients will be another way to rank lines; nothing else has to change for them.
//   Where     A line that is empty is nowhere. Else it is in one heap: in its sub-queue (KindLines), where it may be
//             taken from, or at the one permit that it waits for.
//   Threads   Guarded by the dispatcher's lock.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "dispatch/heap.h"
#include "dispatch/job_entry.h"
#include "job/job.h"

namespace millrace::dispatch {

class Permit;
class ReadyQueue;
struct KindLines;

struct ByRank {
  template <typename T>
  bool operator()(const T& a, const T& b) const {
    return a.rank < b.rank;
  }
};

struct Line {
  EntryList jobs;
  uint64_t rank = 0;  // The push number of the front job.
  int32_t place = -1;
  Band band = Band::kNormal;
  bool woken = false;                             // Came back from `permit`, and was not asked for since.
  Permit* permit = nullptr;                       // It waits there, or was woken there.
  const std::vector<Permit*>* permits = nullptr;  // Each of its jobs needs them all. nullptr: it needs none.
  KindLines* home = nullptr;

  bool waits() const { return permit != nullptr && !woken; }
};

// What ranks, by band.
template <typename T>
class BandedHeaps {
 public:
  // Every so many-th time it is not the best band's turn but that of what ranks first of all bands. So whatever keeps
  // arriving in better bands, nobody is passed over more often than that for each that was there before.
  static constexpr uint64_t kAgeingTurns = 16;

  Heap<T, ByRank>& of(Band band) { return heaps_[static_cast<size_t>(band)]; }

  // nullptr: all are empty.
  T* First(bool best_band) const {
    T* first = nullptr;
    for (const auto& heap : heaps_) {
      T* front = heap.front();
      if (front == nullptr) continue;
      if (best_band) return front;
      if (first == nullptr || front->rank < first->rank) first = front;
    }
    return first;
  }

 private:
  std::array<Heap<T, ByRank>, kBands> heaps_;
};

// The sub-queue of one band for one kind: its lines that may be taken from.
struct KindBand {
  Heap<Line, ByRank> lines;
  Line plain;  // The jobs that need no permit.
  uint64_t rank = 0;
  int32_t place = -1;
};

}  // namespace millrace::dispatch
