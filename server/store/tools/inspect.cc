#include "store/tools/inspect.h"

#include <numeric>
#include <utility>

#include "dispatch/journal.h"
#include "store/record.h"
#include "store/tools/job_walk.h"

namespace millrace::store {

namespace {

void Count(const dispatch::JobRecord& record, Inspection* seen) {
  ++seen->jobs[static_cast<size_t>(record.life.state)];
  if (!record.request_id.empty()) ++seen->request_ids;
  if (record.life.state != JobState::kQueued) return;
  if (seen->oldest && seen->oldest->created <= record.created) return;
  seen->oldest = {record.id, record.spec->pool, record.spec->kind, record.created};
}

}  // namespace

int64_t Inspection::job_count() const { return std::accumulate(jobs.begin(), jobs.end(), unreadable); }

Inspection Inspect(const StoreReader& store) {
  Inspection seen{.folder = store.folder(), .format = store.format(), .disk = store.Use(), .shelves = store.Shelves()};
  JobWalk walk(store, JobWalk::Large::kLeaveOut);
  for (; walk.AtJob(); walk.Next()) {
    const std::optional<JobId> id = IdOf(walk.key());
    const std::optional<std::string_view> spec = walk.On(Shelf::kSpec), state = walk.state();
    if (id && spec && state) {
      const Result<dispatch::JobRecord> record =
          DecodeJob(*id, {.spec = *spec, .state = *state}, dispatch::Journal::Part::kBasic);
      if (record.ok()) {
        Count(*record, &seen);
        continue;
      }
    }
    ++seen.unreadable;
  }
  seen.cut_short = walk.status();
  const std::unique_ptr<StoreReader::Cursor> requests = store.Read(Shelf::kRequests);
  for (; requests->AtKey(); requests->Next()) {
    // Those without an end belong to jobs that are there, and were counted with them.
    const Result<dispatch::SpentRequest> request = DecodeRequest(requests->key(), requests->value());
    if (!request.ok() || request->until) ++seen.spent_request_ids;
  }
  if (!requests->status().ok()) seen.cut_short = requests->status();
  return seen;
}

Result<JobSnapshot> ReadJob(const StoreReader& store, const JobId& id) {
  const std::string key = KeyOf(id);
  Result<std::optional<std::string>> spec = store.Get(Shelf::kSpec, key);
  if (!spec.ok()) return spec.status();
  Result<std::optional<std::string>> state = store.Get(Shelf::kLive, key);
  if (state.ok() && !*state) state = store.Get(Shelf::kFinished, key);
  if (!state.ok()) return state.status();
  if (!*spec && !*state) {
    return NotFound("JOB_NOT_FOUND", "job " + id.ToString() + " is not in the store in " + store.folder());
  }
  Result<std::optional<std::string>> payload = store.Get(Shelf::kPayload, key);
  if (!payload.ok()) return payload.status();
  // Half a job does not check out either, so DecodeJob says what is wrong.
  JobBytes bytes{.spec = *spec ? std::string_view(**spec) : "", .state = *state ? std::string_view(**state) : ""};
  if (*payload) bytes.payload = **payload;
  Result<dispatch::JobRecord> record = DecodeJob(id, bytes);
  if (!record.ok()) return record.status();
  if (record->payload_bytes > 0 && !record->spec->payload) {
    return Internal("STORE_DAMAGED", "job " + id.ToString() + " has no payload in the store in " + store.folder() +
                                         "; restore the folder from a copy");
  }
  JobSnapshot job = SnapshotOf(*record, /*full=*/true);
  if (!dispatch::ResultApart(*record)) return job;
  Result<std::optional<std::string>> apart = store.Get(Shelf::kResult, key);
  if (!apart.ok()) return apart.status();
  if (!*apart) {
    return Internal("STORE_DAMAGED", "job " + id.ToString() + " has no result in the store in " + store.folder() +
                                         "; restore the folder from a copy");
  }
  Result<Bytes> result = DecodeResult(id, **std::move(apart), record->result_bytes);
  if (!result.ok()) return result.status();
  job.result = *std::move(result);
  return job;
}

}  // namespace millrace::store
