// Metadata that a user of the library has sent with every call (ClientOptions::metadata).
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/status.h"

namespace millrace::client {

// INVALID_ARGUMENT BAD_METADATA: gRPC would end the process for it.
Status CheckMetadata(const std::vector<std::pair<std::string, std::string>>& metadata);

}  // namespace millrace::client
