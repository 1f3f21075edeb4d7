#include "io/resolve.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>

#include "io/asio_netpoll.h"
#include "io/io_error.h"
#include "sync/channel.h"
#include "sync/select.h"

namespace millrace::io {
namespace {

using Resolver = asio::ip::tcp::resolver;

struct Answer {
  std::error_code error;
  std::vector<SocketAddress> addresses;
};

template <typename T>
T& As(SocketAddress& address) {
  address.length = sizeof(T);
  return reinterpret_cast<T&>(address.storage);
}

std::optional<SocketAddress> Literal(const Address& address) {
  SocketAddress literal;
  auto& v4 = As<sockaddr_in>(literal);
  if (inet_pton(AF_INET, address.host.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(address.port);
    return literal;
  }
  auto& v6 = As<sockaddr_in6>(literal);
  if (inet_pton(AF_INET6, address.host.c_str(), &v6.sin6_addr) == 1) {
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(address.port);
    return literal;
  }
  return std::nullopt;
}

// A look-up under way. The handler's and the caller's: it cannot be cancelled and may last as long as the resolver's
// patience, so the caller may be gone before it ends.
struct LookUp {
  explicit LookUp(asio::io_context& context) : resolver(context) {}
  Resolver resolver;
  sync::Channel<Answer> answers{1};
};

// The first one starts Asio's thread for look-ups: it throws std::system_error where no thread can be had.
std::shared_ptr<LookUp> StartLookUp(const Address& address) {
  AsioNetpoller& poller = AsioNetpoller::Current();
  auto look_up = std::make_shared<LookUp>(poller.context());
  poller.BeginWatching();
  auto begin = [&](auto handler) {
    try {
      look_up->resolver.async_resolve(address.host, std::to_string(address.port), std::move(handler));
    } catch (...) {
      poller.EndWatching();
      throw;
    }
  };
  begin([look_up, &poller](const std::error_code& error, const Resolver::results_type& found) {
    poller.EndWatching();
    poller.CountCompleted();
    Answer answer{.error = error};
    for (const auto& entry : found) {
      SocketAddress& each = answer.addresses.emplace_back();
      each.length = static_cast<socklen_t>(entry.endpoint().size());
      memcpy(&each.storage, entry.endpoint().data(), entry.endpoint().size());
    }
    (void)look_up->answers.TrySend(std::move(answer));  // There is room for it.
  });
  return look_up;
}

}  // namespace

Result<std::vector<SocketAddress>> Resolve(const Address& address, const char* verb, const Until& until) {
  std::optional<SocketAddress> literal = Literal(address);
  if (literal) return std::vector<SocketAddress>{*literal};

  const std::string what = "cannot " + std::string(verb) + " " + address.ToString();
  if (until.cancel.cancelled()) return StoppedError(until, true, what);
  if (until.expired()) return StoppedError(until, false, what);
  std::shared_ptr<LookUp> look_up;
  try {
    look_up = StartLookUp(address);
  } catch (const std::system_error& error) {
    return Unavailable("HOST_LOOKUP_FAILED",
                       what + ": no thread for the look-up could be had: " + error.code().message());
  }
  Answer answer;
  auto forever = std::chrono::steady_clock::now() + std::chrono::hours(24);
  size_t chosen =
      sync::Select(sync::Receive(look_up->answers, [&](std::optional<Answer> got) { answer = std::move(*got); }),
                   sync::Cancelled(until.cancel), sync::At(std::min<MonoTime>(until.deadline, forever)));
  if (chosen != 0) return StoppedError(until, chosen == 1, what);
  if (answer.error == asio::error::host_not_found || answer.error == asio::error::no_data) {
    return NotFound("HOST_NOT_FOUND", what + ": there is no host '" + address.host + "'");
  }
  if (answer.error || answer.addresses.empty()) {
    return Unavailable("HOST_LOOKUP_FAILED", what + ": looking up '" + address.host + "': " + answer.error.message());
  }
  return std::move(answer.addresses);
}

Result<SocketAddress> UnixAddress(const std::string& path) {
  SocketAddress address;
  auto& unix_address = As<sockaddr_un>(address);
  if (path.empty() || path.size() >= sizeof unix_address.sun_path) {
    return InvalidArgument("BAD_ADDRESS", "'" + path + "' cannot be the path of a Unix socket: it must have 1 to " +
                                              std::to_string(sizeof unix_address.sun_path - 1) + " bytes");
  }
  unix_address.sun_family = AF_UNIX;
  memcpy(unix_address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

std::string SocketAddress::ToString() const {
  char host[INET6_ADDRSTRLEN] = "";
  switch (family()) {
    case AF_INET:
      inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in&>(storage).sin_addr, host, sizeof host);
      break;
    case AF_INET6:
      inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6&>(storage).sin6_addr, host, sizeof host);
      break;
    default:
      if (length <= offsetof(sockaddr_un, sun_path)) return "a nameless socket";
      return reinterpret_cast<const sockaddr_un&>(storage).sun_path;
  }
  return Address{host, static_cast<uint16_t>(port())}.ToString();
}

int SocketAddress::port() const {
  switch (family()) {
    case AF_INET:
      return ntohs(reinterpret_cast<const sockaddr_in&>(storage).sin_port);
    case AF_INET6:
      return ntohs(reinterpret_cast<const sockaddr_in6&>(storage).sin6_port);
    default:
      return 0;
  }
}

}  // namespace millrace::io
