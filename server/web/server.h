// The HTTP face: a few read-only pages on one port. It knows paths and handlers, not what the pages say.
//
//   Requests   GET and HEAD; others are answered 405, paths without a page 404. Paths match exactly, byte for byte.
//              Bodies are not read, and a connection ends with its answer: one scrape every few seconds does not need
//              more.
//   Pages      The thread that serves all connections asks those that answer at once. A second thread asks the others,
//              one after the other, so that a page that takes long holds back no health check. Whoever asks for such a
//              page while it waits for its turn gets the same answer; where the page reads the request, whoever asks
//              the same. A handler that throws answers 500.
//   gzip       Compresses pages that take long, where the client accepts it and there is enough to compress.
//   Limits     A connection costs a descriptor and some KiB, not a thread, and is cut
//                - after idle_timeout without a byte in either direction,
//                - at lifetime_max, however slowly it sends its request or reads its answer,
//                - as the oldest one, when there are more than connections_max: so a new client finds room.
//              A request line with its headers has room in kRequestBytesMax; pages_waiting_max and answer_bytes_max
//              bound what waits for its page or to be read: beyond them a page that takes long is answered 503.
//   Threads    Start and the destructor: one plain thread. Handlers are called on two threads of the server, never on
//              fibers.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>

#include "base/address.h"
#include "base/status.h"
#include "web/handler.h"

namespace millrace::web {

inline constexpr size_t kRequestBytesMax = size_t{16} << 10;

struct ServerOptions {
  Address address{"127.0.0.1", 7071};
  std::chrono::seconds idle_timeout{5};
  std::chrono::milliseconds lifetime_max{30'000};
  size_t connections_max = 256;  // But no more than an eighth of the descriptors that the process may have.
  size_t pages_waiting_max = 64;
  size_t answer_bytes_max = size_t{64} << 20;  // One answer is let through alone, however large.
};

class Server {
 public:
  // Listens and serves from then on. Errors: those of Listener::Open (base/listener.h), UNAVAILABLE NO_THREAD.
  static Result<std::unique_ptr<Server>> Start(const ServerOptions& options, Pages pages);

  ~Server();  // Stops listening, waits for handlers that run, and closes every connection.
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // With the port that the system chose, when 0 was asked for.
  const Address& address() const;

 private:
  struct State;
  explicit Server(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace millrace::web
