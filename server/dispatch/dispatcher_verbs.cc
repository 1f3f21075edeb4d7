// Cancel, Retry and Delete: what they do they do at once, and the journal is waited for by the answer alone.
#include <memory>
#include <utility>
#include <vector>

#include "base/check.h"
#include "dispatch/core.h"
#include "dispatch/dispatcher.h"
#include "dispatch/listing.h"
#include "dispatch/visit.h"

namespace millrace::dispatch {

namespace {

// How many jobs a bulk call finds at a time.
constexpr size_t kBulkStep = 256;

// `after`: the job as the verb leaves it; nullptr: nobody wants to know.
Status CancelNow(Core& core, const JobId& id, const std::string& reason, JobSnapshot* after) {
  return Visit(
      core, id, Journal::Part::kBasic,
      [&](JobEntry& job, Turn& turn) MR_IN_TURN {
        MR_RETURN_IF_ERROR(core.Cancel(job, reason, turn));
        // One that has ended: not as clients see it until that is committed.
        if (after != nullptr) {
          *after =
              IsTerminal(job.state()) ? SnapshotOf(job.record(), /*full=*/true) : SnapshotOf(*job.hot, /*full=*/true);
        }
        return OkStatus();
      },
      [&](const std::shared_ptr<const JobRecord>& record, Turn&) MR_IN_TURN { return Core::CancelEnded(*record); });
}

Status RetryNow(Core& core, const JobId& id, JobSnapshot* after) {
  auto retry = [&](auto& job, Turn& turn) MR_IN_TURN {
    std::shared_ptr<HotJob> hot;
    MR_RETURN_IF_ERROR(core.Retry(job, &hot, turn));
    if (after != nullptr) *after = SnapshotOf(*hot, /*full=*/true);
    return OkStatus();
  };
  return Visit(
      core, id, Journal::Part::kWhole, [&](JobEntry& job, Turn& turn) MR_IN_TURN { return retry(job, turn); },
      [&](const std::shared_ptr<const JobRecord>& record, Turn& turn) MR_IN_TURN { return retry(*record, turn); });
}

Status DeleteNow(Core& core, const JobId& id) {
  return Visit(
      core, id, Journal::Part::kBasic,
      [](const JobEntry& job, Turn&) MR_IN_TURN { return Core::DeleteUnfinished(job); },
      [&](const std::shared_ptr<const JobRecord>& record, Turn& turn)
          MR_IN_TURN { return core.Delete(*record, turn); });
}

Result<std::vector<JobId>> FindAll(Core& core, const Filter& filter, const VerbCall& call) {
  std::vector<JobId> matching;
  const ListQuery query{.filter = filter, .gone = [&call] { return call.Gone(); }};
  Listing listing(core, query);
  for (;;) {
    Result<std::vector<Listing::Found>> found = listing.Next(kBulkStep);
    if (!found.ok()) return found.status();
    if (found->empty()) return matching;
    for (const Listing::Found& each : *found) matching.push_back(each.id);
  }
}

// The verb does not apply to the job, or found nothing to do.
bool IsSkipped(const Status& status) {
  return status.ok() || status.code() == StatusCode::kNotFound || status.reason() == "WRONG_STATE";
}

// Does it say something of a job that might not be so any more after a loss of power? Not where the job could not be
// read, or the verb was refused for want of room.
bool TellsOfAJob(const Status& status) {
  return status.ok() || status.code() == StatusCode::kFailedPrecondition || status.code() == StatusCode::kNotFound;
}

}  // namespace

void Dispatcher::Settle(VerbCall* call, Status status) {
  call->status = std::move(status);
  if (!TellsOfAJob(call->status)) return call->Done();
  Turn turn(*core_);
  call->commit_ = core_->commits.AfterAll<&Dispatcher::VerbCommitted>(*call);
}

void Dispatcher::VerbCommitted(Core&, VerbCall& call, uint64_t, const Status& status, Turn& turn) {
  call.commit_ = nullptr;
  if (!status.ok()) call.status = status;
  turn.Answer(&call);
}

bool Dispatcher::Abandon(VerbCall* call) {
  Turn turn(*core_);
  if (call->commit_ == nullptr) return false;
  Commits::Leave(*std::exchange(call->commit_, nullptr), call);
  return true;
}

void Dispatcher::Cancel(const JobId& id, const std::string& reason, VerbCall* call) {
  Settle(call, CancelNow(*core_, id, reason, &call->job));
}

void Dispatcher::Retry(const JobId& id, VerbCall* call) { Settle(call, RetryNow(*core_, id, &call->job)); }

void Dispatcher::Delete(const JobId& id, VerbCall* call) { Settle(call, DeleteNow(*core_, id)); }

void Dispatcher::WriteResult(const LeaseRef& ref, const Bytes& result, const AttemptTimings& timings, VerbCall* call) {
  Settle(call, core_->leases.EndWith(ref, result, timings));
}

void Dispatcher::AwaitEnd(VerbCall* call) { Settle(call, OkStatus()); }

template <typename Verb>
void Dispatcher::DoAll(const Filter& filter, bool count_only, VerbCall* call, Verb verb) {
  // First who, then what: the verb changes states, and with them who matches.
  const Result<std::vector<JobId>> matching = FindAll(*core_, filter, *call);
  call->status = matching.status();
  if (matching.ok()) call->bulk.matched = static_cast<int64_t>(matching->size());
  if (!matching.ok() || count_only) return call->Done();
  for (const JobId& id : *matching) {
    if (call->Gone()) return Settle(call, GoneStatus());
    Status status = verb(id);
    if (status.ok()) ++call->bulk.changed;
    if (status.code() == StatusCode::kInternal) return Settle(call, std::move(status));
    if (call->bulk.first_error.ok() && !IsSkipped(status)) call->bulk.first_error = std::move(status);
  }
  Settle(call, OkStatus());
}

void Dispatcher::CancelAll(const Filter& filter, const std::string& reason, bool count_only, VerbCall* call) {
  DoAll(filter, count_only, call, [&](const JobId& id) { return CancelNow(*core_, id, reason, nullptr); });
}

void Dispatcher::RetryAll(const Filter& filter, bool count_only, VerbCall* call) {
  DoAll(filter, count_only, call, [&](const JobId& id) { return RetryNow(*core_, id, nullptr); });
}

void Dispatcher::DeleteAll(const Filter& filter, bool count_only, VerbCall* call) {
  DoAll(filter, count_only, call, [&](const JobId& id) { return DeleteNow(*core_, id); });
}

}  // namespace millrace::dispatch
