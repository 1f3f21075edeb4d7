// What the kernel says of this process, from /proc/self.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>

namespace millrace::metrics {

// A field is empty where the kernel does not say: a zero would be a number like any other.
struct ProcessStats {
  std::optional<double> cpu_seconds;
  std::optional<int64_t> resident_bytes;
  std::optional<int64_t> virtual_bytes;
  std::optional<int64_t> open_fds;
  std::optional<int64_t> max_fds;       // Also empty where there is no limit.
  std::optional<double> start_seconds;  // Since the epoch.
};

// Keeps the files open that it reads, so that it also works while the process has no descriptor left. Any thread.
class ProcessReader {
 public:
  ProcessReader();
  ~ProcessReader();
  ProcessReader(const ProcessReader&) = delete;
  ProcessReader& operator=(const ProcessReader&) = delete;

  ProcessStats Read();

 private:
  std::optional<int64_t> CountDescriptors();

  std::mutex mutex_;  // Guards the position in the directory, which is one for all.
  int stat_fd_ = -1;
  void* descriptors_ = nullptr;  // DIR of /proc/self/fd.
  std::optional<double> boot_seconds_;
};

}  // namespace millrace::metrics
