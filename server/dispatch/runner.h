// What dispatch asks of those who run jobs. runners/ implements it: native, exec, remote, and later http.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "job/job.h"
#include "job/retry.h"
#include "sync/cancel.h"

namespace millrace::dispatch {

// One attempt, as its runner sees it. Lives until Run returns.
class AttemptContext {
 public:
  virtual ~AttemptContext() = default;

  virtual const JobId& id() const = 0;
  virtual const JobSpec& spec() const = 0;
  virtual int attempt() const = 0;  // From 1.

  // Cancelled when the client cancels the job, its run_timeout or deadline passes, or the daemon gives up waiting while
  // it drains. A runner should stop soon after; what it then returns is overruled by why it was cancelled.
  virtual const sync::CancelToken& cancel() const = 0;

  // From the running fiber or any other thread or fiber while Run has not returned. Cheap enough to call often:
  // watchers see the newest value, not every value.
  virtual void SetProgress(double fraction, std::string message) = 0;
  // Appends to the job's log, of which the newest kLogTailBytes are kept.
  virtual void Log(std::string_view bytes) = 0;

  // The newest checkpoint that an earlier attempt of the job saved; nullptr: there is none.
  virtual Bytes checkpoint() const = 0;
  // The job's next attempt gets it, whatever becomes of this one; it replaces what was saved before. It is written down
  // soon, as an acceptance is, and nobody waits for that. Empty: there is none any more. INVALID_ARGUMENT
  // CHECKPOINT_TOO_LARGE: more than kCheckpointBytesMax.
  virtual Status SaveCheckpoint(std::string bytes) = 0;
};

struct AttemptOutcome {
  AttemptResult result = AttemptResult::kSucceeded;  // kSucceeded, kFailed, or kLost: whoever ran it is gone.
  std::string output;                                // On success: the job's result, kResultBytesMax at most.
  std::string error;                                 // Else: why, for a person.
  int exit_code = 0;
  bool do_not_retry = false;
  std::optional<Nanos> retry_after;  // Instead of the policy's backoff.
  // Nothing of the job has begun, for want of something of ours: a process, a descriptor, memory. `result` says nothing
  // then.
  bool not_started = false;

  // exec: the children's share of the time the fiber was parked on kProcess.
  Nanos child_cpu{0};
  Nanos child_run_delay{0};  // Runnable but waiting for a processor of the machine: lost.

  static AttemptOutcome Succeeded(std::string output);
  static AttemptOutcome Failed(std::string error);
  static AttemptOutcome NotStarted(std::string error);
};

// Where a job runs when neither its client nor the configuration of its kind says.
inline constexpr std::string_view kDefaultPool = "default";

// What the configuration says of a kind. A job's own settings come first.
struct KindOptions {
  std::string name;
  std::string
      pool;  // Its home, where it runs when the client names no pool. Empty: it has none, and that is kDefaultPool.
  std::optional<Nanos> run_timeout;
  RetryOverrides retry;
  bool operator==(const KindOptions&) const = default;
};

// One way to run jobs. Registered before start, lives as long as the dispatcher.
class Runner {
 public:
  virtual ~Runner() = default;
  virtual std::string_view name() const = 0;  // "native", "exec", "remote"
  // Its pools have no fibers: workers in other processes run their jobs (leases.h), and Run is never called.
  virtual bool leases() const { return false; }
  // nullptr: not mine. Else with `name` filled in. What was given never changes and lives as long as the runner; where
  // a kind is replaced, another object is given from then on.
  virtual const KindOptions* FindKind(std::string_view kind) const = 0;
  virtual std::vector<std::string> Kinds() const = 0;
  // On a worker's fiber; may park. Must not throw for a job's own failure: that is an outcome. (An exception from a
  // native handler is caught by the native runner and becomes one.)
  virtual AttemptOutcome Run(AttemptContext& attempt) = 0;
};

}  // namespace millrace::dispatch
