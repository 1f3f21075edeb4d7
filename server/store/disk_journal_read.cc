// What DiskJournal reads: all that lives, at start, and single jobs, whenever somebody asks.
#include <algorithm>
#include <array>
#include <utility>

#include "base/check.h"
#include "runtime/blocking.h"
#include "store/disk_journal.h"

namespace millrace::store {

namespace {

using dispatch::EndedJob;
using dispatch::JobRecord;
using dispatch::SpentRequest;

// What one step of reading holds in memory at most, but for one job more.
constexpr size_t kReadBytes = size_t{4} << 20;
constexpr size_t kReadJobs = 4000;

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

}  // namespace

Status DiskJournal::Load(const std::function<void(JobRecord)>& each) {
  std::string at;
  std::vector<JobRecord> records;
  other_specs_ = 0;
  do {
    records.clear();
    MR_RETURN_IF_ERROR(rt::Blocking([&] { return ReadLive(&at, &records); }));
    for (JobRecord& record : records) each(std::move(record));
  } while (!records.empty());
  return OkStatus();
}

Status DiskJournal::ReadLive(std::string* at, std::vector<JobRecord>* records) {
  constexpr std::array kRead = {Shelf::kLive, Shelf::kSpec, Shelf::kPayload};
  return disk_->Scan(kRead, [&](std::span<Disk::Cursor* const> cursors) -> Status {
    Disk::Cursor* const live = cursors[0];
    Disk::Cursor* const spec = cursors[1];
    Disk::Cursor* const payload = cursors[2];
    size_t bytes = 0;
    spec->Seek(*at);
    for (live->Seek(*at); live->Valid() && records->size() < kReadJobs && bytes < kReadBytes; live->Next()) {
      Result<JobId> id = ReadKey(live);
      if (!id.ok()) return id.status();
      const std::string_view key = live->key();
      for (; spec->Valid() && spec->key() < key; spec->Next()) ++*other_specs_;
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
      bytes += raw.spec.size() + raw.state.size() + (raw.payload ? raw.payload->size() : 0);
      records->push_back(*std::move(record));
      *at = std::string(key) + '\0';  // The least key above.
      spec->Next();
    }
    if (!records->empty()) return OkStatus();
    for (; spec->Valid(); spec->Next()) ++*other_specs_;
    return OkStatus();
  });
}

Status DiskJournal::LoadEnded(const std::function<void(const EndedJob&)>& each) {
  std::string at;
  uint64_t count = 0;
  std::vector<EndedJob> jobs;
  do {
    jobs.clear();
    constexpr std::array kRead = {Shelf::kEnded};
    MR_RETURN_IF_ERROR(rt::Blocking([&] {
      return disk_->Scan(kRead, [&](std::span<Disk::Cursor* const> cursors) -> Status {
        Disk::Cursor* const ended = cursors[0];
        for (ended->Seek(at); ended->Valid() && jobs.size() < kReadJobs; ended->Next()) {
          Result<EndedJob> job = DecodeEnded(ended->key(), ended->value());
          if (!job.ok()) return job.status();
          jobs.push_back(*job);
          at = std::string(ended->key()) + '\0';
        }
        return OkStatus();
      });
    }));
    for (const EndedJob& job : jobs) each(job);
    count += jobs.size();
  } while (!jobs.empty());
  // A shelf that has lost a file is missed here, and nowhere else.
  if (!other_specs_ || *other_specs_ == count) return OkStatus();
  return Internal("STORE_DAMAGED", "the store has " + std::to_string(*other_specs_) + " jobs that are not alive, and " +
                                       std::to_string(count) + " that have ended; restore the folder from a copy");
}

Status DiskJournal::LoadRequests(const std::function<void(SpentRequest)>& each) {
  std::string at;
  std::vector<SpentRequest> requests;
  do {
    requests.clear();
    constexpr std::array kRead = {Shelf::kRequests};
    MR_RETURN_IF_ERROR(rt::Blocking([&] {
      return disk_->Scan(kRead, [&](std::span<Disk::Cursor* const> cursors) -> Status {
        Disk::Cursor* const request = cursors[0];
        for (request->Seek(at); request->Valid() && requests.size() < kReadJobs; request->Next()) {
          Result<SpentRequest> read = DecodeRequest(request->key(), request->value());
          if (!read.ok()) return read.status();
          requests.push_back(*std::move(read));
          at = std::string(request->key()) + '\0';
        }
        return OkStatus();
      });
    }));
    for (SpentRequest& request : requests) each(std::move(request));
  } while (!requests.empty());
  return OkStatus();
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
