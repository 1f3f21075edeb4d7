// Admission: which submits are accepted, refused, or wait for room.
//
//   Order     Reserve count and bytes in the pool's bound and the process' budget, then journal, then queue, then
//             answer. What was not acknowledged is not kept; what was acknowledged is not dropped.
//   Unit      A submission is accepted as a whole or not at all. While one waits, it stands in line at the first place
//             that was full; nobody who comes later overtakes it there, also not with fewer jobs or with on_full
//             REJECT.
//   Waiting   A submission that waits holds its payloads. So there is a limit of bytes for all that wait, each of which
//             counts some kilobytes more for its call; one that would be above it is refused, whatever on_full says.
//   Repeats   A request id that was seen before gives the first job, when the content is the same.
//   Unique    So does, or is refused, a unique key that is held. A request id comes first: whoever repeats a submit
//             that was accepted gets the job of that submit, not an answer about the key that this job holds.
//   Deadline  A submission that waits is refused at the first deadline of its jobs, not when its turn would have come.
//   Threads   Submit and Abandon from any thread; the rest in a Turn.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "base/status.h"
#include "dispatch/alarms.h"
#include "dispatch/dispatcher.h"
#include "dispatch/gate.h"
#include "dispatch/in_turn.h"
#include "dispatch/retry_slots.h"
#include "dispatch/unique_keys.h"

namespace millrace::dispatch {

class Core;
class Pool;
class Turn;

class Admission {
 public:
  explicit Admission(Core& core) : core_(core) {}

  void Submit(Submission* submission);
  bool Abandon(Submission* submission);

  // ---- In a Turn
  // There may be room: accepts whoever waits at the gate, first come first served.
  void Serve(Gate& gate, Turn& turn) MR_IN_TURN;
  // The answer for everybody at the gate.
  void RefuseWaiting(Gate& gate, const Status& status, Turn& turn) MR_IN_TURN;
  static Status ShuttingDown();
  // For a retry of a job that has ended: is its unique key free, if it has one? Is there room for it?
  Status CheckKeyToRetry(const JobRecord& job) const MR_IN_TURN;
  Status CheckRoomToRetry(const JobEntry& job, int64_t bytes, Turn& turn) MR_IN_TURN;

  int64_t waiting_bytes() const MR_IN_TURN { return waiting_bytes_; }
  uint64_t unknown_pool() const MR_IN_TURN { return unknown_pool_; }
  Gate& commit_gate() MR_IN_TURN { return commit_gate_; }

 private:
  // What to do with a submission now: accept it (everything is reserved), refuse it, or let it wait.
  struct Decision {
    Status refusal;        // Whatever on_full says.
    Gate* gate = nullptr;  // There is no room here, or it is commit_gate_.
    Pool* pool = nullptr;  // Which pool's gate it is; nullptr: one of ours.
    int64_t bytes = 0;     // The process' gate: how many do not fit.
  };

  // The status of one item of a batch, as a status of the batch.
  static Status OfItem(const Status& status, size_t index);

  // Without the lock: the items become jobs, or the first mistake is told.
  Status Prepare(Submission& submission);
  // `*late`: why it comes too late, if it is no repeat.
  // Nobody else knows the new job yet.
  Status PrepareItem(Submission::Item& item, std::shared_ptr<JobEntry>* job, Status* late) MR_NO_THREAD_SAFETY_ANALYSIS;
  Status ResolvePool(JobSpec& spec, JobEntry* job) const MR_NO_THREAD_SAFETY_ANALYSIS;

  Decision Decide(Submission& submission, bool arriving, Turn& turn) MR_IN_TURN;
  // Into the line at a gate, or refused where too much waits already; out of it.
  void Join(Gate& gate, Submission& submission, SubmitResult refused_as, Turn& turn) MR_IN_TURN;
  void Leave(Submission& submission) MR_IN_TURN;
  // At a gate: what its first deadline is now.
  void WatchDeadline(Submission& submission, Turn& turn) MR_IN_TURN;
  void ForgetDeadline(Submission& submission) MR_IN_TURN;
  void RefuseFirstLate(Turn& turn) MR_IN_TURN;
  void SetDeadlineAlarm(Turn& turn) MR_IN_TURN;
  // DEADLINE_EXCEEDED: one of its jobs could never run any more.
  static Status CheckDeadlines(const Submission& submission, Turn& turn) MR_IN_TURN;
  // At no gate: does what was decided.
  void Follow(Decision decision, Submission& submission, Turn& turn) MR_IN_TURN;
  // Items whose request id was seen before are not jobs of their own. `*open`: of one of them it is not known yet
  // whether it was accepted.
  Status FindRepeats(Submission& submission, bool* open) MR_IN_TURN;
  // Items whose unique key is held are not either. Asked again when there is room: somebody may have taken it
  // meanwhile.
  Status FindHolders(Submission& submission, bool* open) MR_IN_TURN;
  Status FindHolder(Submission& submission, size_t item, std::map<UniqueKeys::Digest, size_t>* in_batch,
                    bool* open) MR_IN_TURN;
  void AckRepeats(Submission& submission) MR_IN_TURN;
  Decision ReserveRoom(Submission& submission, bool arriving, Turn& turn) MR_IN_TURN;
  // INVALID_ARGUMENT: it is larger than the pool, so waiting would be for ever.
  Status CheckCouldFit(const Submission& submission, Turn& turn) const MR_IN_TURN;
  static void KeepPlace(JobEntry& job) MR_IN_TURN;
  static void GiveBackPlaces(Submission& submission) MR_IN_TURN;
  void Accept(Submission& submission, Turn& turn) MR_IN_TURN;
  void Committed(Submission& submission, const Status& status, Turn& turn) MR_IN_TURN;
  static void AcceptCommitted(Core& core, Submission& submission, uint64_t, const Status& status,
                              Turn& turn) MR_IN_TURN;
  void Refuse(Submission& submission, SubmitResult result, Status status, Turn& turn) MR_IN_TURN;
  // RESOURCE_EXHAUSTED, for those that do not wait. Not made for those that do: they may be looked at often.
  Status FullStatus(const Decision& decision, Turn& turn) MR_IN_TURN;
  Status ProcessFull(int64_t bytes, bool may_wait, Turn& turn) MR_IN_TURN;
  Status WaitingFull(Turn& turn) MR_IN_TURN;

  Core& core_;
  int64_t waiting_bytes_ MR_GUARDED_BY(in_turn) = 0;  // What the submissions at all gates hold.
  // The submissions at a gate whose jobs have a deadline, by time. Few have one, and the others cost nothing.
  std::set<std::pair<WallTime, Submission*>> deadlines_ MR_GUARDED_BY(in_turn);
  // The first of these may have passed.
  struct FirstLate final : OwnAlarm {
    explicit FirstLate(Admission& owner) : admission(owner) {}
    void OnDue(Turn& turn) override MR_IN_TURN { admission.RefuseFirstLate(turn); }
    Admission& admission;
  };
  FirstLate first_late_ MR_GUARDED_BY(in_turn){*this};
  // For those with the request id or unique key of a job that the journal has yet to commit.
  Gate commit_gate_ MR_GUARDED_BY(in_turn);
  // For those that the process has no room for.
  RetrySlots retry_slots_ MR_GUARDED_BY(in_turn);
  uint64_t unknown_pool_ MR_GUARDED_BY(in_turn) = 0;
};

}  // namespace millrace::dispatch
