// Stands for server/runtime/backoff.h: how long a wait takes has no meaning here, only that others go on meanwhile.
#pragma once

#include <cstdint>

#include "runtime/futex.h"

namespace millrace::rt {

class Backoff {
 public:
  Backoff(uint64_t, uint64_t) {}

  bool Pause(model::Where where = model::Where::current()) {
    if (left_-- == 0) return false;
    CpuRelax(where);
    return true;
  }

 private:
  int left_ = 30;
};

}  // namespace millrace::rt
