// From an Address to what the kernel wants: a socket address.
#pragma once

#include <sys/socket.h>

#include <string>
#include <vector>

#include "base/address.h"
#include "base/status.h"
#include "io/until.h"

namespace millrace::io {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = sizeof(sockaddr_storage);

  int family() const { return storage.ss_family; }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
  // "127.0.0.1:80", "[::1]:80", a path, or "a nameless socket".
  std::string ToString() const;
  int port() const;  // 0 for a Unix socket.
};

// In the order in which they should be tried; at least one. A name is looked up by the system's resolver, on a thread
// of Asio's; when `until` is over that thread is left to finish alone. `verb` as in io/descriptor.h. NOT_FOUND
// HOST_NOT_FOUND, UNAVAILABLE HOST_LOOKUP_FAILED.
Result<std::vector<SocketAddress>> Resolve(const Address& address, const char* verb, const Until& until);

// INVALID_ARGUMENT BAD_ADDRESS: a path longer than the 107 bytes a Unix socket may have, or none.
Result<SocketAddress> UnixAddress(const std::string& path);

}  // namespace millrace::io
