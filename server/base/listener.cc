#include "base/listener.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "base/connection_table.h"
#include "base/log.h"

namespace millrace {
namespace {

// How soon the loop tries again when it could not accept, or looks for room.
constexpr int kPauseMs = 100;
// After so many connections the loop looks whether it is to stop.
constexpr int kAcceptsInARow = 64;
// A shortage that comes and goes is logged once in a minute.
constexpr auto kTellEvery = std::chrono::minutes(1);
// A port that the system chose for one address of a name may be taken at another.
constexpr int kPortTries = 10;

Status CannotListen(const std::string& address, const std::string& why, const std::string& fix) {
  return Unavailable("CANNOT_LISTEN", "cannot listen on " + address + ": " + why + "; " + fix).With("address", address);
}

// `error`: errno.
Status CannotListen(const std::string& address, int error, const std::string& setting) {
  std::string fix = "choose another " + setting;
  if (error == EADDRINUSE) fix = "stop what uses it or " + fix;
  if (error == EACCES) fix += ", with a port above 1023, or give this program CAP_NET_BIND_SERVICE";
  if (error == EADDRNOTAVAIL || error == EAFNOSUPPORT) fix += ", with an address of this machine";
  if (error == EMFILE || error == ENFILE) fix = "raise the limit of open files (ulimit -n, LimitNOFILE=)";
  return CannotListen(address, strerror(error), fix);
}

void SetOption(int fd, int level, int name, int value) { setsockopt(fd, level, name, &value, sizeof(value)); }

struct Bound {
  std::vector<int> fds;
  uint16_t port = 0;
  int error = 0;  // errno of the address that could not be bound; there are no fds then.

  void CloseAll() {
    for (const int fd : fds) close(fd);
    fds.clear();
  }
};

uint16_t PortOf(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
  // IPv4 and IPv6 addresses have the port at the same place.
  return ntohs(reinterpret_cast<const sockaddr_in*>(&address)->sin_port);
}

void SetPort(sockaddr* address, uint16_t port) { reinterpret_cast<sockaddr_in*>(address)->sin_port = htons(port); }

// -1 with errno.
int Bind(const addrinfo& place, bool both_families, std::chrono::milliseconds send_timeout) {
  const int fd = socket(place.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -1;
  SetOption(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  if (place.ai_family == AF_INET6) SetOption(fd, IPPROTO_IPV6, IPV6_V6ONLY, both_families ? 0 : 1);
  // Connections inherit these two.
  SetOption(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  if (send_timeout.count() > 0) {
    SetOption(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, static_cast<int>(send_timeout.count()));
  }
  if (bind(fd, place.ai_addr, place.ai_addrlen) == 0 && listen(fd, SOMAXCONN) == 0) return fd;
  const int error = errno;
  close(fd);
  errno = error;
  return -1;
}

bool SameAddress(const addrinfo& a, const addrinfo& b) {
  return a.ai_addrlen == b.ai_addrlen && memcmp(a.ai_addr, b.ai_addr, a.ai_addrlen) == 0;
}

// `places` without those of a family in which this machine has no address, unless none would remain.
Bound BindAll(addrinfo* places, uint16_t port, std::chrono::milliseconds send_timeout) {
  auto set_port = [places](uint16_t value) {
    for (addrinfo* place = places; place != nullptr; place = place->ai_next) SetPort(place->ai_addr, value);
  };
  Bound bound;
  bound.port = port;
  set_port(port);
  for (addrinfo* place = places; place != nullptr; place = place->ai_next) {
    addrinfo* first = places;  // A name may have the same address twice.
    while (!SameAddress(*first, *place)) first = first->ai_next;
    if (first != place) continue;
    const int fd = Bind(*place, places->ai_next == nullptr, send_timeout);
    if (fd >= 0) {
      bound.fds.push_back(fd);
      if (bound.port == 0) set_port(bound.port = PortOf(fd));
      continue;
    }
    bound.error = errno;
    if (bound.error == EAFNOSUPPORT || bound.error == EADDRNOTAVAIL) continue;
    bound.CloseAll();
    return bound;
  }
  return bound;
}

// The client that a connection belongs to, for the limit of one address. Empty for a client on this machine.
std::string PeerName(const sockaddr_storage& peer) {
  if (peer.ss_family == AF_INET) {
    const in_addr& address = reinterpret_cast<const sockaddr_in*>(&peer)->sin_addr;
    if (ntohl(address.s_addr) >> 24 == 127) return {};
    return {reinterpret_cast<const char*>(&address), sizeof(address)};
  }
  if (peer.ss_family != AF_INET6) return {};
  const in6_addr& address = reinterpret_cast<const sockaddr_in6*>(&peer)->sin6_addr;
  if (IN6_IS_ADDR_LOOPBACK(&address)) return {};
  const char* bytes = reinterpret_cast<const char*>(&address);
  if (IN6_IS_ADDR_V4MAPPED(&address)) return bytes[12] == 127 ? std::string() : std::string(bytes + 12, 4);
  return {bytes, 8};  // A client has at least the 2^64 addresses of its network to choose from.
}

bool IsShortage(int error) { return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM; }

}  // namespace

struct Listener::State {
  explicit State(ListenerOptions given)
      : options(std::move(given)), table(options.connections_max, options.connections_per_address_max) {}
  ~State() {
    for (const int fd : fds) close(fd);
    if (stop_fd >= 0) close(stop_fd);
  }

  void Loop() {
    std::vector<pollfd> polled{{stop_fd, POLLIN, 0}};
    for (const int fd : fds) polled.push_back({fd, POLLIN, 0});
    for (;;) {
      // In a shortage the queue stays readable, so the loop waits for the end of its pause alone.
      const nfds_t count = short_of_something ? 1 : polled.size();
      if (poll(polled.data(), count, short_of_something || full ? kPauseMs : -1) < 0 && errno != EINTR) {
        std::this_thread::sleep_for(
            std::chrono::milliseconds(kPauseMs));  // No memory, or too low a limit even for poll.
      }
      if (stopping.load(std::memory_order_relaxed)) return;
      if (full) LookForRoom();
      // An empty queue too shows that the shortage is over: the system takes a descriptor before it looks at the queue.
      for (size_t i = 1; i < polled.size(); ++i) {
        if (short_of_something || polled[i].revents != 0) AcceptSome(polled[i].fd);
        polled[i].revents = 0;
      }
    }
  }

  void AcceptSome(int listening) {
    for (int i = 0; i < kAcceptsInARow; ++i) {
      sockaddr_storage peer{};
      socklen_t size = sizeof(peer);
      const int fd = accept4(listening, reinterpret_cast<sockaddr*>(&peer), &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
      if (fd >= 0) {
        Ease();
        Decide(fd, PeerName(peer));
        continue;
      }
      if (errno == EAGAIN) return Ease();
      // The connection ended before it was accepted, or the network failed: the next one may be good.
      if (errno == EINTR || errno == ECONNABORTED || errno == EPROTO || errno == EPERM || errno == ENETDOWN ||
          errno == ENOPROTOOPT || errno == EHOSTDOWN || errno == ENONET || errno == EHOSTUNREACH ||
          errno == EOPNOTSUPP || errno == ENETUNREACH || errno == ETIMEDOUT) {
        continue;
      }
      return Pause(errno);
    }
  }

  void Decide(int fd, const std::string& peer) {
    ConnectionTable::Verdict verdict;
    {
      std::lock_guard guard(lock);
      verdict = table.Add(fd, peer);
      ++(verdict == ConnectionTable::Verdict::kAdded ? counts.accepted : counts.refused);
    }
    if (verdict == ConnectionTable::Verdict::kAdded) {
      take(fd);
      return;
    }
    if (verdict == ConnectionTable::Verdict::kFull && !std::exchange(full, true)) {
      Tell(ResourceExhausted("TOO_MANY_CONNECTIONS",
                             address.ToString() + " has all of its " + std::to_string(options.connections_max) +
                                 " connections in use and refuses more; let clients share them, or raise the limit"));
    }
    close(fd);  // Now that Health knows what the client is about to notice.
  }

  void LookForRoom() {
    {
      std::lock_guard guard(lock);
      table.Sweep();
      if (table.size() >= options.connections_max) return;
    }
    full = false;
    if (!short_of_something) Tell(OkStatus());
  }

  void Pause(int error) {
    if (std::exchange(short_of_something, true)) return;
    {
      std::lock_guard guard(lock);
      ++counts.shortages;
    }
    Tell(Unavailable(IsShortage(error) ? "NO_DESCRIPTORS" : "CANNOT_ACCEPT",
                     "cannot accept connections on " + address.ToString() + ": " + strerror(error) +
                         "; it tries again until it can" +
                         (IsShortage(error) ? ". Raise the limit of open files or close some" : "")));
  }

  void Ease() {
    if (!std::exchange(short_of_something, false)) return;
    if (!full) Tell(OkStatus());
  }

  void Tell(Status now) {
    {
      std::lock_guard guard(lock);
      health = now;
    }
    if (options.on_health) options.on_health(now);
    const auto time = std::chrono::steady_clock::now();
    if (!now.ok() && time - told >= kTellEvery) {
      told = time;
      told_trouble = true;
      LogWarning("%s", now.message().c_str());
    } else if (now.ok() && std::exchange(told_trouble, false)) {
      LogInfo("accepts connections on %s again", address.ToString().c_str());
    }
  }

  const ListenerOptions options;
  Address address;
  std::vector<int> fds;  // Listening.
  int stop_fd = -1;      // Ends the wait of the thread, which then looks at
  std::atomic<bool> stopping{false};
  Take take;
  std::thread thread;

  // Used by the thread only.
  bool short_of_something = false, full = false;
  bool told_trouble = false;
  std::chrono::steady_clock::time_point told = std::chrono::steady_clock::now() - kTellEvery;

  std::mutex lock;  // Guards what follows.
  ConnectionTable table;
  ListenerStats counts;  // Without `open`.
  Status health;
};

Result<std::unique_ptr<Listener>> Listener::Open(const Address& address, ListenerOptions options) {
  const std::string text = address.ToString();
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  if (const int error = getaddrinfo(address.host.c_str(), nullptr, &hints, &found); error != 0) {
    return CannotListen(text, error == EAI_SYSTEM ? strerror(errno) : gai_strerror(error),
                        "check the name in " + options.setting + ", and that this machine can look it up");
  }
  Bound bound;
  for (int i = 0; i < kPortTries; ++i) {
    bound = BindAll(found, address.port, options.send_timeout);
    if (!bound.fds.empty() || address.port != 0 || bound.error != EADDRINUSE) break;
  }
  freeaddrinfo(found);
  if (bound.fds.empty()) return CannotListen(text, bound.error, options.setting);

  auto state = std::make_unique<State>(std::move(options));
  state->fds = std::move(bound.fds);
  state->address = {address.host, bound.port};
  state->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (state->stop_fd < 0) return CannotListen(text, errno, state->options.setting);
  return std::unique_ptr<Listener>(new Listener(std::move(state)));
}

Listener::Listener(std::unique_ptr<State> state) : state_(std::move(state)) {}

Listener::~Listener() { Stop(); }

Status Listener::Start(Take take) {
  state_->take = std::move(take);
  try {
    state_->thread = std::thread([state = state_.get()] { state->Loop(); });
  } catch (const std::system_error& error) {
    return Unavailable("NO_THREAD", std::string("cannot start the thread that accepts connections: ") + error.what() +
                                        "; raise the limit of processes (ulimit -u)");
  }
  pthread_setname_np(state_->thread.native_handle(), "millrace-accept");
  return OkStatus();
}

void Listener::Stop() {
  if (state_->thread.joinable()) {
    // relaxed: the write to the descriptor wakes the thread; no other data is handed over.
    state_->stopping.store(true, std::memory_order_relaxed);
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = write(state_->stop_fd, &one, sizeof(one));
    state_->thread.join();
  }
  for (const int fd : state_->fds) close(fd);
  state_->fds.clear();
}

const Address& Listener::address() const { return state_->address; }

Status Listener::Health() const {
  std::lock_guard guard(state_->lock);
  return state_->health;
}

ListenerStats Listener::Stats() const {
  std::lock_guard guard(state_->lock);
  state_->table.Sweep();
  ListenerStats stats = state_->counts;
  stats.open = state_->table.size();
  return stats;
}

}  // namespace millrace
