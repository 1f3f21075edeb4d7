// Server: the gRPC face on one address: JobService, PoolService, AdminService, the standard health service and reflection.
//
//   Order     Start when the dispatcher accepts jobs. To end: SetServing(false), so that load balancers look elsewhere; then the
//             dispatcher's Stop, which answers whatever waits; then Stop, and only then destroy the dispatcher.
//   Threads   gRPC's own serve the calls, and fibers those that may wait for the disk. Start, SetServing and Stop: any plain
//             thread, one at a time. SetAccepting: any plain thread at any time before Stop. Stop blocks the thread.
//   Health    grpc.health.v1 for "", "millrace.v1.JobService", "millrace.v1.PoolService" and "millrace.v1.AdminService". All say
//             NOT_SERVING while not serving; the first two also while no jobs are accepted, since pools can be looked after
//             nevertheless.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

#include "base/status.h"
#include "dispatch/backup.h"
#include "dispatch/dispatcher.h"
#include "rpc/call_stats.h"
#include "runtime/runtime.h"

namespace millrace::rpc {

struct ServerOptions {
  std::string address = "127.0.0.1:7070";  // Port 0: the system chooses; see Server::port.
  // A request larger than this is refused by gRPC itself. Room for a batch of a thousand jobs of 64 KiB.
  size_t message_bytes_max = size_t{64} << 20;
  int streams_per_connection_max = 1000;
  // A client that vanished without closing its connection is noticed after these two.
  std::chrono::milliseconds keepalive_time = std::chrono::seconds(60);
  std::chrono::milliseconds keepalive_timeout = std::chrono::seconds(20);
  // Clients that ping more often are told to go away. The client library stays above it.
  std::chrono::milliseconds client_ping_interval_min = std::chrono::seconds(10);
  // Outlives the server. nullptr: the store is memory, and there are none.
  dispatch::Backups* backups = nullptr;
};

class Server {
 public:
  // INVALID_ARGUMENT BAD_ADDRESS; UNAVAILABLE CANNOT_LISTEN with the system's reason, such as a port in use. Nothing listens then.
  // `dispatcher` and `stats` outlive the server; `runtime` runs until Stop has returned.
  static Result<std::unique_ptr<Server>> Start(rt::Runtime& runtime, dispatch::Dispatcher& dispatcher, CallStats& stats,
                                               const ServerOptions& options);
  ~Server();  // Stops at once if Stop was not called.
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  int port() const;
  const std::string& address() const;  // With the port that was chosen.

  // What health checks say. True from Start on.
  void SetServing(bool serving);
  // Whether new jobs can be accepted, as /readyz says. True from Start on.
  void SetAccepting(bool accepting);

  // No new connections and calls; waits, watches and streams end with UNAVAILABLE; what is left after `grace` is cut. Returns
  // when no call is left: one that waits for the disk is cut off from its client then, and lasts until the disk has answered.
  void Stop(std::chrono::milliseconds grace);

 private:
  struct State;
  explicit Server(std::unique_ptr<State> state);
  void TellHealth();
  std::unique_ptr<State> state_;
};

}  // namespace millrace::rpc
