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
//   Heartbeats  Come from a thread of their own, however long handlers take.
//   The end     A stop lets running handlers end (drain_timeout), gives back what is left, and says goodbye.
//   Threads     Handle before Run; Run once; healthy from any thread.
#pragma once

#include <chrono>
#include <functional>
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
  int slots = 1;     // Attempts at once, 1 to 10,000.
  std::chrono::milliseconds drain_timeout = std::chrono::seconds(30);
};

// One attempt, for its handler.
class Attempt {
 public:
  virtual ~Attempt() = default;
  // The lease as it came: id, attempt, kind, labels, trace.
  virtual const v1::Lease& lease() const = 0;
  const std::string& payload() const { return lease().payload(); }
  virtual std::stop_token stop() const = 0;
  // From any thread until the handler has returned. The newest progress is shown.
  virtual void SetProgress(double fraction, std::string message = {}) = 0;
  virtual void Log(std::string_view bytes) = 0;
};

class Worker {
 public:
  using Handler = std::function<Outcome(Attempt& attempt)>;

  Worker(Client& client, WorkerOptions options);  // `client` outlives it.
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  void Handle(std::string kind, Handler handler);
  // OK: it was stopped, and has ended in good order. Else what the daemon holds against this worker, such as BAD_WORKER
  // or NO_REMOTE_POOL, before it was ever welcome.
  Status Run(std::stop_token stop);

  // The daemon has welcomed this worker, and has answered a heartbeat of the last two intervals.
  bool healthy() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace millrace::client
