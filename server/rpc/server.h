// Server: the gRPC face on one address: JobService, PoolService, WorkerService, AdminService, the standard health
// service and reflection.
//
//   Order     Start when the dispatcher accepts jobs. To end: SetServing(false), so that load balancers look elsewhere;
//             then the dispatcher's Stop, which answers whatever waits; then Stop, and only then destroy the
//             dispatcher.
//   Threads   Threads of gRPC serve the calls, and fibers serve those that may wait for the disk. Start, SetServing and
//             Stop: any plain thread, one at a time. SetAccepting: any plain thread at any time before Stop. Stop
//             blocks its thread.
//   Accepting is done by a loop of our own (base/listener.h), since gRPC 1.51 gives up a port for good when descriptors
//             run out once.
//   Health    grpc.health.v1 for "" and each of our four services by its whole name ("millrace.v1.JobService"). All say
//             NOT_SERVING while the server does not serve and while new connections cannot be accepted. "" and
//             JobService say so also while no jobs are accepted; pools can be looked after, and workers go on,
//             meanwhile.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

#include "base/listener.h"
#include "base/status.h"
#include "dispatch/backup.h"
#include "dispatch/dispatcher.h"
#include "rpc/call_stats.h"
#include "rpc/door.h"
#include "runtime/runtime.h"

namespace millrace::rpc {

struct ServerOptions {
  std::string address = "127.0.0.1:7070";  // Port 0: the system chooses; see Server::port.
  // gRPC itself refuses a request that is larger than this, or than half of call_bytes_max. It is room for a batch of a
  // thousand jobs of 64 KiB.
  size_t message_bytes_max = size_t{64} << 20;
  int streams_per_connection_max = 1000;
  // As in base/listener.h. 0: no limit.
  int connections_max = 0;
  int connections_per_address_max = 0;
  // A call with more metadata is refused, while other calls of its connection go on. Tokens of identity providers have
  // a few KiB each.
  size_t metadata_bytes_max = 16 << 10;
  // What requests in hand and answers that no client has taken yet may hold together; waits, watches and submit streams
  // half of it. A call beyond it is refused: SERVER_BUSY.
  size_t call_bytes_max = size_t{256} << 20;
  // A client that has not taken an answer within this time is cut.
  std::chrono::milliseconds answer_time_max = std::chrono::minutes(2);
  // Workers that call Sync instead of keeping a stream.
  size_t sync_sessions_max = 10'000;
  // Within this time a client has to begin HTTP/2.
  std::chrono::milliseconds handshake_timeout = std::chrono::seconds(20);
  // A client that vanished without closing its connection is noticed after these two.
  std::chrono::milliseconds keepalive_time = std::chrono::seconds(60);
  std::chrono::milliseconds keepalive_timeout = std::chrono::seconds(20);
  // Clients that ping more often are told to go away. The client library pings less often.
  std::chrono::milliseconds client_ping_interval_min = std::chrono::seconds(10);
  // Who may call what. Empty: whoever reaches the port may do everything.
  Door door = {};
  // Outlives the server. nullptr: the store is memory, and there are none.
  dispatch::Backups* backups = nullptr;
};

class Server {
 public:
  // INVALID_ARGUMENT BAD_ADDRESS; UNAVAILABLE CANNOT_LISTEN with the system's reason, such as a port in use;
  // UNAVAILABLE NO_THREAD. Nothing listens then.
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

  // Not OK while new connections cannot be accepted: the listener's Health. Any thread until Stop.
  Status Reachable() const;
  ServerStats Stats() const;

  // Takes no new connections and calls, ends waits, watches and streams with UNAVAILABLE, and cuts what is left after
  // `grace`. Returns when no call is left. A call that waits for the disk is then cut off from its client, and lasts
  // until the disk has answered.
  void Stop(std::chrono::milliseconds grace);

 private:
  struct State;
  explicit Server(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace millrace::rpc
