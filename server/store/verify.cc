#include "store/verify.h"

#include <algorithm>
#include <cstdio>
#include <numeric>
#include <utility>

#include "dispatch/journal.h"
#include "store/job_walk.h"
#include "store/record.h"
#include "store/store_reader.h"

namespace millrace::store {

namespace {

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

class Verifier {
 public:
  Verifier(const StoreReader& store, size_t findings_max, VerifyReport* report)
      : store_(store), findings_max_(findings_max), report_(*report) {}

  void Run() {
    report_.folder = store_.folder();
    report_.files = store_.Use().files;
    if (Status files = store_.VerifyFiles(); !files.ok()) FindFile(files);
    JobWalk walk(store_);
    for (; walk.AtJob(); walk.Next()) Job(walk);
    if (Status status = walk.status(); !status.ok()) CutShort(status);
    const std::unique_ptr<StoreReader::Cursor> requests = store_.Read(Shelf::kRequests);
    for (; requests->AtKey(); requests->Next()) Request(requests->key(), requests->value());
    if (Status status = requests->status(); !status.ok()) CutShort(status);
    const std::unique_ptr<StoreReader::Cursor> ended = store_.Read(Shelf::kEnded);
    for (; ended->AtKey(); ended->Next()) Ended(ended->key(), ended->value());
    if (Status status = ended->status(); !status.ok()) CutShort(status);
  }

 private:
  // What is wrong with a file is met twice: when all blocks are read, and when the walk comes to it.
  void FindFile(const Status& status) {
    if (std::exchange(file_said_, status.message()) != status.message()) {
      Find(Problem::kFile, "", "", status.message());
    }
  }

  void Job(const JobWalk& walk) {
    ++report_.jobs;
    const std::optional<std::string_view> spec = walk.On(Shelf::kSpec);
    const std::optional<JobId> id = IdOf(walk.key());
    if (spec) ++report_.records;
    bool has_state = false;
    for (const Shelf shelf : {Shelf::kLive, Shelf::kFinished}) {
      const std::optional<std::string_view> state = walk.On(shelf);
      if (!state) continue;
      has_state = true;
      ++report_.records;
      if (id && spec) State(*id, shelf, *spec, *state);
      if (id && !spec) Find(Problem::kNoSpec, ToString(shelf), id->ToString(), "a state without a spec");
    }
    if (!id) return Find(Problem::kKey, ToString(walk.shelf()), Hex(walk.key()), "a key that is no job id");
    if (!has_state) Find(Problem::kNoState, ToString(Shelf::kSpec), id->ToString(), "a spec without a state");
  }

  void State(const JobId& id, Shelf shelf, std::string_view spec, std::string_view state) {
    const Result<dispatch::JobRecord> record = DecodeJob(id, {.spec = spec, .state = state});
    if (!record.ok()) {
      return Find(Problem::kRecord, std::string(ToString(Shelf::kSpec)) + "+" + ToString(shelf), id.ToString(),
                  record.status().message());
    }
    const JobState now = record->life.state;
    if (IsTerminal(now) == (shelf == Shelf::kFinished)) return;
    Find(Problem::kWrongShelf, ToString(shelf), id.ToString(), std::string("its state is ") + millrace::ToString(now));
  }

  void Request(std::string_view request_id, std::string_view bytes) {
    ++report_.records;
    const Result<dispatch::SpentRequest> request = DecodeRequest(request_id, bytes);
    // Those without an end belong to jobs that are there.
    if (!request.ok() || request->until) ++report_.spent_request_ids;
    if (request.ok()) return;
    Find(Problem::kRecord, ToString(Shelf::kRequests), std::string(request_id), request.status().message());
  }

  void Ended(std::string_view key, std::string_view bytes) {
    ++report_.records;
    const Result<dispatch::EndedJob> job = DecodeEnded(key, bytes);
    if (!job.ok()) Find(Problem::kRecord, ToString(Shelf::kEnded), Hex(key), job.status().message());
  }

  void CutShort(const Status& status) {
    report_.cut_short = true;
    FindFile(status);
  }

  void Find(Problem problem, std::string shelf, std::string key, std::string what) {
    Add({problem, std::move(shelf), std::move(key), std::move(what)}, findings_max_, &report_);
  }

  const StoreReader& store_;
  const size_t findings_max_;
  VerifyReport& report_;
  std::string file_said_;
};

}  // namespace

const char* ToString(Problem problem) {
  switch (problem) {
    case Problem::kFile:
      return "file";
    case Problem::kKey:
      return "key";
    case Problem::kRecord:
      return "record";
    case Problem::kNoState:
      return "no_state";
    case Problem::kNoSpec:
      return "no_spec";
    case Problem::kWrongShelf:
      return "wrong_shelf";
  }
  return "";
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
