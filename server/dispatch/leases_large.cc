// What is too large for the messages of a worker: payloads that it reads, results that it writes.
#include <algorithm>
#include <chrono>
#include <utility>

#include "dispatch/core.h"
#include "dispatch/leases.h"
#include "dispatch/turn.h"
#include "dispatch/visit.h"

namespace millrace::dispatch {

namespace {

// As a worker said them, into the time that the attempt took by our clock.
void FitTimings(Nanos ran, AttemptTimings* timings) {
  timings->run = ran;
  for (Nanos* part : {&timings->cpu, &timings->runnable, &timings->blocked_inside}) {
    *part = std::clamp(*part, Nanos(0), ran);
    ran -= *part;
  }
  timings->blocked_outside = ran;
}

}  // namespace

Nanos Leases::TimeToCarry(int64_t bytes) {
  constexpr Nanos kLeast = std::chrono::seconds(10), kByte = std::chrono::microseconds(1);
  return kLeast + Nanos(bytes * kByte.count());
}

Result<Bytes> Leases::ReadPayload(const LeaseRef& ref, const MayHold& may_hold) {
  Bytes payload;
  int64_t bytes = 0;
  bool left_out = false;
  Status status = Visit(
      core_, ref.job, Journal::Part::kBasic,
      [&](JobEntry& job, Turn&) MR_IN_TURN {
        LeaseSlot* const slot = Find(ref);
        if (slot == nullptr || !slot->told) return LeaseLost(ref);
        payload = job.record().spec->payload;
        bytes = job.record().payload_bytes;
        left_out = PayloadLeftOut(job.record());
        return OkStatus();
      },
      [&](const std::shared_ptr<const JobRecord>&, Turn&) { return LeaseLost(ref); });
  if (status.code() == StatusCode::kNotFound) return LeaseLost(ref);
  if (!status.ok()) return status;
  if (may_hold) MR_RETURN_IF_ERROR(may_hold(bytes));
  if (!left_out) return payload;
  auto whole = core_.journal.Read(ref.job, Journal::Part::kWhole);
  if (!whole.ok()) return whole.status().code() == StatusCode::kNotFound ? LeaseLost(ref) : whole.status();
  return (*whole)->spec->payload;
}

bool Leases::EndedByWorker(const JobRecord& record, const LeaseRef& ref) {
  const bool same = record.life.claim == ref.claim && record.life.state != JobState::kRunning;
  if (!same || record.history.empty() || record.history.back().number != ref.claim.attempt) return false;
  const AttemptResult result = record.history.back().result;
  return result != AttemptResult::kLost && result != AttemptResult::kReleased;
}

void Leases::FinishByWorker(LeaseSlot& slot, FinishedAttempt&& finished, Turn& turn) {
  slot.attempt.set_ended(turn.mono());
  FitTimings(turn.mono() - slot.attempt.started(), &finished.timings);
  Finish(slot, std::move(finished), turn);
}

template <typename Held>
Status Leases::VisitAttempt(const LeaseRef& ref, Held held) {
  const auto look = [&](const JobRecord& record) MR_IN_TURN {
    if (EndedByWorker(record, ref)) return OkStatus();
    ++late_results_;
    return LeaseLost(ref);
  };
  Status status = Visit(
      core_, ref.job, Journal::Part::kBasic,
      [&](JobEntry& job, Turn& turn) MR_IN_TURN {
        LeaseSlot* const slot = Find(ref);
        return slot != nullptr && slot->told ? held(*slot, turn) : look(job.record());
      },
      [&](const std::shared_ptr<const JobRecord>& record, Turn&) MR_IN_TURN { return look(*record); });
  return status.code() == StatusCode::kNotFound ? LeaseLost(ref) : status;
}

Result<bool> Leases::AwaitsResult(const LeaseRef& ref, int64_t bytes) {
  bool awaits = false;
  Status status = VisitAttempt(ref, [&](LeaseSlot& slot, Turn& turn) MR_IN_TURN {
    const auto most = static_cast<int64_t>(core_.options().result_bytes_max);
    if (bytes > most) {
      return InvalidArgument("RESULT_TOO_LARGE",
                             "the result has " + std::to_string(bytes) + " bytes, the limit is " +
                                 std::to_string(most) +
                                 " (result_bytes_max of the daemon's configuration); store it elsewhere and return a "
                                 "reference")
          .Field("bytes")
          .With("bytes", bytes)
          .With("limit", most);
    }
    if (core_.TooManyWaitForTheDisk()) {
      return Unavailable("STORE_FAILED",
                         "the result cannot be taken now: the disk fails, and too much waits for it; "
                         "repeat the call");
    }
    awaits = true;
    slot.shown = turn.mono() + TimeToCarry(bytes);
    return OkStatus();
  });
  if (!status.ok()) return status;
  return awaits;
}

Status Leases::EndWith(const LeaseRef& ref, const Bytes& result, const AttemptTimings& timings) {
  return VisitAttempt(ref, [&](LeaseSlot& slot, Turn& turn) MR_IN_TURN {
    LeaseHolder& holder = *slot.holder;
    FinishByWorker(slot, {.outcome = AttemptOutcome::Succeeded({}), .output = result, .timings = timings}, turn);
    // So that it is not called unknown when the worker's next list of what it holds has it still.
    if (!holder.ended && holder.door != nullptr) AckWhenCommitted(holder, ref);
    return OkStatus();
  });
}

}  // namespace millrace::dispatch
