#include "client/call_metadata.h"

#include <algorithm>

namespace millrace::client {

Status CheckMetadata(const std::vector<std::pair<std::string, std::string>>& metadata) {
  const auto is_name = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
  };
  const auto is_visible = [](char c) { return c >= ' ' && c <= '~'; };
  for (const auto& [name, value] : metadata) {
    if (name.empty() || !std::all_of(name.begin(), name.end(), is_name) || name.starts_with("grpc-") ||
        name.ends_with("-bin")) {
      return InvalidArgument("BAD_METADATA",
                             "'" + name + "' is no name for metadata: use [a-z0-9_.-], not grpc-* or *-bin");
    }
    if (!std::all_of(value.begin(), value.end(), is_visible)) {
      return InvalidArgument("BAD_METADATA", "the value of '" + name + "' is not visible ASCII");
    }
  }
  return OkStatus();
}

}  // namespace millrace::client
