// HOST:PORT, where a server listens or a client connects.
//
// HOST is an IPv4 address, an IPv6 address in brackets, or a name; it is never left out, so that listening on every
// interface is written down ("0.0.0.0:7070").
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"

namespace millrace {

struct Address {
  std::string host;   // Without brackets.
  uint16_t port = 0;  // 0: the system chooses one.

  bool operator==(const Address&) const = default;

  // Reachable from this machine only: 127.0.0.0/8, ::1 or "localhost". Other names are not looked up and count as
  // remote.
  bool IsLoopback() const;
  bool IsIpv6() const { return host.find(':') != std::string::npos; }
  std::string ToString() const;
};

// INVALID_ARGUMENT BAD_ADDRESS, with the form that is wanted.
Result<Address> ParseAddress(std::string_view text);

}  // namespace millrace
