#include "io/socket.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <utility>
#include <vector>

#include "io/io_error.h"
#include "io/resolve.h"

namespace millrace::io {
namespace {

UniqueFd NewSocket(int family) { return UniqueFd(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)); }

void SetOption(int fd, int level, int option) {
  int on = 1;
  setsockopt(fd, level, option, &on, sizeof on);
}

// Small messages leave at once, as in Go: whoever wants fewer packets writes larger parts.
void SetNoDelay(int fd, int family) {
  if (family != AF_UNIX) SetOption(fd, IPPROTO_TCP, TCP_NODELAY);
}

Result<Descriptor> Connect(const SocketAddress& address, const std::string& name, const Until& until) {
  const std::string what = "cannot connect to " + name;
  UniqueFd fd = NewSocket(address.family());
  if (!fd.valid()) return IoError(errno, what);
  int result;
  do result = ::connect(fd.get(), address.get(), address.length);
  while (result < 0 && errno == EINTR);
  if (result < 0) {
    if (errno != EINPROGRESS) return IoError(errno, what);
    Result<Descriptor> connecting = Descriptor::Adopt(std::move(fd), name);
    if (!connecting.ok()) return connecting;
    MR_RETURN_IF_ERROR(connecting->Wait(Direction::kWrite, "connect to", until));
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(connecting->fd(), SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) return IoError(error, what);
    // Given to Asio anew below: having waited to write, it would go on to look at that each time a read waits.
    fd = connecting->Release();
  }
  SetNoDelay(fd.get(), address.family());
  return Descriptor::Adopt(std::move(fd), name);
}

Result<Descriptor> Listen(const SocketAddress& address, const std::string& name) {
  const std::string what = "cannot listen on " + name;
  UniqueFd fd = NewSocket(address.family());
  if (!fd.valid()) return IoError(errno, what);
  if (address.family() != AF_UNIX) SetOption(fd.get(), SOL_SOCKET, SO_REUSEADDR);
  if (::bind(fd.get(), address.get(), address.length) != 0 || ::listen(fd.get(), SOMAXCONN) != 0) {
    return IoError(errno, what);
  }
  return Descriptor::Adopt(std::move(fd), name);
}

}  // namespace

Result<Socket> Socket::Adopt(UniqueFd fd, std::string name) {
  if (fcntl(fd.get(), F_SETFL, fcntl(fd.get(), F_GETFL) | O_NONBLOCK) != 0) {
    return IoError(errno, "cannot use " + name);
  }
  Result<Descriptor> descriptor = Descriptor::Adopt(std::move(fd), std::move(name));
  if (!descriptor.ok()) return descriptor.status();
  return Socket(std::move(*descriptor));
}

Status Socket::ShutdownWrite() {
  Result<size_t> done = descriptor_.Do(Direction::kWrite, "shut down", {},
                                       [](int fd) -> ssize_t { return OrErrno(::shutdown(fd, SHUT_WR)); });
  return done.ok() ? OkStatus() : done.status();
}

Listener& Listener::operator=(Listener&& other) noexcept {
  if (this != &other) {
    Close();
    descriptor_ = std::move(other.descriptor_);
    port_ = other.port_;
    path_ = std::exchange(other.path_, {});
  }
  return *this;
}

Result<Socket> Listener::Accept(const Until& until) {
  SocketAddress peer;
  UniqueFd fd;
  Result<size_t> done = descriptor_.Do(Direction::kRead, "accept from", until, [&](int listener) -> ssize_t {
    do {
      peer.length = sizeof peer.storage;
      fd.Reset(::accept4(listener, peer.get(), &peer.length, SOCK_NONBLOCK | SOCK_CLOEXEC));
    } while (!fd.valid() && errno == ECONNABORTED);
    return fd.valid() ? 0 : -errno;
  });
  if (!done.ok()) return done.status();
  SetNoDelay(fd.get(), peer.family());
  std::string name = peer.family() == AF_UNIX ? "a client of " + path_ : peer.ToString();
  Result<Descriptor> descriptor = Descriptor::Adopt(std::move(fd), std::move(name));
  if (!descriptor.ok()) return descriptor.status();
  return Socket(std::move(*descriptor));
}

void Listener::Close() {
  // First the file: afterwards it could be somebody else's.
  if (!path_.empty()) ::unlink(path_.c_str());
  path_.clear();
  descriptor_.Close();
}

Result<Listener> ListenTcp(const Address& address, const Until& until) {
  auto found = Resolve(address, "listen on", until);
  if (!found.ok()) return found.status();
  Result<Descriptor> descriptor = Listen(found->front(), address.ToString());
  if (!descriptor.ok()) return descriptor.status();
  SocketAddress bound;
  getsockname(descriptor->fd(), bound.get(), &bound.length);
  Listener listener;
  listener.descriptor_ = std::move(*descriptor);
  listener.port_ = bound.port();
  return listener;
}

Result<Listener> ListenUnix(const std::string& path) {
  Result<SocketAddress> address = UnixAddress(path);
  if (!address.ok()) return address.status();
  Result<Descriptor> descriptor = Listen(*address, path);
  if (!descriptor.ok()) return descriptor.status();
  Listener listener;
  listener.descriptor_ = std::move(*descriptor);
  listener.path_ = path;
  return listener;
}

Result<Socket> ConnectTcp(const Address& address, const Until& until) {
  auto found = Resolve(address, "connect to", until);
  if (!found.ok()) return found.status();
  Status failed;
  for (const SocketAddress& each : *found) {
    Result<Descriptor> descriptor = Connect(each, address.ToString(), until);
    if (descriptor.ok()) return Socket(std::move(*descriptor));
    failed = descriptor.status();
    if (until.cancel.cancelled() || until.expired()) break;
  }
  return failed;
}

Result<Socket> ConnectUnix(const std::string& path, const Until& until) {
  Result<SocketAddress> address = UnixAddress(path);
  if (!address.ok()) return address.status();
  Result<Descriptor> descriptor = Connect(*address, path, until);
  if (!descriptor.ok()) return descriptor.status();
  return Socket(std::move(*descriptor));
}

}  // namespace millrace::io
