// Records of jobs with every field filled at random, for tests of what remembers them.
#pragma once

#include <random>
#include <string>
#include <utility>

#include "dispatch/journal.h"
#include "store/record.h"

namespace millrace::test {

class RandomRecords {
 public:
  explicit RandomRecords(unsigned seed) : random_(seed) {}

  uint64_t Number() { return random_(); }
  uint64_t Below(uint64_t bound) { return random_() % bound; }
  bool Chance() { return Below(2) == 0; }

  std::string Text(size_t most) {
    std::string text(Below(most + 1), '\0');
    for (char& byte : text) byte = static_cast<char>(random_());
    return text;
  }
  Bytes Blob(size_t most) {
    std::string text = Text(most);
    return text.empty() ? nullptr : MakeBytes(std::move(text));
  }
  WallTime Wall() { return WallTime(Duration()); }
  Nanos Duration() {
    constexpr int64_t kSome[] = {0, 1, -1, INT64_MAX, INT64_MIN, 1'700'000'000'123'456'789};
    return Nanos(Chance() ? kSome[Below(6)] : static_cast<int64_t>(random_()));
  }
  int Int() { return static_cast<int>(random_()); }
  double Double() { return static_cast<double>(random_()) / 3.0; }

  dispatch::JobRecord New() {
    dispatch::JobRecord record;
    record.id = {random_(), random_()};
    record.request_id = Text(20);
    // A short one would come twice, and two jobs cannot have it.
    if (!record.request_id.empty()) record.request_id += record.id.ToString();
    record.created = Wall();
    auto spec = std::make_shared<JobSpec>();
    spec->pool = Text(20);
    spec->kind = Text(20);
    spec->payload = Blob(Chance() ? 400 : 2000);  // In the spec's record, and often not.
    spec->band = static_cast<Band>(Below(kBands));
    if (Chance()) spec->delay = Duration();
    if (Chance()) spec->run_at = Wall();
    if (Chance()) spec->run_timeout = Duration();
    if (Chance()) spec->deadline = Wall();
    if (Chance()) spec->retry.max_attempts = Int();
    if (Chance()) spec->retry.initial_backoff = Duration();
    if (Chance()) spec->retry.max_backoff = Duration();
    if (Chance()) spec->retry.multiplier = Double();
    spec->no_retry_after_start = Chance();
    for (uint64_t i = Below(4); i > 0; --i) spec->labels.emplace(Text(8), Text(8));
    if (Chance()) {
      spec->unique_key = UniqueKey{Text(20), static_cast<UniqueScope>(Below(2)), static_cast<OnTaken>(Below(2))};
    }
    if (Chance()) spec->trace = Trace({.traceparent = Text(60), .tracestate = Text(20), .baggage = Text(20)});
    if (Below(4) == 0) spec->placement = {.require = {{Text(5), Text(5)}}, .prefer = {{Text(5), Text(5)}}};
    record.payload_bytes = static_cast<int64_t>(PayloadOf(*spec).size());
    if (!record.request_id.empty()) record.fingerprint = random_();
    record.spec = std::move(spec);
    Live(&record);
    return record;
  }

  // Another state of the same job, unfinished.
  void Live(dispatch::JobRecord* record) { Fill(record, static_cast<JobState>(Below(4))); }
  void Ended(dispatch::JobRecord* record) {
    Fill(record, static_cast<JobState>(4 + Below(kJobStates - 4)));
    record->finished = Wall();
    SetResult(Blob(300), record);
    record->log_tail = Blob(300);
    record->log_bytes = static_cast<int64_t>(Below(100'000));
    if (Chance()) record->progress = Progress{Double(), Text(20), Wall()};
  }

 private:
  void Fill(dispatch::JobRecord* record, JobState state) {
    record->life.state = state;
    record->life.claim = {static_cast<int>(Below(30)), random_()};
    record->due = Chance() ? std::optional(Wall()) : std::nullopt;
    record->finished.reset();
    record->attempts = static_cast<int>(Below(30));
    record->losses = static_cast<int>(Below(3));
    record->cancel_requested = Chance();
    record->deadline_waived = Chance();
    record->error = Text(40);
    SetResult(nullptr, record);
    record->log_tail = nullptr;
    record->checkpoint = Below(4) == 0 ? Blob(200) : nullptr;
    record->progress.reset();
    record->log_bytes = 0;
    record->history.clear();
    for (uint64_t i = Below(kAttemptsKept + 1); i > 0; --i) {
      Attempt& attempt = record->history.emplace_back();
      attempt.number = Int();
      attempt.start = Wall();
      if (Chance()) attempt.end = Wall();
      attempt.worker = Text(10);
      attempt.result = static_cast<AttemptResult>(Below(7));
      attempt.error = Text(30);
      attempt.exit_code = Int();
      attempt.timings = {Duration(), Duration(), Duration(), Duration(), Duration(), Duration()};
    }
  }

  std::mt19937_64 random_;
};

// Everything of the record as bytes: equal exactly when the records are.
inline std::string Print(const dispatch::JobRecord& record) {
  const store::SpecPart spec = store::SpecOf(record);
  return store::KeyOf(record.id) + store::EncodeSpec(record.id, spec) + store::EncodePayload(record.id, spec) +
         store::EncodeState(record.id, store::PrepareState(record));
}

}  // namespace millrace::test
