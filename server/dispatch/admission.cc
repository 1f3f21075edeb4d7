#include "dispatch/admission.h"

#include <algorithm>
#include <map>
#include <utility>

#include "base/check.h"
#include "dispatch/core.h"
#include "dispatch/weight.h"
#include "job/fingerprint.h"
#include "job/validate.h"

namespace millrace::dispatch {

namespace {

Status KindNotFound(const JobSpec& spec, const Runner& runner) {
  constexpr size_t kNamed = 20;
  std::vector<std::string> kinds = runner.Kinds();
  std::string known;
  for (size_t i = 0; i < std::min(kinds.size(), kNamed); ++i) known += (i > 0 ? ", '" : "'") + kinds[i] + "'";
  if (kinds.size() > kNamed) known += " and " + std::to_string(kinds.size() - kNamed) + " more";
  return NotFound("KIND_NOT_FOUND", "pool '" + spec.pool + "' knows no kind '" + spec.kind + "'; its runner '" +
                                        std::string(runner.name()) + "' knows " + (known.empty() ? "none" : known))
      .Field("spec.kind")
      .With("kind", spec.kind)
      .With("pool", spec.pool);
}

// Could the job run before its deadline, if it were accepted now?
Status CheckDeadline(const JobSpec& spec, WallTime now) {
  if (*spec.deadline <= now) {
    return InvalidArgument("DEADLINE_PASSED",
                           "spec.deadline is in the past, so the job could never run; give a later one")
        .Field("spec.deadline");
  }
  if (spec.delay && *spec.deadline <= now + *spec.delay) {
    return InvalidArgument("DEADLINE_BEFORE_RUN_AT",
                           "spec.deadline is not after the end of spec.delay, so the job could never run")
        .Field("spec.deadline");
  }
  return OkStatus();
}

Status PassedWhileWaiting() {
  return DeadlineExceeded("DEADLINE_PASSED",
                          "spec.deadline passed while the submit waited, so the job could never run; nothing was "
                          "accepted, give a later one")
      .Field("spec.deadline");
}

}  // namespace

Status Admission::OfItem(const Status& status, size_t index) {
  std::string item = "requests[" + std::to_string(index) + "]";
  Status whole(status.code(), status.reason(), item + ": " + status.message());
  for (const auto& [key, value] : status.metadata()) whole = std::move(whole).With(key, value);
  if (!status.field().empty()) whole = std::move(whole).Field(item + "." + status.field());
  return whole;
}

// ---- Before the lock ------------------------------------------------------------------------------------------------

Status Admission::ResolvePool(JobSpec& spec, JobEntry* job) const {
  if (spec.pool.empty()) {
    spec.pool = kDefaultPool;
    for (Runner* runner : core_.runners) {
      const KindOptions* kind = runner->FindKind(spec.kind);
      if (kind == nullptr) continue;
      if (!kind->pool.empty()) spec.pool = kind->pool;
      break;
    }
  }
  job->pool = core_.FindPool(spec.pool);
  if (job->pool == nullptr || job->pool->missing) {
    return NotFound("POOL_NOT_FOUND", "there is no pool '" + spec.pool + "'; the pools are " + core_.PoolNames())
        .Field("spec.pool")
        .With("pool", spec.pool);
  }
  const Runner& runner = job->pool->runner();
  job->kind = runner.FindKind(spec.kind);
  if (job->kind == nullptr) return KindNotFound(spec, runner);
  if (!spec.placement.require.empty() && !runner.leases()) {
    return InvalidArgument("PLACEMENT_NOT_REMOTE",
                           "spec.placement.require asks for labels of a worker, and pool '" + spec.pool +
                               "' is run by the daemon itself; name a pool whose runner is \"remote\"")
        .Field("spec.placement.require");
  }
  return OkStatus();
}

Status Admission::PrepareItem(Submission::Item& item, std::shared_ptr<JobEntry>* job, Status* late) {
  MR_RETURN_IF_ERROR(ValidateSpec(item.spec, core_.options().payload_bytes_max));
  MR_RETURN_IF_ERROR(ValidateRequestId(item.request_id));
  if (item.spec.deadline) *late = CheckDeadline(item.spec, core_.clock.Wall());
  if (!late->ok() && item.request_id.empty()) return std::move(*late);
  auto entry = std::make_shared<JobEntry>();
  MR_RETURN_IF_ERROR(ResolvePool(item.spec, entry.get()));
  entry->bytes = static_cast<uint32_t>(PayloadOf(item.spec).size());
  entry->band = item.spec.band;
  entry->labelled = !item.spec.labels.empty() || !item.spec.placement.prefer.empty();
  if (!item.spec.placement.require.empty()) entry->ties = TiesOf(item.spec.placement);
  entry->hot = std::make_shared<HotJob>();
  JobRecord& record = entry->record();
  record.payload_bytes = entry->bytes;
  if (!item.request_id.empty()) {
    record.request_id = item.request_id;
    record.fingerprint = Fingerprint(item.spec);
  }
  // After the fingerprint: a submit that is repeated says the same, and another time would come of it.
  if (item.spec.deadline_after) {
    item.spec.deadline = core_.clock.Wall() + *std::exchange(item.spec.deadline_after, std::nullopt);
    MR_RETURN_IF_ERROR(ValidateDeadline(item.spec));
  }
  record.history.reserve(1);  // Here rather than under the lock.
  record.spec = std::make_shared<const JobSpec>(std::move(item.spec));
  entry->held = HotWeight(record);
  *job = std::move(entry);
  return OkStatus();
}

Status Admission::Prepare(Submission& submission) {
  const size_t count = submission.items.size();
  if (count == 0 || count > core_.options().batch_jobs_max) {
    return InvalidArgument("BAD_BATCH_SIZE", "the batch has " + std::to_string(count) + " jobs; send 1 to " +
                                                 std::to_string(core_.options().batch_jobs_max))
        .Field("requests");
  }
  if (count > 1) submission.many_jobs_.resize(count);
  submission.twins_.clear();
  submission.late_.clear();
  submission.jobs_ = count > 1 ? std::span(submission.many_jobs_) : std::span(&submission.only_job_, 1);
  submission.acks.resize(count);
  for (size_t i = 0; i < count; ++i) {
    Status late;
    Status status = PrepareItem(submission.items[i], &submission.jobs_[i], &late);
    if (!status.ok()) return count == 1 ? status : OfItem(status, i);
    if (!late.ok()) submission.late_.emplace_back(i, count == 1 ? std::move(late) : OfItem(late, i));
  }
  return OkStatus();
}

void Admission::Submit(Submission* submission) {
  Status status = Prepare(*submission);
  Turn turn(core_);
  if (!status.ok()) {
    Refuse(*submission, SubmitResult::kRefused, std::move(status), turn);
    return;
  }
  Follow(Decide(*submission, /*arriving=*/true, turn), *submission, turn);
}

void Admission::Follow(Decision decision, Submission& submission, Turn& turn) {
  if (!decision.refusal.ok()) {
    Refuse(submission, SubmitResult::kRefused, std::move(decision.refusal), turn);
  } else if (decision.gate == nullptr) {
    Accept(submission, turn);
  } else {
    const SubmitResult full = decision.pool != nullptr ? SubmitResult::kQueueFull : SubmitResult::kProcessFull;
    if (submission.on_full == OnFull::kWait || decision.gate == &commit_gate_) {
      Join(*decision.gate, submission, full, turn);
    } else {
      Refuse(submission, full, FullStatus(decision, turn), turn);
    }
  }
}

bool Admission::Abandon(Submission* submission) {
  Turn turn(core_);
  Gate* gate = submission->gate_;
  if (gate == nullptr) return false;
  Leave(*submission);
  for (const auto& job : submission->jobs_) {
    if (job) ++job->pool->submitted[static_cast<size_t>(SubmitResult::kAbandoned)];
  }
  turn.RoomAt(*gate);  // Whoever stood behind it may need less.
  return true;
}

// ---- Decision -------------------------------------------------------------------------------------------------------

Admission::Decision Admission::Decide(Submission& submission, bool arriving, Turn& turn) {
  if (core_.draining) return {.refusal = ShuttingDown()};
  bool open = false;
  if (Status status = FindRepeats(submission, &open); !status.ok()) return {.refusal = std::move(status)};
  for (const auto& [item, status] : submission.late_) {
    if (!open && submission.jobs_[item]) return {.refusal = status};
  }
  if (Status status = FindHolders(submission, &open); !status.ok()) return {.refusal = std::move(status)};
  if (open) return {.gate = &commit_gate_};
  for (const auto& job : submission.jobs_) {
    if (!job) continue;
    if (Status status = job->pool->CheckAccepting(); !status.ok()) return {.refusal = std::move(status)};
  }
  if (Status status = CheckDeadlines(submission, turn); !status.ok()) return {.refusal = std::move(status)};
  return ReserveRoom(submission, arriving, turn);
}

Status Admission::CheckDeadlines(const Submission& submission, Turn& turn) {
  for (size_t i = 0; i < submission.jobs_.size(); ++i) {
    const auto& job = submission.jobs_[i];
    if (!job || !Core::TooLate(*job, turn)) continue;
    const Status status = PassedWhileWaiting();
    return submission.jobs_.size() == 1 ? status : OfItem(status, i);
  }
  return OkStatus();
}

Status Admission::FindRepeats(Submission& submission, bool* open) {
  struct First {
    size_t item;
    uint64_t fingerprint;
  };
  std::map<std::string_view, First> in_batch;
  for (size_t i = 0; i < submission.jobs_.size(); ++i) {
    const auto& job = submission.jobs_[i];
    if (!job || job->record().request_id.empty()) continue;
    const std::string& request_id = submission.items[i].request_id;
    const uint64_t fingerprint = job->record().fingerprint;
    const RequestIds::Entry* entry = core_.request_ids.Find(request_id);
    std::optional<uint64_t> first_fingerprint;
    if (entry != nullptr) {
      first_fingerprint = entry->fingerprint;
    } else {
      auto [twin, first_time] = in_batch.try_emplace(request_id, First{i, fingerprint});
      if (first_time) continue;
      first_fingerprint = twin->second.fingerprint;
      // What becomes of the first one is still open: its unique key may be held, and the request id stays unknown then.
      submission.twins_[i] = twin->second.item;
    }
    if (first_fingerprint && fingerprint != *first_fingerprint) {
      return AlreadyExists("REQUEST_ID_REUSED",
                           "request_id '" + request_id + "' was used " +
                               (entry != nullptr ? "for job " + entry->job.ToString() : "earlier in this batch") +
                               " with other content; use a new id for a new job")
          .Field("request_id")
          .With("request_id", request_id);
    }
    const JobEntry* first = entry != nullptr ? core_.table.Find(entry->job) : nullptr;
    if (first != nullptr && first->hidden) {
      *open = true;
      continue;
    }
    submission.acks[i].existing = true;
    // Told here, as the id may be gone when there is room for the rest. AckRepeats tells of the others.
    if (entry != nullptr) {
      submission.acks[i].id = entry->job;
      submission.acks[i].state = first != nullptr ? first->visible_state() : entry->final_state;
    }
    ++job->pool->submitted[static_cast<size_t>(SubmitResult::kExisting)];
    submission.jobs_[i].reset();
  }
  return OkStatus();
}

void Admission::AckRepeats(Submission& submission) {
  for (size_t i = 0; i < submission.acks.size(); ++i) {
    SubmitAck& ack = submission.acks[i];
    if (!ack.existing) continue;
    if (auto twin = submission.twins_.find(i); twin != submission.twins_.end()) {
      ack.id = submission.acks[twin->second].id;
      ack.state = submission.acks[twin->second].state;
      continue;
    }
    // The first job, or the holder of its unique key, which may be gone meanwhile.
    MR_CHECK(!ack.id.empty(), "item %zu of a batch is a repeat of nothing", i);
    if (const JobEntry* job = core_.table.Find(ack.id)) {
      ack.state = job->visible_state();
      continue;
    }
    const RequestIds::Entry* entry = core_.request_ids.Find(submission.items[i].request_id);
    if (entry != nullptr && entry->job == ack.id) ack.state = entry->final_state;
  }
}

Status Admission::ShuttingDown() {
  return Unavailable("DRAINING", "the daemon is shutting down and accepts no jobs; retry elsewhere or later");
}

// ---- Acceptance -----------------------------------------------------------------------------------------------------

void Admission::Accept(Submission& submission, Turn& turn) {
  // A part of its own: it may be refused, and what else this Turn writes may not.
  const bool writes = core_.keeps_unfinished;
  if (writes) core_.commits.ClosePart();
  if (writes) GiveBackPlaces(submission);  // Those that start at once need none.
  for (size_t i = 0; i < submission.jobs_.size(); ++i) {
    const auto& job = submission.jobs_[i];
    if (!job) continue;
    job->id = core_.ids.Next();
    job->hidden = true;
    core_.Draft(*job, turn);
    if (writes && job->state() == JobState::kQueued && !core_.StartAhead(*job, turn)) KeepPlace(*job);
    const JobRecord& record = job->record();
    if (!record.request_id.empty()) {
      core_.request_ids.Add(record.request_id, {.job = job->id, .fingerprint = record.fingerprint});
    }
    core_.table.Insert(job->id, job);
    submission.acks[i].id = job->id;
    if (writes) core_.commits.batch().Accept(record);
  }
  // All are repeats, or this journal is told of jobs that have ended only.
  if (!writes || !core_.commits.batch().open()) return Committed(submission, OkStatus(), turn);
  core_.commits.Then<&Admission::AcceptCommitted>(submission);
  core_.commits.ClosePart();
}

void Admission::AcceptCommitted(Core& core, Submission& submission, uint64_t, const Status& status, Turn& turn) {
  core.admission.Committed(submission, status, turn);
}

void Admission::Committed(Submission& submission, const Status& status, Turn& turn) {
  for (const auto& job : submission.jobs_) {
    if (!job || job->state() != JobState::kRunning) continue;
    // A pool that was paused or stopped meanwhile begins no more jobs.
    const bool may_begin = job->pool->may_take() && !job->pool->missing && !Core::TooLate(*job, turn);
    if (!status.ok() || !may_begin) core_.DropStart(*job, turn);
  }
  if (!status.ok()) GiveBackPlaces(submission);
  for (size_t i = 0; i < submission.jobs_.size(); ++i) {
    const auto& job = submission.jobs_[i];
    if (!job) continue;
    Pool& pool = *job->pool;
    if (!status.ok()) {
      core_.DropDraft(*job, turn);
      ++pool.submitted[static_cast<size_t>(SubmitResult::kRefused)];
      continue;
    }
    ++pool.submitted[static_cast<size_t>(SubmitResult::kAccepted)];
    if (job->in_queue == InQueue::kReserved) {
      pool.channel.Unreserve(1, job->bytes);
      job->in_queue = InQueue::kNo;
      turn.RoomAt(pool.gate);  // It may go to an idle worker at once.
    }
    core_.Publish(*job, turn);
    submission.acks[i].state = job->state();
  }
  if (status.ok()) AckRepeats(submission);
  turn.RoomAt(commit_gate_);
  turn.Answer(&submission, status);
}

void Admission::Refuse(Submission& submission, SubmitResult result, Status status, Turn& turn) {
  for (size_t i = 0; i < submission.items.size(); ++i) {
    if (i < submission.jobs_.size() && submission.jobs_[i]) {
      ++submission.jobs_[i]->pool->submitted[static_cast<size_t>(result)];
    } else if (i >= submission.acks.size() || !submission.acks[i].existing) {  // Those are counted.
      ++unknown_pool_;
    }
  }
  turn.Answer(&submission, std::move(status));
}

// ---- Room was made --------------------------------------------------------------------------------------------------

void Admission::Serve(Gate& gate, Turn& turn) {
  while (Submission* submission = gate.front()) {
    // One that waited for a commit has not stood in line for room.
    Decision decision = Decide(*submission, /*arriving=*/&gate == &commit_gate_, turn);
    if (decision.gate == &gate) return;
    Leave(*submission);
    Follow(std::move(decision), *submission, turn);
  }
}

void Admission::RefuseWaiting(Gate& gate, const Status& status, Turn& turn) {
  while (Submission* submission = gate.front()) {
    Leave(*submission);
    Refuse(*submission, SubmitResult::kRefused, status, turn);
  }
}

// ---- Time has passed ------------------------------------------------------------------------------------------------

void Admission::WatchDeadline(Submission& submission, Turn& turn) {
  ForgetDeadline(submission);
  for (const auto& job : submission.jobs_) {
    if (!job) continue;
    const auto& deadline = job->record().spec->deadline;
    submission.waits_until_ = std::min(submission.waits_until_, deadline.value_or(WallTime::max()));
  }
  if (submission.waits_until_ == WallTime::max()) return;
  deadlines_.emplace(submission.waits_until_, &submission);
  SetDeadlineAlarm(turn);
}

void Admission::ForgetDeadline(Submission& submission) {
  if (submission.waits_until_ == WallTime::max()) return;
  deadlines_.erase({submission.waits_until_, &submission});
  submission.waits_until_ = WallTime::max();
}

void Admission::SetDeadlineAlarm(Turn& turn) {
  if (deadlines_.empty()) return;
  const Nanos left = std::max(deadlines_.begin()->first - turn.wall(), Nanos(0));
  // As for alarms on the wall clock: somebody may set it.
  core_.SetBy(first_late_, Later(turn.mono(), std::min(left, Alarms::kWallCheck)), turn);
}

void Admission::RefuseFirstLate(Turn& turn) {
  if (!deadlines_.empty() && deadlines_.begin()->first <= turn.wall()) {
    Submission& submission = *deadlines_.begin()->second;
    if (Status status = CheckDeadlines(submission, turn); !status.ok()) {
      Gate& gate = *submission.gate_;
      Leave(submission);
      Refuse(submission, SubmitResult::kRefused, std::move(status), turn);
      turn.RoomAt(gate);  // Whoever stood behind it may need less.
    } else {              // That item has turned out to be a job which existed before; the others still wait.
      WatchDeadline(submission, turn);
    }
  }
  SetDeadlineAlarm(turn);
}

}  // namespace millrace::dispatch
