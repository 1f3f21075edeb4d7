// Listener: the accept loop of a server. It binds an address, accepts on a thread of its own, and hands each connection
// to whoever serves it, whatever library that is.
//
//   Address   A name is listened on at each address that it has. "0.0.0.0" is IPv4 alone, "[::]" both IPv6 and IPv4.
//   Shortage  Without descriptors or memory for one more connection the loop pauses and tries again until it succeeds.
//             Clients wait in the system's queue meanwhile and are served late rather than refused, since a shortage is
//             mostly over soon (a thousand programs were started at once). Where it lasts, Health tells, and the queue
//             has a bound.
//   Limits    A connection beyond a limit is accepted, closed at once and counted: in the queue it would look to its
//             client like a server that hangs.
//   Ownership Whoever takes a descriptor closes it, and need not tell the listener, which knows by the inode whether a
//             number still is the socket that it was.
//   Health    Not OK from the moment at which a connection could not be accepted for want of anything or was refused
//             for the limit of all connections, until the next one can be served.
//   Threads   Start and Stop: one plain thread at a time. The rest: any thread. `take` and `on_health` are called on
//             the listener's thread, one at a time, and must not block.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/address.h"
#include "base/status.h"

namespace millrace {

struct ListenerOptions {
  std::string setting = "the address";  // What a person changes to listen elsewhere; for messages: "--grpc-address".
  int connections_max = 0;              // Open at the same time. 0: no limit but the process's.
  // Connections of one client address at the same time. Clients on this machine are exempt, since all programs here
  // have the same address. 0: no limit.
  int connections_per_address_max = 0;
  // A client that acknowledges no byte for so long is cut. 0: as the system does.
  std::chrono::milliseconds send_timeout{0};
  std::function<void(const Status&)> on_health;  // Called when Health has changed. May be empty.
};

struct ListenerStats {
  uint64_t accepted = 0;   // Handed over.
  uint64_t refused = 0;    // For a limit.
  uint64_t shortages = 0;  // Times that the loop began to pause.
  int open = 0;            // Handed over and not closed yet.
};

class Listener {
 public:
  // Gets a connection, which does not block and is closed on exec. Whoever gets it closes it.
  using Take = std::function<void(int fd)>;

  // Binds and listens; connections wait until Start. UNAVAILABLE CANNOT_LISTEN: the message names the address, why and
  // what to do.
  static Result<std::unique_ptr<Listener>> Open(const Address& address, ListenerOptions options);
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  // Once. UNAVAILABLE NO_THREAD: the system refuses one.
  Status Start(Take take);
  // Returns when the thread has ended; nothing listens then. Connections that were handed over stay. Harmless a second
  // time.
  void Stop();

  // With the port that was chosen, where it was 0.
  const Address& address() const;
  // UNAVAILABLE NO_DESCRIPTORS or CANNOT_ACCEPT, RESOURCE_EXHAUSTED TOO_MANY_CONNECTIONS.
  Status Health() const;
  ListenerStats Stats() const;

 private:
  struct State;
  explicit Listener(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace millrace
