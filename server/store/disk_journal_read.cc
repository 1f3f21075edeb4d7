// What DiskJournal reads: all that lives, at start, and single jobs, whenever somebody asks.
#include <algorithm>
#include <array>
#include <utility>

#include "base/check.h"
#include "runtime/blocking.h"
#include "store/disk_journal.h"
#include "store/paged_scan.h"

namespace millrace::store {

namespace {

using dispatch::EndedJob;
using dispatch::JobRecord;
using dispatch::SpentRequest;

Status Damaged(const JobId& id, const char* what) {
  return Internal("STORE_DAMAGED", "job " + id.ToString() + " has no " + what +
                                       " in the store; restore the folder from a copy, or move it away to begin with "
                                       "none");
}

// Specs of jobs in key order: some that are not asked for lie between, and sometimes very many.
bool MoveOn(Disk::Cursor* cursor, std::string_view key) {
  constexpr int kSteps = 4;
  for (int i = 0; i < kSteps && cursor->Valid() && cursor->key() < key; ++i) cursor->Next();
  if (!cursor->Valid() || cursor->key() != key) cursor->Seek(key);
  return cursor->Valid() && cursor->key() == key;
}

Result<JobId> ReadKey(const Disk::Cursor* cursor) {
  if (std::optional<JobId> id = IdOf(cursor->key())) return *id;
  return Internal("STORE_DAMAGED", "a key of the store is no job id; restore the folder from a copy");
}

// Everything on a shelf, in key order.
template <typename Value, typename Decode, typename Each>
Status ReadAll(Disk& disk, Shelf shelf, Decode decode, const Each& each) {
  for (PagedScan scan(disk, {shelf}); !scan.AtEnd();) {
    std::vector<Value> values;
    MR_RETURN_IF_ERROR(rt::Blocking([&] {
      return scan.ReadPage([&](std::span<Disk::Cursor* const> cursors) -> Result<size_t> {
        Result<Value> value = decode(cursors[0]->key(), cursors[0]->value());
        if (!value.ok()) return value.status();
        values.push_back(*std::move(value));
        return size_t{0};
      });
    }));
    for (Value& value : values) each(std::move(value));
  }
  return OkStatus();
}

}  // namespace

Status DiskJournal::Load(const std::function<void(JobRecord)>& each) {
  uint64_t others = 0;
  PagedScan jobs(*disk_, {Shelf::kLive, Shelf::kSpec, Shelf::kPayload});
  while (!jobs.AtEnd()) {
    std::vector<JobRecord> records;
    MR_RETURN_IF_ERROR(rt::Blocking([&] { return ReadLive(&jobs, &records, &others); }));
    for (JobRecord& record : records) each(std::move(record));
  }
  // Specs behind the last job that lives.
  PagedScan rest(*disk_, {Shelf::kSpec}, {}, jobs.from());
  while (!rest.AtEnd()) {
    MR_RETURN_IF_ERROR(rt::Blocking([&] {
      return rest.ReadPage([&](auto) -> Result<size_t> {
        ++others;
        return size_t{0};
      });
    }));
  }
  other_specs_ = others;
  return OkStatus();
}

Status DiskJournal::ReadLive(PagedScan* scan, std::vector<JobRecord>* records, uint64_t* others) {
  bool began = false;
  return scan->ReadPage([&](std::span<Disk::Cursor* const> cursors) -> Result<size_t> {
    const auto [live, spec, payload] = std::array{cursors[0], cursors[1], cursors[2]};
    Result<JobId> id = ReadKey(live);
    if (!id.ok()) return id.status();
    const std::string_view key = live->key();
    if (!std::exchange(began, true)) spec->Seek(scan->from());
    for (; spec->Valid() && spec->key() < key; spec->Next()) ++*others;
    if (!spec->Valid() || spec->key() != key) return Damaged(*id, "spec");
    JobBytes raw{.spec = spec->value(), .state = live->value()};
    Result<JobRecord> record = DecodeJob(*id, raw);
    if (!record.ok()) return record.status();
    // One that was running goes on right away, and needs it all.
    if (record->life.state == JobState::kRunning && record->payload_bytes > 0 && !record->spec->payload) {
      if (!MoveOn(payload, key)) return Damaged(*id, "payload");
      raw.payload = payload->value();
      record = DecodeJob(*id, raw);
      if (!record.ok()) return record.status();
    }
    records->push_back(*std::move(record));
    const size_t bytes = raw.spec.size() + raw.state.size() + (raw.payload ? raw.payload->size() : 0);
    spec->Next();
    return bytes;
  });
}

Status DiskJournal::LoadEnded(const std::function<void(const EndedJob&)>& each) {
  uint64_t count = 0;
  MR_RETURN_IF_ERROR(ReadAll<EndedJob>(*disk_, Shelf::kEnded, DecodeEnded, [&](const EndedJob& job) {
    each(job);
    ++count;
  }));
  // A shelf that has lost a file is missed here, and nowhere else.
  if (!other_specs_ || *other_specs_ == count) return OkStatus();
  return Internal("STORE_DAMAGED", "the store has " + std::to_string(*other_specs_) + " jobs that are not alive, and " +
                                       std::to_string(count) + " that have ended; restore the folder from a copy");
}

Status DiskJournal::LoadRequests(const std::function<void(SpentRequest)>& each) {
  return ReadAll<SpentRequest>(*disk_, Shelf::kRequests, DecodeRequest, each);
}

Result<std::shared_ptr<const JobRecord>> DiskJournal::Read(const JobId& id, Part part) {
  Result<std::shared_ptr<const JobRecord>> record = rt::Blocking([&] { return ReadNow(id, part); });
  if (!record.ok() && record.status().code() != StatusCode::kNotFound) {
    read_errors_.fetch_add(1, std::memory_order_relaxed);
  }
  return record;
}

Result<std::shared_ptr<const JobRecord>> DiskJournal::ReadNow(const JobId& id, Part part) {
  const std::string key = KeyOf(id);
  const std::array<Disk::Place, 4> places = {
      {{Shelf::kSpec, key}, {Shelf::kLive, key}, {Shelf::kFinished, key}, {Shelf::kPayload, key}}};
  const size_t count = part == Part::kWhole ? 4 : 3;
  auto read = disk_->Read(std::span(places).first(count));
  if (!read.ok()) return read.status();
  const std::optional<std::string>&spec = (*read)[0], &state = (*read)[1] ? (*read)[1] : (*read)[2];
  if (!state) return NotFound("JOB_UNKNOWN", "the store has no job " + id.ToString());
  if (!spec) return Damaged(id, "spec");
  JobBytes raw{.spec = *spec, .state = *state};
  if (count == 4 && (*read)[3]) raw.payload = *(*read)[3];
  Result<JobRecord> record = DecodeJob(id, raw, part);
  if (!record.ok()) return record.status();
  if (part == Part::kWhole && record->payload_bytes > 0 && !record->spec->payload) return Damaged(id, "payload");
  return std::make_shared<const JobRecord>(*std::move(record));
}

Result<Bytes> DiskJournal::ReadResult(const JobId& id) {
  Result<Bytes> result = rt::Blocking([&] { return ReadResultNow(id); });
  if (!result.ok() && result.status().code() != StatusCode::kNotFound) {
    read_errors_.fetch_add(1, std::memory_order_relaxed);
  }
  return result;
}

Result<Bytes> DiskJournal::ReadResultNow(const JobId& id) {
  const std::string key = KeyOf(id);
  // All three of the same moment, as a job may be forgotten meanwhile.
  const std::array<Disk::Place, 3> places = {{{Shelf::kSpec, key}, {Shelf::kFinished, key}, {Shelf::kResult, key}}};
  auto read = disk_->Read(places);
  if (!read.ok()) return read.status();
  std::optional<std::string>&spec = (*read)[0], &state = (*read)[1], &result = (*read)[2];
  if (!state) return NotFound("JOB_UNKNOWN", "the store has no job " + id.ToString() + " that has ended");
  if (!spec) return Damaged(id, "spec");
  Result<JobRecord> record = DecodeJob(id, {.spec = *spec, .state = *state});
  if (!record.ok()) return record.status();
  if (!dispatch::ResultApart(*record)) return record->result;
  if (!result) return Damaged(id, "result");
  return DecodeResult(id, *std::move(result), record->result_bytes);
}

Result<std::vector<std::shared_ptr<const JobRecord>>> DiskJournal::ReadEnded(const Range& range) {
  std::vector<std::shared_ptr<const JobRecord>> records;
  Status status = rt::Blocking([&] { return ReadRange(range, &records); });
  if (status.ok()) return records;
  read_errors_.fetch_add(1, std::memory_order_relaxed);
  return status;
}

Status DiskJournal::ReadRange(const Range& range, std::vector<std::shared_ptr<const JobRecord>>* records) {
  constexpr std::array kRead = {Shelf::kFinished, Shelf::kSpec};
  const bool backwards = range.last < range.after;
  const std::string after = KeyOf(range.after), last = KeyOf(range.last);
  return disk_->Scan(kRead, [&](std::span<Disk::Cursor* const> cursors) -> Status {
    Disk::Cursor* const finished = cursors[0];
    Disk::Cursor* const spec = cursors[1];
    backwards ? finished->SeekBack(after) : finished->Seek(after);
    for (; finished->Valid() && records->size() < range.limit; backwards ? finished->Previous() : finished->Next()) {
      const std::string_view key = finished->key();
      if (key == after) continue;
      if (backwards ? key < last : last < key) break;
      Result<JobId> id = ReadKey(finished);
      if (!id.ok()) return id.status();
      if (backwards) spec->Seek(key);
      if (!MoveOn(spec, key)) return Damaged(*id, "spec");
      Result<JobRecord> record = DecodeJob(*id, {.spec = spec->value(), .state = finished->value()}, Part::kBasic);
      if (!record.ok()) return record.status();
      records->push_back(std::make_shared<const JobRecord>(*std::move(record)));
    }
    return OkStatus();
  });
}

}  // namespace millrace::store
