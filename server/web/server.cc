#include "web/server.h"

#include <civetweb.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <exception>
#include <future>
#include <utility>

#include "base/log.h"

namespace millrace::web {

struct Server::State {
  ServerOptions options;
  std::map<std::string, Handler> pages;
  mg_context* context = nullptr;
  std::atomic<bool> started{false};
  std::string start_error;  // What CivetWeb said first before it was started; it returns no reason.
};

namespace {

const char* ReasonPhrase(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 503:
      return "Service Unavailable";
    default:
      return status < 500 ? "Error" : "Internal Server Error";
  }
}

Response Answer(const std::map<std::string, Handler>& pages, const std::string& path) {
  auto page = pages.find(path);
  if (page == pages.end()) {
    std::string known;
    for (const auto& [name, handler] : pages) known += (known.empty() ? "" : ", ") + name;
    return {.status = 404, .body = "no such page; there are: " + known + "\n"};
  }
  try {
    return page->second();
  } catch (const std::exception& error) {
    LogError("the page %s failed: %s", path.c_str(), error.what());
    return {.status = 500, .body = "this page failed; the daemon's log says why\n"};
  }
}

int Send(mg_connection* connection, const Response& response, const char* extra_header, bool with_body) {
  mg_printf(connection,
            "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nCache-Control: no-store\r\n"
            "X-Content-Type-Options: nosniff\r\n%sConnection: close\r\n\r\n",
            response.status, ReasonPhrase(response.status), response.content_type.c_str(), response.body.size(),
            extra_header);
  if (with_body) mg_write(connection, response.body.data(), response.body.size());
  return response.status;
}

// "cannot bind to 127.0.0.1:7071: 98 (Address already in use)" says the address a second time and a number nobody needs.
std::string BindError(const std::string& message) {
  size_t open = message.find('('), close = message.rfind(')');
  if (!message.starts_with("cannot bind to ") || open == std::string::npos || close == std::string::npos)
    return message;
  return message.substr(open + 1, close - open - 1);
}

void Knock(const Address& address) {
  addrinfo hints{};
  hints.ai_family = AF_INET;
  hints.ai_socktype = SOCK_STREAM;
  const std::string host = address.host == "0.0.0.0" ? "127.0.0.1" : address.host;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), std::to_string(address.port).c_str(), &hints, &found) != 0) return;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd >= 0) {
    // The outcome does not matter: the caller knocks until it is heard.
    (void)!connect(fd, found->ai_addr, found->ai_addrlen);
    close(fd);
  }
  freeaddrinfo(found);
}

}  // namespace

Server::Server(std::unique_ptr<State> state) : state_(std::move(state)) {}

// CivetWeb's listener looks at its stop flag every two seconds, or when somebody connects: so somebody connects.
Server::~Server() {
  auto stopped = std::async(std::launch::async, [this] { mg_stop(state_->context); });
  do {
    Knock(state_->options.address);
  } while (stopped.wait_for(std::chrono::milliseconds(10)) == std::future_status::timeout);
}

Result<std::unique_ptr<Server>> Server::Start(const ServerOptions& options, std::map<std::string, Handler> pages) {
  const std::string address = options.address.ToString();
  if (options.address.IsIpv6()) {
    return FailedPrecondition("ADDRESS_UNUSABLE", "HTTP cannot listen on " + address +
                                                      ": this build's web server has no IPv6; use an IPv4 address");
  }

  auto state = std::make_unique<State>();
  state->options = options;
  state->pages = std::move(pages);

  mg_callbacks callbacks{};
  callbacks.begin_request = [](mg_connection* connection) {
    const mg_request_info* request = mg_get_request_info(connection);
    const auto& server = *static_cast<const State*>(request->user_data);
    const std::string method = request->request_method;
    if (method != "GET" && method != "HEAD") {
      return Send(connection, {.status = 405, .body = "only GET and HEAD are answered here\n"}, "Allow: GET, HEAD\r\n",
                  true);
    }
    return Send(connection, Answer(server.pages, request->local_uri != nullptr ? request->local_uri : ""), "",
                method == "GET");
  };
  callbacks.log_message = [](const mg_connection* connection, const char* message) {
    auto& server = *static_cast<State*>(mg_get_user_data(mg_get_context(connection)));
    if (!server.started.load(std::memory_order_acquire) && server.start_error.empty()) server.start_error = message;
    LogDebug("http: %s", message);
    return 1;
  };

  const std::string threads = std::to_string(options.threads);
  const std::array<const char*, 9> settings = {
      "listening_ports",    address.c_str(), "num_threads", threads.c_str(), "enable_keep_alive", "no",
      "request_timeout_ms", "5000",          nullptr};
  mg_context* context = mg_start(&callbacks, state.get(), const_cast<const char**>(settings.data()));
  if (context == nullptr) {
    const std::string why = state->start_error.empty() ? "no reason given" : BindError(state->start_error);
    return FailedPrecondition("ADDRESS_UNUSABLE", "HTTP cannot listen on " + address + ": " + why +
                                                      "; stop what uses it or choose another --http-address")
        .With("address", address);
  }
  mg_server_port port{};
  if (mg_get_server_ports(context, 1, &port) == 1) state->options.address.port = static_cast<uint16_t>(port.port);
  state->context = context;
  state->started.store(true, std::memory_order_release);
  return std::unique_ptr<Server>(new Server(std::move(state)));
}

const Address& Server::address() const { return state_->options.address; }

}  // namespace millrace::web
