// The HTTP face: a few read-only pages on one port. It knows paths and handlers, not what the pages say.
//
//   Requests   GET and HEAD; others are answered 405, paths without a page 404. Paths match exactly; a query is ignored.
//   Handlers   Called on a few threads of the server (plain threads, not fibers), several at once. One that throws answers 500.
//   Limits     Bodies are not read, connections are not kept alive (one scrape every few seconds does not need it), and a client
//              that stalls is dropped after five seconds.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/address.h"
#include "base/status.h"

namespace millrace::web {

struct Response {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
};

using Handler = std::function<Response()>;

struct ServerOptions {
  Address address{"127.0.0.1", 7071};  // IPv4 or a name: the distribution's CivetWeb is built without IPv6.
  int threads = 4;                     // Requests answered at the same time; more wait.
};

class Server {
 public:
  // Listens and serves from then on. `pages`: path ("/metrics") to handler.
  // FAILED_PRECONDITION ADDRESS_UNUSABLE: the port is taken or the address is not this machine's.
  static Result<std::unique_ptr<Server>> Start(const ServerOptions& options, std::map<std::string, Handler> pages);

  ~Server();  // Stops listening and waits for handlers that run.
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
