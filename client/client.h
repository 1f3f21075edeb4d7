// Client: Millrace from C++. README.md beside this file shows it in use; examples/ has one program for each idea.
//
//   Messages  The protobuf messages of proto/millrace/v1 are the vocabulary, as in every other language: nothing to
//             learn twice, no field left out. gRPC itself stays behind this header.
//   Errors    Every failure is a base Status: code, reason ("QUEUE_FULL"), metadata ("depth" = "1000"), the field at
//             fault and retry_delay, decoded from the server's google.rpc details. Reasons that the library itself
//             gives: UNREACHABLE (no daemon there), DEADLINE (no answer in time: a submit may still have been accepted,
//             so repeat it with its request_id or not at all), INTERRUPTED (CallOptions::stop).
//   Repeats   Only UNAVAILABLE is repeated by itself, a few times with growing pauses, and only where repeating is
//             safe: reads, and submits, to which the library gives a request_id when they have none. Never CancelJob,
//             RetryJob, DeleteJob and the stream. max_attempts = 1 turns it off.
//   Threads   A Client is shared by any number of threads. Blocking calls block the calling thread (do not make them on
//             a fiber); callbacks of Async calls run on the library's threads and must not block.
//   Ownership The Client outlives its calls and streams; its destructor waits for Async calls that are still under way.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "millrace/v1/admin_service.pb.h"
#include "millrace/v1/job_service.pb.h"
#include "millrace/v1/pool_service.pb.h"
#include "millrace/v1/worker_service.pb.h"

namespace millrace::client {

struct ClientOptions {
  // The deadline of every call that is not given its own. gRPC has none by default, and a call without one can hang for
  // ever.
  std::chrono::milliseconds deadline = std::chrono::seconds(30);
  int max_attempts = 4;  // How often a call is tried that answers UNAVAILABLE, in all: 1 to 5, which is gRPC's limit.
  // For how long Wait and Watch, once they have reached the daemon, wait for it when it is away, as for a restart.
  std::chrono::milliseconds patience = std::chrono::seconds(30);
  // Clients of one process and one address share a TCP connection unless this is set (a load generator wants several).
  bool own_connection = false;
  // Sent with every call, for instance `traceparent` for the jobs that are submitted (JobSpec.trace). Names of
  // [a-z0-9_.-], values of visible ASCII. The daemon refuses a call with more than 16 KiB (METADATA_TOO_LARGE).
  std::vector<std::pair<std::string, std::string>> metadata;
};

struct CallOptions {
  std::optional<std::chrono::milliseconds> deadline;  // Unset: ClientOptions::deadline. Negative: none.
  std::stop_token stop;                               // Ends the call early with kCancelled, INTERRUPTED.
};

enum class Bulk { kCancel, kRetry, kDelete };
// What the three bulk verbs take and answer; in the proto each has messages of its own.
struct BulkRequest {
  std::string filter;
  std::string reason;  // For kCancel.
  bool validate_only = false;
};
struct BulkCounts {
  int64_t matched = 0;
  int64_t changed = 0;
  Status first_error;  // Of the first job that was in a state for the change and was not changed; OK: there is none.
};
enum class PoolVerb { kPause, kResume, kDrain };

bool IsTerminal(v1::JobState state);
// The job has a result that is larger than an answer may be; Client::ReadResult reads it.
bool LeavesOutResult(const v1::Job& job);

class Client {
 public:
  // "HOST:PORT", "[::1]:PORT"; without a port, 7070. Connects with the first call; INVALID_ARGUMENT BAD_ADDRESS and
  // BAD_METADATA are all that can fail here.
  static Result<std::unique_ptr<Client>> Connect(const std::string& address, ClientOptions options = {});
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  const std::string& address() const;
  // Whether a call was answered with OK since Connect. If so, a daemon that does not answer now has gone away.
  bool reached() const;

  // ---- Submit. Many at once: submit_stream.h.
  Result<v1::SubmitJobResponse> Submit(v1::SubmitJobRequest request, const CallOptions& call = {});
  Result<v1::BatchSubmitJobsResponse> BatchSubmit(v1::BatchSubmitJobsRequest request, const CallOptions& call = {});

  // ---- Look and wait
  // A view with the result has a large one too, by ReadResult, whose errors are then the answer; so has Wait.
  Result<v1::Job> Get(const std::string& id, v1::JobView view = v1::JOB_VIEW_FULL, const CallOptions& call = {});
  Result<v1::ListJobsResponse> ListPage(const v1::ListJobsRequest& request, const CallOptions& call = {});
  // Every job that matches, page by page, until `on_job` returns false. A deadline that is given counts for all pages.
  Status List(v1::ListJobsRequest request, const std::function<bool(v1::Job)>& on_job, const CallOptions& call = {});

  // The job as the daemon answers it, without a large result (LeavesOutResult).
  Result<v1::Job> GetWithoutResult(const std::string& id, v1::JobView view, const CallOptions& call = {});
  // The result of a job that SUCCEEDED, of any size; no deadline unless one is given. FAILED_PRECONDITION NO_RESULT: it
  // has not, or not yet.
  Result<std::string> ReadResult(const std::string& id, const CallOptions& call = {});

  // Waits until the job is in a terminal state, and gives all of it but the payload (JOB_VIEW_RESULT). `timeout` unset:
  // waits as long as it takes. When it passes: DEADLINE_EXCEEDED, DEADLINE. It asks in long polls, goes on after short
  // absences of the daemon, and does not look at CallOptions::deadline.
  Result<v1::Job> Wait(const std::string& id, std::optional<std::chrono::milliseconds> timeout = {},
                       const CallOptions& call = {});

  // Calls `on_event` on the calling thread until it returns false (OK), the server ends the stream (OK: the watched job
  // is in a terminal state), or it fails. A lost connection is resumed where it broke off, with the token of the last
  // event or of the beginning; where the server names none for that, a gap of unknown size (gap_events 0) is told.
  // No deadline unless one is given, which counts for all connections.
  Status Watch(v1::WatchJobsRequest request, const std::function<bool(const v1::JobEvent&)>& on_event,
               const CallOptions& call = {});

  // ---- Change
  Result<v1::Job> Cancel(const std::string& id, const std::string& reason = "", const CallOptions& call = {});
  Result<v1::Job> Retry(const std::string& id, const CallOptions& call = {});
  Status Delete(const std::string& id, const CallOptions& call = {});
  Result<BulkCounts> ChangeAll(Bulk verb, const BulkRequest& request, const CallOptions& call = {});

  // ---- Pools
  Result<v1::ListPoolsResponse> Pools(const CallOptions& call = {});
  Result<v1::Pool> GetPool(const std::string& name, const CallOptions& call = {});
  Result<v1::Pool> ResizePool(const v1::ResizePoolRequest& request, const CallOptions& call = {});
  // kDrain answers when the pool is empty; give it a deadline that fits.
  Result<v1::Pool> ChangePool(PoolVerb verb, const std::string& name, const CallOptions& call = {});

  // ---- Workers in other processes. `worker` is an id, or a name that only one worker has: NOT_FOUND UNKNOWN_WORKER,
  // FAILED_PRECONDITION AMBIGUOUS_WORKER.
  Result<v1::ListWorkersResponse> ListWorkersPage(const v1::ListWorkersRequest& request, const CallOptions& call = {});
  // Every worker, as List.
  Status ListWorkers(v1::ListWorkersRequest request, const std::function<bool(v1::Worker)>& on_worker,
                     const CallOptions& call = {});
  Result<v1::Worker> GetWorker(const std::string& worker, const CallOptions& call = {});
  // Answers at once: the worker gets no more leases, and goes on with those that it has.
  Result<v1::Worker> DrainWorker(const std::string& worker, const CallOptions& call = {});
  Result<v1::Worker> ResumeWorker(const std::string& worker, const CallOptions& call = {});

  // ---- The daemon itself
  // Takes as long as the disk of the daemon does; give it a deadline that fits. It is not repeated by itself. `folder`
  // is an absolute path on the daemon's machine.
  Result<v1::BackupResponse> Backup(const std::string& folder, const CallOptions& call = {});

  // ---- Without blocking: `done` is called exactly once.
  template <typename Response>
  using Done = std::function<void(Result<Response>)>;
  void SubmitAsync(v1::SubmitJobRequest request, Done<v1::SubmitJobResponse> done, const CallOptions& call = {});
  void BatchSubmitAsync(v1::BatchSubmitJobsRequest request, Done<v1::BatchSubmitJobsResponse> done,
                        const CallOptions& call = {});
  // One long poll: the job as it is after the request's timeout, terminal or not.
  void WaitAsync(v1::WaitJobRequest request, Done<v1::Job> done, const CallOptions& call = {});

  struct State;  // Channel and stubs; for the library's own files.
  State& state() { return *state_; }

 private:
  explicit Client(std::unique_ptr<State> state);
  // The job with its result, where that was left out of the answer.
  Result<v1::Job> WithResult(Result<v1::Job> job, const CallOptions& call);
  std::unique_ptr<State> state_;
};

}  // namespace millrace::client
