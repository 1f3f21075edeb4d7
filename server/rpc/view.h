// View: which parts of a job an answer carries, as proto's JobView. The numbers are part of page tokens.
#pragma once

#include <cstdint>

namespace millrace::rpc {

enum class View : uint8_t { kBasic = 0, kFull = 1, kResult = 2 };

}  // namespace millrace::rpc
