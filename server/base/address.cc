#include "base/address.h"

#include <arpa/inet.h>

#include <charconv>

namespace millrace {
namespace {

Status BadAddress(std::string_view text, const std::string& problem) {
  return InvalidArgument("BAD_ADDRESS", "'" + std::string(text) + "' is not an address: " + problem +
                                            "; write HOST:PORT, such as 127.0.0.1:7070 or [::1]:7070");
}

bool IsIpv6Literal(const std::string& host) {
  in6_addr ignored;
  return inet_pton(AF_INET6, host.c_str(), &ignored) == 1;
}

bool IsIpv4Literal(const std::string& host) {
  in_addr ignored;
  return inet_pton(AF_INET, host.c_str(), &ignored) == 1;
}

bool IsName(const std::string& host) {
  bool has_letter = false;
  for (char c : host) {
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    has_letter |= letter;
    if (!letter && !(c >= '0' && c <= '9') && c != '-' && c != '.' && c != '_') return false;
  }
  return has_letter && host.size() <= 253;
}

}  // namespace

bool Address::IsLoopback() const {
  if (host == "localhost" || host == "::1") return true;
  return IsIpv4Literal(host) && host.starts_with("127.");
}

std::string Address::ToString() const { return (IsIpv6() ? "[" + host + "]" : host) + ":" + std::to_string(port); }

Result<Address> ParseAddress(std::string_view text) {
  size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return BadAddress(text, "the port is missing");
  std::string host(text.substr(0, colon));
  std::string_view port = text.substr(colon + 1);

  Address address;
  auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), address.port);
  if (error != std::errc() || end != port.data() + port.size()) {
    return BadAddress(text, "the port must be a number from 0 to 65535");
  }
  if (host.empty()) return BadAddress(text, "the host is missing (0.0.0.0 means every interface)");
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
    if (!IsIpv6Literal(host)) return BadAddress(text, "'" + host + "' is not an IPv6 address");
  } else if (host.find(':') != std::string::npos) {
    return BadAddress(text, "an IPv6 address goes in brackets");
  } else if (!IsIpv4Literal(host) && !IsName(host)) {
    return BadAddress(text, "'" + host + "' is neither an IPv4 address nor a name");
  }
  address.host = std::move(host);
  return address;
}

}  // namespace millrace
