// Sockets: TCP over IPv4 and IPv6, and Unix sockets, as straight-line code on fibers.
//
//   Result<io::Listener> listener = io::ListenTcp({"127.0.0.1", 7007});
//   for (;;) {
//     Result<io::Socket> socket = listener->Accept();
//     if (!socket.ok()) break;
//     rt::Go([socket = std::move(*socket)]() mutable { Serve(socket); });
//   }
//
//   Contract  Sharing, closing and stopping as in io/descriptor.h; reading and writing in io/stream.h.
//   Failures  A Status whose reason is the errno's name (io/io_error.h): ECONNREFUSED, ECONNRESET, EPIPE. A peer that
//             has closed is no failure: Read gives 0.
//   Options   TCP_NODELAY is set, SO_REUSEADDR on listeners; others through fd().
#pragma once

#include <string>

#include "base/address.h"
#include "base/status.h"
#include "io/stream.h"
#include "io/until.h"

namespace millrace::io {

// A connection.
class Socket : public Stream {
 public:
  Socket() = default;
  // Owns a connected stream socket, such as one of a socketpair, and makes it non-blocking.
  static Result<Socket> Adopt(UniqueFd fd, std::string name);

  // Half close: the peer reads the end, and may still write.
  Status ShutdownWrite();

 private:
  friend class Listener;
  friend Result<Socket> ConnectTcp(const Address& address, const Until& until);
  friend Result<Socket> ConnectUnix(const std::string& path, const Until& until);
  explicit Socket(Descriptor descriptor) : Stream(std::move(descriptor), /*is_socket=*/true) {}
};

class Listener {
 public:
  Listener() = default;
  ~Listener() { Close(); }
  Listener(Listener&&) = default;
  Listener& operator=(Listener&& other) noexcept;

  // The next connection. ECONNABORTED is left out: that client is gone, and the next one comes. RESOURCE_EXHAUSTED
  // (EMFILE): the connection waits, and so should the caller.
  Result<Socket> Accept(const Until& until = {});

  // Also removes the file of a Unix socket.
  void Close();

  int port() const { return port_; }  // As chosen by the system when it was asked for 0.
  const std::string& name() const { return descriptor_.name(); }
  int fd() const { return descriptor_.fd(); }

 private:
  friend Result<Listener> ListenTcp(const Address& address, const Until& until);
  friend Result<Listener> ListenUnix(const std::string& path);

  Descriptor descriptor_;
  int port_ = 0;
  std::string path_;  // For a Unix socket.
};

// `until` bounds the look-up of a name. ALREADY_EXISTS (EADDRINUSE): somebody listens there.
Result<Listener> ListenTcp(const Address& address, const Until& until = {});
// The file must not exist.
Result<Listener> ListenUnix(const std::string& path);

// A name with several addresses: each is tried in turn, the last failure is told.
Result<Socket> ConnectTcp(const Address& address, const Until& until = {});
// UNAVAILABLE (EAGAIN): the listener's queue is full.
Result<Socket> ConnectUnix(const std::string& path, const Until& until = {});

}  // namespace millrace::io
