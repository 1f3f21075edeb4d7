// Leases: the workers in other processes, and what each of them holds.
//
//   Given      A pool whose runner leases (Runner::leases) has no fibers. Its jobs go to workers that offer their kind:
//              to the one that has the labels which the job requires, slots for it, and was given none for longest;
//              else into the queue, from which a worker takes the first that it can run when slots become free. Where
//              that one takes more slots than are free, the worker keeps them for it. The start of the attempt is
//              committed, with its token, before the worker is told of it.
//   Accepted   A worker says that it has the lease. One that it does not accept in time is taken back: its job goes to
//              the front of its queue, and the attempt does not count.
//   Renewed    By whatever the worker says, all that it holds together. Where it is silent for LeaseOptions::lease,
//              each of its attempts is lost (Judge).
//   Ended      By the worker's word, fenced by the attempt's token: what is late changes nothing and is refused as
//              LEASE_LOST. The worker is told once it is committed. Until then it may have to repeat it, also to the
//              next life of the daemon, and is told so again.
//   Comes back A worker whose stream breaks keeps what it held for LeaseOptions::resume_grace. A worker that comes with
//              the same key takes it over, as far as it says that it holds it; what it does not name is lost to it.
//   Restart    The record of a running job is its lease. When the daemon starts, each gets a whole new period; workers
//              come back and name what they hold.
//   Disk       While the journal cannot write, leases do not run out: nobody could be told.
//   Threads    The faces' part: any thread or fiber. The rest is called in a Turn.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "dispatch/in_turn.h"
#include "dispatch/lease.h"
#include "dispatch/lease_holder.h"
#include "dispatch/lease_options.h"
#include "dispatch/worker_status.h"

namespace millrace::dispatch {

class Core;
class Pool;

class Leases {
 public:
  explicit Leases(Core& core);
  ~Leases();
  Leases(const Leases&) = delete;
  Leases& operator=(const Leases&) = delete;

  // ---- For a face that speaks with a worker
  struct Entered {
    std::shared_ptr<LeaseHolder> holder;
    std::vector<LeaseRef> kept, lost;  // What the worker says that it holds and has not finished.
    Id worker_id;                      // WorkerStatus::id.
  };
  // INVALID_ARGUMENT BAD_WORKER: the offer; FAILED_PRECONDITION NO_REMOTE_POOL; UNAVAILABLE DRAINING.
  Result<Entered> Enter(const WorkerOffer& offer, std::shared_ptr<WorkerDoor> door);
  // `unheard`: what was said of attempts that are not the worker's. INVALID_ARGUMENT BAD_CREDIT: nothing of it was
  // done.
  Status Hear(LeaseHolder& holder, WorkerWords&& words, Unheard* unheard);
  LeaseOptions Options() const;
  size_t ResultBytesMax() const;
  // All there is, into `news`, which is empty.
  void TakeNews(LeaseHolder& holder, WorkerNews* news);
  // On a fiber: it may wait for the disk. Was this attempt ended by the word of a worker? Then that is acknowledged,
  // once more.
  bool AckAgain(LeaseHolder& holder, const LeaseRef& ref);
  // The payload of an attempt that some worker holds: whoever names its token holds it. On a fiber: it may wait for the
  // disk. FAILED_PRECONDITION LEASE_LOST, UNAVAILABLE STORE_FAILED, or what `may_hold` says.
  Result<Bytes> ReadPayload(const LeaseRef& ref, const MayHold& may_hold = {});
  // A result of so many bytes is to come in pieces. False: it need not, as a worker has told the end of the attempt
  // already. On a fiber: it may wait for the disk. FAILED_PRECONDITION LEASE_LOST, UNAVAILABLE STORE_FAILED;
  // INVALID_ARGUMENT RESULT_TOO_LARGE: the attempt still runs.
  Result<bool> AwaitsResult(const LeaseRef& ref, int64_t bytes);
  enum class Leaving {
    kGoodbye,  // The worker is done with everything: what it still holds runs elsewhere at once.
    kBroken,   // It may come back.
  };
  // There will be no calls of its door any more, but for those that have begun.
  void Leave(LeaseHolder& holder, Leaving how);

  // ---- For those who look at workers
  WorkersPage Workers(const WorkersQuery& query) const;
  // `worker`: an id, or a name that only one worker has. NOT_FOUND UNKNOWN_WORKER; FAILED_PRECONDITION
  // AMBIGUOUS_WORKER.
  Result<WorkerStatus> GetWorker(std::string_view worker) const;
  // It gets no more leases, and goes on with those that it has; also when its stream breaks and it comes back. False:
  // it gets leases again. The answer is as GetWorker's.
  Result<WorkerStatus> SetDrained(std::string_view worker, bool drained);

  // ---- Moves, each in a Turn
  // Workers that offer the kind and keep their slots for a large job look again: that job may have gone elsewhere, or
  // one that is to be run before it has come.
  void ServeSavers(const std::string& kind, Turn& turn) MR_IN_TURN;
  // Somebody who can run the job and is to get it; nullptr: nobody now. The slot is given a job or goes to PutSlot.
  // `save`: where a worker has too few free slots for the job, it takes nothing smaller until there are enough.
  LeaseSlot* SlotFor(const JobEntry& job, bool save) MR_IN_TURN;
  void PutSlot(LeaseSlot& slot) MR_IN_TURN;
  // Core::DropStart: its job was taken from it before its worker heard of it.
  void DropSlot(LeaseSlot& slot, Turn& turn) MR_IN_TURN;
  // Workers with free slots take what is queued there.
  void Serve(Pool& pool, Turn& turn) MR_IN_TURN;
  // What the slot waited for is there: the start of its attempt is committed.
  void Started(LeaseSlot& slot, Turn& turn) MR_IN_TURN;
  // The attempt was asked to stop, and was not before.
  void StopAsked(LeaseSlot& slot, const Status& why, Turn& turn) MR_IN_TURN;
  // It did not stop in time.
  void GiveUp(LeaseSlot& slot, Turn& turn) MR_IN_TURN;
  // A job that was RUNNING when the daemon ended.
  void Recover(JobEntry& job, Turn& turn) MR_IN_TURN;
  void OnDue(LeaseHolder& holder, Turn& turn) MR_IN_TURN;
  // A pool that leases has another state: its number of workers is told again.
  void CountWorkers(Turn& turn) MR_IN_TURN;
  // Why a job that is in line, and of which nothing else is to be said, is not run.
  Waiting WhyInLine(const JobEntry& job) const MR_IN_TURN;
  // A fiber reads the job that was set aside for the slot, and starts it: told in the Turn that set it aside, and begun
  // without the lock.
  void ExpectReader();
  void StartReader(LeaseSlot& slot);
  // Dispatcher::WriteResult, but for its waiting.
  Status EndWith(const LeaseRef& ref, const Bytes& result, const AttemptTimings& timings);
  // Waits until no fiber reads for a slot.
  void AwaitReaders();

  // Stops the process where holders and what they hold do not agree. For tests.
  void CheckInvariants() const MR_IN_TURN;

  // For metrics.
  uint64_t late_results() const MR_IN_TURN { return late_results_; }
  int64_t workers() const MR_IN_TURN;  // With an open stream.

 private:
  friend struct LeaseHolder;
  // `as`: the kind it is for; nullptr: it did not offer it.
  LeaseSlot& TakeSlot(Pool& pool, LeaseHolder& holder, OfferedKind* as) MR_IN_TURN;
  static void Attach(LeaseSlot& slot, LeaseHolder& holder, OfferedKind* as) MR_IN_TURN;
  static void Detach(LeaseSlot& slot) MR_IN_TURN;
  void Serve(LeaseHolder& holder, Turn& turn) MR_IN_TURN;
  bool ServeOne(LeaseHolder& holder, Pool& pool, Turn& turn) MR_IN_TURN;
  bool TryServe(LeaseHolder& holder, Pool& pool, Turn& turn) MR_IN_TURN;  // And it saves, where it has to.
  // Tells its taker what it has room for.
  static void Measure(LeaseHolder& holder) MR_IN_TURN;
  static bool MayServe(const Pool& pool) MR_IN_TURN;
  OfferedKind* Choose(KindHolders& kind, const JobEntry& job) MR_IN_TURN;
  static OfferedKind* TakeFree(KindHolders& kind, const JobEntry& job, const LabelSet& prefer) MR_IN_TURN;
  // The job goes into the queue: those that have too few free slots for it save them.
  void SaveFor(KindHolders& kind, const JobEntry& job) MR_IN_TURN;
  void SetSaves(LeaseHolder& holder, bool saves) MR_IN_TURN;
  void List(LeaseHolder& holder) MR_IN_TURN;
  void Tell(LeaseHolder& holder, Turn& turn) MR_IN_TURN;
  LeaseSlot* Find(const LeaseRef& ref) MR_IN_TURN;
  WorkerStatus StatusOf(const LeaseHolder& holder, bool with_held) const MR_IN_TURN;
  Result<LeaseHolder*> FindHolder(std::string_view worker) const MR_IN_TURN;
  LeaseSlot* Own(const LeaseHolder& holder, const LeaseRef& ref) MR_IN_TURN;  // nullptr: it is not its own.
  void Accept(LeaseSlot& slot) MR_IN_TURN;
  void Show(LeaseSlot& slot, WorkerWords::Shown&& shown, Unheard* unheard, Turn& turn) MR_IN_TURN;
  void Finish(LeaseSlot& slot, FinishedAttempt&& finished, Turn& turn) MR_IN_TURN;
  void FinishByWorker(LeaseSlot& slot, FinishedAttempt&& finished, Turn& turn) MR_IN_TURN;
  // Did the word of a worker end it?
  static bool EndedByWorker(const JobRecord& record, const LeaseRef& ref);
  // Calls held(slot, turn) for an attempt that some worker holds; OK where it has ended by a worker's word.
  template <typename Held>
  Status VisitAttempt(const LeaseRef& ref, Held held);
  // Nothing can be heard of an attempt while so many bytes of it are on their way: as long as that may take.
  static Nanos TimeToCarry(int64_t bytes);
  // Stops those that showed nothing for too long. When to look again.
  MonoTime StopSilent(LeaseHolder& holder, Turn& turn) MR_IN_TURN;
  // Its attempt does not count, and its job goes to where it came from.
  void TakeBack(LeaseSlot& slot, const std::string& why, Turn& turn) MR_IN_TURN;
  void RefuseLarge(LeaseSlot& slot, Turn& turn) MR_IN_TURN;
  void Lose(LeaseSlot& slot, const std::string& why, Turn& turn) MR_IN_TURN;
  void LoseOrTakeBack(LeaseSlot& slot, const std::string& why, Turn& turn) MR_IN_TURN;
  void HearHeld(LeaseHolder& holder, const std::vector<LeaseRef>& held, Turn& turn) MR_IN_TURN;
  void End(LeaseHolder& holder, Turn& turn) MR_IN_TURN;
  // One that has ended is forgotten when nothing leads to it any more.
  static void Release(LeaseHolder& holder, Turn& turn) MR_IN_TURN;
  void AckWhenCommitted(LeaseHolder& holder, const LeaseRef& ref) MR_IN_TURN;
  void Adopt(LeaseHolder& holder, const WorkerOffer& offer, Entered* entered, Turn& turn) MR_IN_TURN;
  void ReadAndStart(LeaseSlot& slot);
  static void EndsCommitted(Core& core, LeaseHolder& holder, uint64_t part, const Status& status,
                            Turn& turn) MR_IN_TURN;

  Core& core_;
  std::vector<std::shared_ptr<LeaseHolder>> holders_ MR_GUARDED_BY(in_turn);
  std::shared_ptr<LeaseHolder> recovered_ MR_GUARDED_BY(in_turn);  // Has what nobody has claimed since the start.
  std::unordered_map<std::string, KindHolders> kinds_ MR_GUARDED_BY(in_turn);
  std::deque<LeaseSlot> slots_ MR_GUARDED_BY(in_turn);
  std::unordered_map<Pool*, std::vector<LeaseSlot*>> free_slots_ MR_GUARDED_BY(in_turn);
  size_t next_pool_ MR_GUARDED_BY(in_turn) = 0;  // Pools take turns.
  uint64_t late_results_ MR_GUARDED_BY(in_turn) = 0;
  int savers_ MR_GUARDED_BY(in_turn) = 0;  // Holders that save their slots.
  bool serving_savers_ MR_GUARDED_BY(in_turn) = false;
  size_t next_saver_ MR_GUARDED_BY(in_turn) = 0;  // Savers take turns.
  // Processes that an operator drained, and that are away for longer than the grace: by key, their ids.
  std::unordered_map<std::string, Id> drained_away_ MR_GUARDED_BY(in_turn);
  struct Readers;
  std::unique_ptr<Readers> readers_;
};

}  // namespace millrace::dispatch
