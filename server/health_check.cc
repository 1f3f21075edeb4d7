#include "health_check.h"

#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

#include "io/unique_fd.h"

namespace millrace {
namespace {

using SteadyClock = std::chrono::steady_clock;

Status Unwell(const std::string& what) { return Unavailable("UNHEALTHY", what); }

bool Await(int fd, short events, SteadyClock::time_point until) {
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - SteadyClock::now());
    pollfd ready{fd, events, 0};
    const int polled = poll(&ready, 1, static_cast<int>(std::max<int64_t>(left.count(), 0)));
    if (polled >= 0 || errno != EINTR) return polled > 0;
  }
}

// The address at which a daemon that listens on `host` can be reached from its own machine.
std::string Reachable(const std::string& host) {
  if (host == "0.0.0.0") return "127.0.0.1";
  return host == "::" ? "::1" : host;
}

Result<io::UniqueFd> Connect(const std::string& name, const Address& address, SteadyClock::time_point until) {
  const std::string where = name + " address " + address.ToString();
  if (address.port == 0) {
    return Unwell("the " + where + " has a port that the system chose; configure one that can be asked");
  }
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (int error = getaddrinfo(Reachable(address.host).c_str(), std::to_string(address.port).c_str(), &hints, &found)) {
    return Unwell("the " + where + " means nothing: " + gai_strerror(error));
  }
  std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, freeaddrinfo);
  io::UniqueFd socket(::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  int error = 0;
  socklen_t length = sizeof error;
  if (!socket.valid()) {
    error = errno;
  } else if (connect(socket.get(), found->ai_addr, found->ai_addrlen) != 0) {
    if (errno != EINPROGRESS) {
      error = errno;
    } else if (!Await(socket.get(), POLLOUT, until)) {
      error = ETIMEDOUT;
    } else {
      getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &length);
    }
  }
  if (error != 0) return Unwell("no daemon answers at the " + where + ": " + strerrordesc_np(error));
  return socket;
}

}  // namespace

Status CheckHealth(const config::Config& config, std::chrono::milliseconds patience) {
  const SteadyClock::time_point until = SteadyClock::now() + patience;
  auto grpc = Connect("gRPC", config.grpc_address, until);
  if (!grpc.ok()) return grpc.status();
  auto http = Connect("HTTP", config.http.address, until);
  if (!http.ok()) return http.status();

  const std::string request = "GET /readyz HTTP/1.0\r\nHost: " + config.http.address.ToString() + "\r\n\r\n";
  if (send(http->get(), request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size())) {
    return Unwell(std::string("the HTTP port takes no request: ") + strerrordesc_np(errno));
  }
  std::string answer;
  char chunk[4096];
  while (answer.size() < sizeof chunk && Await(http->get(), POLLIN, until)) {
    const ssize_t got = recv(http->get(), chunk, sizeof chunk, 0);
    if (got <= 0) break;
    answer.append(chunk, static_cast<size_t>(got));
  }
  if (!answer.starts_with("HTTP/1.")) return Unwell("/readyz did not answer in time");
  if (std::string_view(answer).substr(8, 5) == " 200 ") return OkStatus();
  const size_t body = answer.find("\r\n\r\n");
  std::string why = body == std::string::npos ? answer.substr(0, answer.find('\r')) : answer.substr(body + 4);
  while (why.ends_with('\n')) why.pop_back();
  return Unwell("not ready: " + why);
}

}  // namespace millrace
