// Permit: something of which there is only so much at a time, and that a job must hold while it runs: a place under a
// concurrency key's limit, a token of a rate.
//
//   Asked for  In one place, ReadyQueue::Pop, right before a job is handed to a worker. A job takes all that its line
//              needs, or none: so nobody holds one permit while it waits for another, and no two wait for each other.
//   Waiting    A line whose next job finds nothing left waits at the first permit that it lacked, at no other. What is
//              given back wakes lines of this permit alone: for each place that is free one line of each kind and pool,
//              the best band first and, so that no band is forgotten, by age every kAgeingTurns-th time. One of *each*
//              kind and pool, since a woken line keeps its turn until somebody asks for a job that it has. Where its
//              pool is paused, or nobody there can run its kind, the place would stay free although others could use
//              it.
//   Invariant  For each kind and pool: nobody waits, or at least as many lines were woken and not asked for since as
//              places are free. Whatever changes one of these numbers restores it (Settle), so no wake-up is lost: also
//              where a woken line becomes empty, or finds that it lacks another permit.
//   Lifetime   Longer than that of the jobs that need it. Whoever makes permits (limits by key) keeps them.
//   Threads    Guarded by the dispatcher's lock.
#pragma once

#include <cstdint>
#include <vector>

#include "dispatch/line.h"

namespace millrace::dispatch {

class Pool;

// What permits lead to: pools in which a line came back, so that idle workers there may be given a job.
class Permits {
 public:
  // One of them, once; nullptr: none is left.
  Pool* TakeServable() { return servable_.empty() ? nullptr : TakeOneServable(); }
  bool any_servable() const { return !servable_.empty(); }

  // The job does not run (any more). Nothing where it holds none.
  static void GiveBack(JobEntry& job) MR_IN_TURN;

 private:
  friend class Permit;
  Pool* TakeOneServable();
  std::vector<Pool*> servable_;
};

class Permit {
 public:
  Permit(Permits& all, BlockedOn reason, int64_t limit) : all_(all), reason_(reason), limit_(limit) {}
  ~Permit();  // Nobody may wait or hold one.
  Permit(const Permit&) = delete;
  Permit& operator=(const Permit&) = delete;

  BlockedOn reason() const { return reason_; }
  int64_t limit() const { return limit_; }
  int64_t held() const { return held_; }
  bool anyone_waits() const { return !waiting_.empty(); }
  // Lower than what is held: nobody gets one until enough came back.
  void SetLimit(int64_t limit);

  // Stops the process where the invariant does not hold. For tests.
  void CheckInvariants() const;

 private:
  friend class Permits;
  friend class ReadyQueue;

  // For the front job of the line. False: the line waits now.
  static bool TakeFor(Line& line);
  void GiveBackOne();
  int64_t free() const { return limit_ - held_; }

  // A line here changed its rank, became empty while it waited, or after it was woken.
  void Update(Line& line);
  void Leave(Line& line);
  void Unwake(Line& line);

  // The lines of one kind and pool.
  struct Waiting {
    KindLines* kind = nullptr;
    BandedHeaps<Line> lines;
    int64_t count = 0;  // How many lines.
    int64_t woken = 0;
    uint64_t wakes = 0;  // Ever, for ageing.
  };
  Waiting& Of(const Line& line);
  void Settle();

  Permits& all_;
  const BlockedOn reason_;
  int64_t limit_;
  int64_t held_ = 0;
  std::vector<Waiting> waiting_;  // Where one has neither lines nor woken ones it is not here.
};

}  // namespace millrace::dispatch
