#include "store/tools/verify.h"

#include <algorithm>
#include <cstdio>
#include <numeric>
#include <utility>

#include "dispatch/journal.h"
#include "store/record.h"
#include "store/tools/job_walk.h"
#include "store/tools/store_reader.h"

namespace millrace::store {

namespace {

using dispatch::EndedJob;
using dispatch::JobRecord;
using dispatch::SpentRequest;

std::string Hex(std::string_view bytes) {
  constexpr size_t kShown = 32;
  std::string text = "0x";
  for (const char c : bytes.substr(0, kShown)) {
    char digits[3];
    snprintf(digits, sizeof(digits), "%02x", static_cast<unsigned char>(c));
    text += digits;
  }
  return bytes.size() > kShown ? text + "..." : text;
}

void Add(Finding finding, size_t findings_max, VerifyReport* report) {
  ++report->problems[static_cast<size_t>(finding.problem)];
  if (report->first.size() >= findings_max) return;
  // What to do about it is said once, not with each.
  finding.what.resize(std::min(finding.what.size(), finding.what.rfind("; ")));
  report->first.push_back(std::move(finding));
}

// Each job that ended looks up its record on `ended`, and each job with a request id that on `requests`; what these two
// shelves have beyond that belongs to no job, and whether they have is a matter of counting. So a sound store costs one
// look-up of a small record for each, the first almost in the order of its shelf, and no second look at a job. Only
// where the numbers differ is each record asked for its job.
class Verifier {
 public:
  Verifier(const StoreReader& store, size_t findings_max, VerifyReport* report)
      : store_(store), format_1_(store.format() == 1), findings_max_(findings_max), report_(*report) {}

  void Run() {
    report_.folder = store_.folder();
    report_.files = store_.Use().files;
    if (Status files = store_.VerifyFiles(); !files.ok()) FindFile(files);
    JobWalk walk(store_, JobWalk::Large::kRead);
    for (; walk.AtJob(); walk.Next()) Job(walk);
    if (Status status = walk.status(); !status.ok()) CutShort(status);
    int64_t requests = 0, ended = 0;
    Each(Shelf::kRequests, [&](auto key, auto bytes) { requests += Request(key, bytes) ? 1 : 0; });
    Each(Shelf::kEnded, [&](auto key, auto bytes) { ended += Ended(key, bytes) ? 1 : 0; });
    // Where something cannot be read, that a record seems to be of no job means nothing.
    if (format_1_ || report_.cut_short) return;
    if (requests != requests_of_jobs_) Each(Shelf::kRequests, [&](auto key, auto bytes) { StrayRequest(key, bytes); });
    if (ended != ended_of_jobs_) Each(Shelf::kEnded, [&](auto key, auto bytes) { StrayEnded(key, bytes); });
  }

 private:
  template <typename Do>
  void Each(Shelf shelf, Do what) {
    const std::unique_ptr<StoreReader::Cursor> cursor = store_.Read(shelf);
    for (; cursor->AtKey(); cursor->Next()) what(cursor->key(), cursor->value());
    if (Status status = cursor->status(); !status.ok()) CutShort(status);
  }

  // What is wrong with a file is met twice: when all blocks are read, and when the walk comes to it.
  void FindFile(const Status& status) {
    if (std::exchange(file_said_, status.message()) != status.message()) {
      Find(Problem::kFile, "", "", status.message());
    }
  }

  // ---- A job, and what there must be beside it
  void Job(const JobWalk& walk) {
    const std::optional<std::string_view> spec = walk.On(Shelf::kSpec), payload = walk.On(Shelf::kPayload);
    const std::optional<std::string_view> result = walk.On(Shelf::kResult);
    const std::optional<JobId> id = IdOf(walk.key());
    ++report_.jobs;
    if (spec) ++report_.records;
    if (payload) ++report_.records;
    if (result) ++report_.records;
    int states = 0;
    for (const Shelf shelf : {Shelf::kLive, Shelf::kFinished}) {
      const std::optional<std::string_view> state = walk.On(shelf);
      if (!state) continue;
      ++states;
      ++report_.records;
      if (id && spec) State(*id, shelf, {.spec = *spec, .state = *state, .payload = payload}, result);
      if (id && !spec) Find(Problem::kNoSpec, ToString(shelf), id->ToString(), "a state without a spec");
    }
    if (!id) return Find(Problem::kKey, ToString(walk.shelf()), Hex(walk.key()), "a key that is no job id");
    if (!spec && states == 0) {
      const std::string what = ToString(walk.shelf());
      Find(Problem::kNoSpec, what, id->ToString(), "a " + what + " without a spec");
    }
    if (spec && states == 0) Find(Problem::kNoState, "spec", id->ToString(), "a spec without a state");
    // In format 1 it was retried.
    if (states == 2 && !format_1_) Find(Problem::kTwoStates, "live+finished", id->ToString(), "it lives and has ended");
  }

  void State(const JobId& id, Shelf shelf, const JobBytes& bytes, const std::optional<std::string_view>& result) {
    const Result<JobRecord> record = DecodeJob(id, {.spec = bytes.spec, .state = bytes.state});
    if (!record.ok()) {
      return Find(Problem::kRecord, std::string("spec+") + ToString(shelf), id.ToString(), record.status().message());
    }
    Payload(*record, bytes);
    LargeResult(*record, shelf, result);
    const JobState now = record->life.state;
    if (IsTerminal(now) != (shelf == Shelf::kFinished)) {
      return Find(Problem::kWrongShelf, ToString(shelf), id.ToString(),
                  std::string("its state is ") + millrace::ToString(now));
    }
    if (format_1_) return;
    if (IsTerminal(now)) EndedOfJob(*record);
    if (!record->request_id.empty()) RequestOfJob(*record);
  }

  // `record` is what was read without the payload's.
  void Payload(const JobRecord& record, const JobBytes& bytes) {
    const std::string id = record.id.ToString(), size = std::to_string(record.payload_bytes) + " bytes";
    const bool apart = record.payload_bytes > 0 && !record.spec->payload;
    if (apart && !bytes.payload) {
      Find(Problem::kNoPayload, "spec", id, "its payload of " + size + " is not there");
    } else if (!apart && bytes.payload) {
      Find(Problem::kMismatch, "spec+payload", id, "the spec has the payload of " + size + " itself");
    } else if (apart) {
      const Result<JobRecord> whole = DecodeJob(record.id, bytes, dispatch::Journal::Part::kBasic);
      if (!whole.ok()) Find(Problem::kRecord, "spec+payload", id, whole.status().message());
    }
  }

  void LargeResult(const JobRecord& record, Shelf shelf, const std::optional<std::string_view>& result) {
    const std::string id = record.id.ToString(), size = std::to_string(record.result_bytes) + " bytes";
    const bool apart = dispatch::ResultApart(record);
    if (apart && !result) {
      Find(Problem::kNoResult, ToString(shelf), id, "its result of " + size + " is not there");
    } else if (!apart && result) {
      Find(Problem::kMismatch, std::string(ToString(shelf)) + "+result", id,
           "the state has the result of " + size + " itself");
    } else if (apart) {
      const Result<Bytes> whole = DecodeResult(record.id, std::string(*result), record.result_bytes);
      if (!whole.ok()) Find(Problem::kRecord, std::string(ToString(shelf)) + "+result", id, whole.status().message());
    }
  }

  void EndedOfJob(const JobRecord& record) {
    const EndedJob expected = EndedOf(record);
    const std::string key = KeyOfEnded(expected);
    std::optional<std::string> bytes;
    if (!Get(Shelf::kEnded, key, &bytes)) return;
    if (!bytes) return Find(Problem::kNoEnded, "finished", record.id.ToString(), "retention does not know its end");
    const Result<EndedJob> found = DecodeEnded(key, *bytes);
    if (!found.ok()) return;  // Ended tells.
    ++ended_of_jobs_;
    if (*found == expected) return;
    auto print = [](const EndedJob& job) {
      return std::string(millrace::ToString(job.state)) + " with " + std::to_string(job.bytes) + " bytes";
    };
    Find(Problem::kMismatch, "finished+ended", record.id.ToString(), print(expected) + " and " + print(*found));
  }

  // One that lives has a record only if it was retried.
  void RequestOfJob(const JobRecord& record) {
    const bool ended = IsTerminal(record.life.state);
    const std::string id = record.id.ToString();
    std::optional<std::string> bytes;
    if (!Get(Shelf::kRequests, record.request_id, &bytes)) return;
    if (!bytes && ended) Find(Problem::kNoRequest, "finished", id, "its request id would be a new one");
    if (!bytes) return;
    const Result<SpentRequest> found = DecodeRequest(record.request_id, *bytes);
    if (!found.ok()) return;  // Request tells.
    if (found->job == record.id && !found->until) ++requests_of_jobs_;
    std::string differs;
    if (found->job != record.id) {
      differs = "its request id is that of job " + found->job.ToString();
    } else if (found->until) {
      differs = "its request id is that of a job which was forgotten";
    } else if (found->fingerprint && *found->fingerprint != record.fingerprint) {
      differs = "its request id had other content";
    } else if (ended && found->final_state != record.life.state) {
      differs = std::string("its request id says that it is ") + millrace::ToString(found->final_state);
    }
    if (!differs.empty()) Find(Problem::kMismatch, std::string(ended ? "finished" : "live") + "+requests", id, differs);
  }

  // ---- The other shelves. True: a record that must be of a job which is there.
  bool Request(std::string_view request_id, std::string_view bytes) {
    ++report_.records;
    const Result<SpentRequest> request = DecodeRequest(request_id, bytes);
    if (!request.ok() || request->until) ++report_.spent_request_ids;
    if (!request.ok()) Find(Problem::kRecord, "requests", std::string(request_id), request.status().message());
    return request.ok() && !request->until;
  }

  bool Ended(std::string_view key, std::string_view bytes) {
    ++report_.records;
    const Result<EndedJob> job = DecodeEnded(key, bytes);
    if (!job.ok()) Find(Problem::kRecord, "ended", Hex(key), job.status().message());
    return job.ok();
  }

  void StrayRequest(std::string_view request_id, std::string_view bytes) {
    const Result<SpentRequest> request = DecodeRequest(request_id, bytes);
    if (!request.ok() || request->until) return;
    const std::optional<Seen> job = Look(request->job);
    if (!job || (job->there && !job->record)) return;
    if (job->record && job->record->request_id == request_id) return;
    Find(Problem::kNoJob, "requests", std::string(request_id),
         "job " + request->job.ToString() + (job->there ? " has another request id" : " is not there"));
  }

  void StrayEnded(std::string_view key, std::string_view bytes) {
    const Result<EndedJob> ended = DecodeEnded(key, bytes);
    if (!ended.ok()) return;
    const std::optional<Seen> job = Look(ended->id);
    if (!job || (job->there && !job->record)) return;
    std::string what = "it is not there";
    if (job->record) {
      const JobState now = job->record->life.state;
      if (IsTerminal(now) && KeyOfEnded(EndedOf(*job->record)) == key) return;
      what = IsTerminal(now) ? "it ended at another time" : std::string("its state is ") + millrace::ToString(now);
    }
    Find(Problem::kNoJob, "ended", ended->id.ToString(), what);
  }

  struct Seen {
    bool there = false;               // Something of it.
    std::optional<JobRecord> record;  // nullopt: it cannot be read, and Job has told why.
  };
  // nullopt: a file cannot be read.
  std::optional<Seen> Look(const JobId& id) {
    const std::string key = KeyOf(id);
    std::optional<std::string> spec, state;
    if (!Get(Shelf::kSpec, key, &spec) || !Get(Shelf::kLive, key, &state)) return std::nullopt;
    if (!state && !Get(Shelf::kFinished, key, &state)) return std::nullopt;
    Seen seen{.there = spec || state};
    if (!spec || !state) return seen;
    if (Result<JobRecord> record = DecodeJob(id, {.spec = *spec, .state = *state}); record.ok())
      seen.record = *std::move(record);
    return seen;
  }

  // False: a file cannot be read.
  bool Get(Shelf shelf, std::string_view key, std::optional<std::string>* value) {
    Result<std::optional<std::string>> found = store_.Get(shelf, key);
    if (!found.ok()) {
      CutShort(found.status());
      return false;
    }
    *value = *std::move(found);
    return true;
  }

  void CutShort(const Status& status) {
    report_.cut_short = true;
    FindFile(status);
  }

  void Find(Problem problem, std::string shelf, std::string key, std::string what) {
    Add({problem, std::move(shelf), std::move(key), std::move(what)}, findings_max_, &report_);
  }

  const StoreReader& store_;
  const bool format_1_;
  const size_t findings_max_;
  VerifyReport& report_;
  std::string file_said_;
  int64_t requests_of_jobs_ = 0, ended_of_jobs_ = 0;  // That were found.
};

}  // namespace

const char* ToString(Problem problem) {
  constexpr std::array<const char*, kProblems> kNames = {
      "file",     "key",        "record", "no_state",   "no_spec",     "no_payload", "no_result",
      "no_ended", "no_request", "no_job", "two_states", "wrong_shelf", "mismatch"};
  return kNames[static_cast<size_t>(problem)];
}

int64_t VerifyReport::problem_count() const { return std::accumulate(problems.begin(), problems.end(), int64_t{0}); }

Result<VerifyReport> Verify(const std::string& folder, size_t findings_max) {
  VerifyReport report{.folder = folder};
  Result<std::unique_ptr<StoreReader>> store = StoreReader::Open(folder);
  if (store.ok()) {
    Verifier(**store, findings_max, &report).Run();
    return report;
  }
  if (store.status().reason() != "STORE_DAMAGED") return store.status();
  report.cut_short = true;
  Add({Problem::kFile, "", "", store.status().message()}, findings_max, &report);
  return report;
}

}  // namespace millrace::store
