// What the kernel says of this process, from /proc/self.
#pragma once

#include <cstdint>

namespace millrace::metrics {

struct ProcessStats {
  double cpu_seconds = 0;
  int64_t resident_bytes = 0;
  int64_t virtual_bytes = 0;
  int64_t open_fds = 0;
  int64_t max_fds = 0;
  double start_seconds = 0;  // Since the epoch.
};

// A number that cannot be read is zero. Any thread.
ProcessStats ReadProcessStats();

}  // namespace millrace::metrics
