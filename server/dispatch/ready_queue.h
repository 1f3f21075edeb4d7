// ReadyQueue: the jobs of a pool whose time has come, in the order in which they are handed to workers, and a bound for
// them.
//
//   Bound     By count and by payload bytes, over all bands. A place is reserved before the job is acknowledged and
//             filled by Push. A job that was acknowledged before (due, retried, handed back) needs no reservation: it
//             always gets in, and the queue then refuses new jobs until it is below its bound again. Capacity 0: a
//             rendezvous; the pool counts its idle workers instead of places.
//   Order     FIFO inside a band. Pop takes the best band, but every kAgeingTurns-th job of a taker is the one that was
//             pushed first of all bands: so a job waits for at most kAgeingTurns jobs of any taker that can run it for
//             each job that was there before it, whatever keeps arriving in better bands.
//   Takers    A taker says which kinds it can run and which labels it has, and is given the first job of these
//             (taker.h). What others would have to run stands in other lines (line.h), so it costs nothing and stops
//             nobody: those that require labels are found by one of these.
//   Permits   Pop asks for what the next job needs to hold while it runs (permit.h). Where something is lacking the
//             whole line waits and Pop looks further. A job keeps its permits until Permits::GiveBack, which PutBack
//             and Remove call as well.
//   Aside     A job that has to be read before it can run is set aside by the worker that took it: it keeps its place
//             in the bound and its permits, and is out of line.
//   Removal   From anywhere, without a search: a cancelled job frees its place at once. That is why these are not
//             sync::Channels, whose values can only leave at the front.
//   Costs     Pop, Push and Remove: O(log n) of the kinds that have jobs in the band, and of the lines of the job's
//             kind. A line is found waiting once for each time that it came (back) into the queue.
//   Threads   Guarded by the dispatcher's lock. Whoever waits for a job or for room is the pool's and the admission's
//             business.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "dispatch/in_turn.h"
#include "dispatch/job_entry.h"
#include "dispatch/line.h"
#include "dispatch/permit.h"
#include "dispatch/push_ranks.h"
#include "dispatch/runner.h"
#include "dispatch/taker.h"
#include "job/job.h"
#include "job/labels.h"

namespace millrace::dispatch {

// The jobs of one kind, known by its name: what a name stands for may be replaced while jobs wait. Made when the first
// one comes, and kept: kinds are few. Those that require labels have one of their own for each set of these, while
// there are any.
struct KindLines {
  KindLines(ReadyQueue* owner, const std::string& kind, const LabelSet& required = {});
  // The one of a job that needs `permits`; made where there is none yet.
  Line& LineOf(Band band, const std::vector<Permit*>& permits);

  bool empty() const;

  ReadyQueue* const queue;
  const std::string name;
  const LabelSet require;
  std::string found_by;  // One of `require`: takers that have it look here.
  std::array<KindBand, kBands> bands;
  // Lines of jobs that need permits, while they are not empty.
  std::map<std::pair<Band, std::vector<Permit*>>, Line> with_permits;
};

class ReadyQueue {
 public:
  static constexpr uint64_t kAgeingTurns = BandedHeaps<KindBand>::kAgeingTurns;

  ReadyQueue(int64_t capacity_jobs, int64_t capacity_bytes);
  ReadyQueue(const ReadyQueue&) = delete;
  ReadyQueue& operator=(const ReadyQueue&) = delete;

  bool rendezvous() const { return capacity_jobs_ == 0; }
  // Room for this much more, next to what is queued and reserved? Says nothing of a rendezvous' jobs.
  bool HasRoom(int64_t jobs, int64_t bytes) const;
  // Could it ever, when empty?
  bool CouldHold(int64_t jobs, int64_t bytes) const;
  void SetCapacity(int64_t jobs, int64_t bytes);

  void Reserve(int64_t jobs, int64_t bytes);
  void Unreserve(int64_t jobs, int64_t bytes);  // Given up, or about to be filled by Push.

  void Push(JobEntry* entry) MR_IN_TURN;
  // One that is not pushed has a place as if it were, should it be set aside.
  void Number(JobEntry* entry) MR_IN_TURN { entry->push_number = pushes_++; }
  // One that Pop gave some time ago: to its old place.
  void PushAgain(JobEntry* entry) MR_IN_TURN;
  // With its permits. nullptr: nothing in line that it can run and that may run, or Taker::saves.
  JobEntry* Pop(Taker& taker) MR_IN_TURN;
  void Remove(JobEntry* entry) MR_IN_TURN;  // In line or aside.
  // One that Pop gave comes back, aside; then it is taken after all, or comes into line again, at its old place.
  void SetAside(JobEntry* entry) MR_IN_TURN;
  void TakeAside(JobEntry* entry) MR_IN_TURN;
  void PutBack(JobEntry* entry) MR_IN_TURN;

  bool empty() const { return jobs_ == 0; }
  // Somebody might be given a job: not where all that are in line wait for permits.
  bool anyone_in_line() const { return lines_offered_ > 0; }
  // What a job that is in line waits for, as far as that is known: asked for is what the first job of a line needs.
  static BlockedOn WaitsFor(const JobEntry& entry) MR_IN_TURN;
  // Jobs in the queue of better bands, and of its own those that were pushed before. For one that is in the queue.
  int64_t JobsAhead(const JobEntry& entry) const MR_IN_TURN;
  int64_t jobs() const { return jobs_; }
  int64_t bytes() const { return bytes_; }
  int64_t jobs_of(Band band) const { return jobs_of_[static_cast<size_t>(band)]; }
  int64_t reserved_jobs() const { return reserved_jobs_; }
  int64_t aside_jobs() const { return aside_; }
  int64_t capacity_jobs() const { return capacity_jobs_; }
  int64_t capacity_bytes() const { return capacity_bytes_; }
  // The job that was pushed first of those that may run: when it was pushed.
  std::optional<WallTime> oldest() const MR_IN_TURN;
  std::optional<Nanos> oldest_age(MonoTime now) const MR_IN_TURN;

  // Stops the process where counts and lines do not agree. For tests: it looks at every job in line.
  void CheckInvariants() const MR_IN_TURN;

 private:
  friend class Permit;

  KindLines& LinesOf(const std::string& kind);
  KindLines& LinesOf(const std::string& kind, const LabelSet& require);
  Line& LineOf(const JobEntry& entry) MR_IN_TURN;
  struct Choice {
    Line* line = nullptr;
    size_t kind = 0;  // Among the taker's.
  };
  Choice First(const Taker& taker, bool best_band) const;
  static void Consider(const KindLines& lines, size_t kind, bool best_band, Choice* first);
  const JobEntry* Oldest() const MR_IN_TURN;
  void PutInOrder(JobEntry* entry) MR_IN_TURN;
  void Enter(JobEntry* entry, Line& line) MR_IN_TURN;  // It is in the line's list already.
  void Leave(JobEntry* entry) MR_IN_TURN;
  void Rank(Line& line) MR_IN_TURN;  // Its front is another one.
  void Emptied(Line& line) MR_IN_TURN;
  // Into what Pop looks at, and out of it.
  void Offer(Line& line);
  void Withdraw(Line& line);
  void DropIfEmpty(KindLines& kind);
  void Reorder(KindBand& kind, Band band);
  void CountIn(const JobEntry& entry) MR_IN_TURN;
  void CountOut(const JobEntry& entry) MR_IN_TURN;

  std::unordered_map<std::string, KindLines> kinds_;
  // Those that require labels: by kind and the whole set; and by kind and one of the labels, the one by which fewest
  // others were found when they came: what many sets have in common finds none of them.
  std::unordered_map<std::string, KindLines> placed_;
  std::unordered_map<std::string, std::unordered_map<std::string, std::vector<KindLines*>>> placed_by_tag_;
  KindLines* last_kind_ = nullptr;  // That was asked for last: mostly it is the next one as well.
  BandedHeaps<KindBand> bands_;
  std::array<int64_t, kBands> jobs_of_{};
  std::array<PushRanks, kBands> ranks_;
  int64_t capacity_jobs_, capacity_bytes_;
  int64_t jobs_ = 0, bytes_ = 0;
  int64_t aside_ = 0;
  int64_t lines_offered_ = 0;
  int64_t reserved_jobs_ = 0, reserved_bytes_ = 0;
  uint64_t pushes_ = 0;
};

}  // namespace millrace::dispatch
