// What a job is: plain values, no fibers, no clock of its own. proto/millrace/v1/job.proto says the same to clients.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/id.h"
#include "job/labels.h"
#include "job/trace_context.h"

namespace millrace {

using JobId = Id;

enum class JobState : uint8_t {
  kScheduled,
  kBlocked,
  kQueued,
  kRunning,
  kSucceeded,
  kFailed,
  kCancelled,
  kExpired,
  kQuarantined
};
inline constexpr int kJobStates = 9;

enum class Band : uint8_t { kCritical, kHigh, kNormal, kLow };
inline constexpr int kBands = 4;

enum class AttemptResult : uint8_t { kRunning, kSucceeded, kFailed, kTimedOut, kCancelled, kLost, kReleased };

// What an acknowledgement is worth; named in every reply.
enum class Durability : uint8_t { kNone, kInterval, kFsync };

// Upper-case names as in the proto ("QUEUED", "CRITICAL", "TIMED_OUT", "FSYNC"); lower-case forms for metric labels.
const char* ToString(JobState state);
const char* ToString(Band band);
const char* ToString(AttemptResult result);
const char* ToString(Durability durability);
const char* Label(Band band);
const char* Label(JobState state);
const char* Label(AttemptResult result);
std::optional<JobState> ParseJobState(std::string_view name);  // Any case.
std::optional<Band> ParseBand(std::string_view name);
bool IsTerminal(JobState state);

// Bytes that are shared between the job, its runner and those who look at it, and never change.
using Bytes = std::shared_ptr<const std::string>;
inline Bytes MakeBytes(std::string bytes) { return std::make_shared<const std::string>(std::move(bytes)); }

// How a failed attempt is followed by another. Unset fields take the kind's setting, then the default.
struct RetryOverrides {
  std::optional<int> max_attempts;
  std::optional<Nanos> initial_backoff;
  std::optional<Nanos> max_backoff;
  std::optional<double> multiplier;
  bool operator==(const RetryOverrides&) const = default;
};

// While it is in scope, no second job of its pool and kind has the key (dispatch/unique_keys.h).
enum class UniqueScope : uint8_t { kWhileQueued, kWhileUnfinished };  // Until it starts; until it has ended.
enum class OnTaken : uint8_t { kReturnExisting, kReject };            // What a submit wants when the key is taken.

struct UniqueKey {
  std::string key;
  UniqueScope scope = UniqueScope::kWhileUnfinished;
  OnTaken on_taken = OnTaken::kReturnExisting;
  bool operator==(const UniqueKey&) const = default;
};

// Which workers in other processes may run it, by their labels.
struct Placement {
  LabelSet require;  // All of them.
  LabelSet prefer;   // Whoever has these gets it before others.
  bool empty() const { return require.empty() && prefer.empty(); }
  bool operator==(const Placement&) const = default;
};

// A field that is added here is added to the list in job/spec_fields.h as well, or nothing compiles.
struct JobSpec {
  std::string pool;  // Empty: decided by the kind.
  std::string kind;
  Bytes payload;  // nullptr: empty.
  Band band = Band::kNormal;
  std::optional<Nanos> delay;
  std::optional<WallTime> run_at;
  std::optional<Nanos> run_timeout;
  std::optional<WallTime> deadline;
  std::optional<Nanos>
      deadline_after;  // Of a submit only: admission makes it `deadline`, and no job that is kept has it.
  RetryOverrides retry;
  bool no_retry_after_start = false;
  LabelSet labels;
  std::optional<UniqueKey> unique_key;
  Trace trace;
  Placement placement;
};

inline std::string_view PayloadOf(const JobSpec& spec) {
  return spec.payload ? std::string_view(*spec.payload) : std::string_view();
}

// Where the time of an attempt went; run = cpu + runnable + blocked_inside + blocked_outside.
struct AttemptTimings {
  Nanos queued{0};
  Nanos run{0};
  Nanos cpu{0};
  Nanos runnable{0};         // Waiting for a processor: lost.
  Nanos blocked_inside{0};   // On locks and channels of the runtime: lost.
  Nanos blocked_outside{0};  // On I/O, timers, a child: useful.
};

struct Attempt {
  int number = 0;  // From 1.
  WallTime start{};
  std::optional<WallTime> end;
  std::string worker;
  AttemptResult result = AttemptResult::kRunning;
  std::string error;
  int exit_code = 0;
  AttemptTimings timings;
};

struct Progress {
  double fraction = 0;
  std::string message;
  WallTime updated{};
};

// Why a job does not run now: the first that applies.
struct Waiting {
  enum class Reason : uint8_t {
    kTime,      // Its delay or run_at.
    kRetry,     // The pause before its next attempt.
    kLimit,     // A limit, or another job.
    kShutdown,  // The daemon ends.
    kPool,      // Its pool is paused, or not configured any more.
    kDisk,      // Its record is being read, or cannot be.
    kNoWorker,  // Nobody offers its kind, or its pool has no workers.
    kNoLabels,  // None of them has the labels that it requires.
    kNoSlot,    // All that could run it are busy.
    kQueue,     // Others are before it.
  };
  Reason reason = Reason::kQueue;
  std::string message;     // For a person.
  int64_t jobs_ahead = 0;  // In its queue: of better bands, and of its own those that came before it.
};

// A consistent copy of a job for those who look at it.
struct JobSnapshot {
  JobId id;
  std::shared_ptr<const JobSpec> spec;
  JobState state = JobState::kQueued;
  WallTime created{};
  std::optional<WallTime> due;
  std::optional<WallTime> finished;
  int attempts = 0;
  int losses = 0;
  std::vector<Attempt> history;  // The newest kAttemptsKept; empty in a basic view.
  std::optional<Progress> progress;
  Bytes result;  // nullptr in a basic view, and where it has more than kResultBytesMax (Dispatcher::ReadResult).
  std::string error;
  std::string log_tail;   // Empty in a basic view.
  int64_t log_bytes = 0;  // Ever written; log_tail holds the newest kLogTailBytes of them.
  bool cancel_requested = false;
  int64_t payload_bytes = 0;  // Also where `spec` is without it.
  int64_t result_bytes = 0;   // Also where `result` is left out.
  int64_t checkpoint_bytes = 0;
  std::optional<Waiting> waiting;  // Where it was asked for, and the job waits.
};

inline constexpr int kAttemptsKept = 10;
inline constexpr size_t kErrorBytesMax = size_t{4} << 10;            // Of an attempt; the rest is cut off.
inline constexpr size_t kProgressMessageBytesMax = size_t{1} << 10;  // As well.
inline constexpr size_t kLogTailBytes = size_t{64} << 10;
inline constexpr size_t kResultBytesMax = size_t{1} << 20;  // In one piece; a worker may write a larger one (leases.h).
inline constexpr size_t kCheckpointBytesMax = size_t{64} << 10;

}  // namespace millrace
