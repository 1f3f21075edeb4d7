// Worker: runs jobs of a daemon in this process. The daemon needs a pool with `runner = "remote"`, and need
// not know the kinds.
//
//   client::Worker worker(*client, {.slots = 4});
//   worker.Handle("resize", [](client::Attempt& attempt) {
//     return client::Outcome::Success(Resize(attempt.payload()));
//   });
//   Status status = worker.Run(stop);       // a std::stop_token; SIGTERM should request it
//
//   Handlers    Run on `slots` threads of the worker, one attempt each. What they throw is a failure with its text. One
//               that was cancelled, took too long or was given to somebody else has its stop token requested, and
//               should return soon; what it returns then decides nothing.
//   Connection  Run connects, and again whenever the connection is lost, for ever: with pauses that grow to 30 s, and a
//               part of each at random. What runs meanwhile goes on; its end is told to the daemon that is there then,
//               and again until that has written it down. After `lease` less five seconds without a word from the
//               daemon the worker stops its attempts, as others get them.
//   Heartbeats  Come from a thread of their own, however long handlers take: six in a lease, or two while the worker
//               holds nothing. A connection is given up where one has no answer within two intervals.
//   Checkpoints What an attempt has saved, the next one gets, whatever became of the first. It is told again where the
//               connection broke, since the daemon does not say that it has it; so the newest may be lost with the
//               process.
//   Payloads    A large one is not in the lease; it is read on the thread of the handler, before that is called.
//   Results     A large one is told by a call of its own, on the thread of its handler when that has returned, and
//               again where it was cut off, for as long as the attempt is the worker's.
//   Older       A daemon that does not know the costs of kinds (KindSettings) is granted so few leases that what runs
//   daemons     never takes more than the worker's slots, nor a kind more than its at_once_max.
//   The end     A stop lets running handlers end (drain_timeout), gives back what is left, and says goodbye.
//   Threads     Handle before Run; Run once; healthy and drained from any thread.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/status.h"
#include "client/client.h"
#include "client/outcome.h"
#include "millrace/v1/worker_service.pb.h"

namespace millrace::client {

struct WorkerOptions {
  std::string name;  // For people. Empty: HOST/PID.
  int slots = 1;     // 1 to 10,000. What runs at once takes no more: attempts, or their costs (KindSettings).
  std::chrono::milliseconds drain_timeout = std::chrono::seconds(30);
  // Jobs may require or prefer them: {{"gpu", "a100"}}. At most 32, as those of a job. Beside them each
  // worker has the label `worker`, its name, and `build`, if it says one.
  std::map<std::string, std::string> labels;
  std::string build_id;  // The version of your code, for instance a commit. At most 128 bytes.
  // Told what a daemon that is older than this library cannot do for the worker, once for each connection. Unset:
  // stderr has it.
  std::function<void(const std::string& message)> warn;
};

struct KindSettings {
  int slots = 1;  // An attempt takes so many of the worker's slots.
  // The daemon gives so many attempts of the kind at once; one that it took back may still be ending here. 0: as many
  // as have slots.
  int at_once_max = 0;
  // An attempt that shows nothing (SetProgress, Log, SaveCheckpoint) for so long hangs: it is stopped, as one that
  // takes longer than its run_timeout.
  std::optional<std::chrono::milliseconds> beat_within = std::nullopt;
};

// One attempt, for its handler.
class Attempt {
 public:
  virtual ~Attempt() = default;
  // The lease: id, attempt, kind, payload, labels, trace.
  virtual const v1::Lease& lease() const = 0;
  const std::string& payload() const { return lease().payload(); }
  // The newest that an earlier attempt of the job has saved. Empty: nothing.
  const std::string& checkpoint() const { return lease().checkpoint(); }
  virtual std::stop_token stop() const = 0;
  // From any thread until the handler has returned. The newest progress is shown.
  virtual void SetProgress(double fraction, std::string message = {}) = 0;
  virtual void Log(std::string_view bytes) = 0;
  // Replaces what was saved before; empty: there is none any more. OK: it is on its way. INVALID_ARGUMENT
  // CHECKPOINT_TOO_LARGE: more than 64 KiB; what was saved before stays. FAILED_PRECONDITION CHECKPOINT_UNSUPPORTED:
  // the daemon is older than checkpoints, and would lose it.
  virtual Status SaveCheckpoint(std::string bytes) = 0;
};

class Worker {
 public:
  using Handler = std::function<Outcome(Attempt& attempt)>;

  Worker(Client& client, WorkerOptions options);  // `client` outlives it.
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  void Handle(std::string kind, Handler handler, KindSettings settings = {});
  // OK: it was stopped, and has ended in good order. Else what the daemon holds against this worker, such as BAD_WORKER
  // (also for a kind that takes more slots than there are), NO_REMOTE_POOL or PROTOCOL_UNSUPPORTED, before it was ever
  // welcome.
  Status Run(std::stop_token stop);

  // The daemon has welcomed this worker, and was heard of within an interval of the last heartbeat.
  bool healthy() const;
  // An operator has drained it (`millrace workers drain`): it gets no more leases until it is resumed. It stays
  // connected, and goes on with those that it has.
  bool drained() const;
  // By which operators call it (`millrace workers get`), once the daemon has welcomed it.
  std::string id() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace millrace::client
