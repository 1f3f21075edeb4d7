#include "metrics/process_stats.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <charconv>
#include <fstream>
#include <sstream>
#include <string>

namespace millrace::metrics {
namespace {

// Field `number`, from 1, of /proc/self/stat (proc(5)); the command's name, field 2, may hold spaces and ends at the
// last ')'.
std::optional<int64_t> StatField(const std::string& stat, int number) {
  size_t end = stat.rfind(')');
  if (end == std::string::npos) return {};
  std::istringstream rest(stat.substr(end + 1));
  std::string field;
  for (int i = 3; i <= number && rest; ++i) rest >> field;
  int64_t value = 0;
  if (!rest || std::from_chars(field.data(), field.data() + field.size(), value).ec != std::errc()) return {};
  return value;
}

std::optional<double> BootTimeSeconds() {
  std::ifstream lines("/proc/stat");
  std::string word;
  double seconds = 0;
  while (lines >> word) {
    if (word == "btime" && lines >> seconds) return seconds;
  }
  return {};
}

}  // namespace

ProcessReader::ProcessReader()
    : stat_fd_(open("/proc/self/stat", O_RDONLY | O_CLOEXEC)),
      descriptors_(opendir("/proc/self/fd")),
      boot_seconds_(BootTimeSeconds()) {}

ProcessReader::~ProcessReader() {
  if (stat_fd_ >= 0) close(stat_fd_);
  if (descriptors_ != nullptr) closedir(static_cast<DIR*>(descriptors_));
}

std::optional<int64_t> ProcessReader::CountDescriptors() {
  if (descriptors_ == nullptr) return {};
  std::lock_guard lock(mutex_);
  auto* folder = static_cast<DIR*>(descriptors_);
  rewinddir(folder);
  int64_t count = 0;
  while (const dirent* entry = readdir(folder)) count += entry->d_name[0] != '.';
  return count;
}

ProcessStats ProcessReader::Read() {
  ProcessStats stats;
  std::string stat(1024, '\0');  // Some 52 numbers.
  const ssize_t read = stat_fd_ >= 0 ? pread(stat_fd_, stat.data(), stat.size(), 0) : -1;
  stat.resize(read > 0 ? static_cast<size_t>(read) : 0);
  const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
  if (std::optional<int64_t> start = StatField(stat, 22); start && boot_seconds_) {
    stats.start_seconds = *boot_seconds_ + static_cast<double>(*start) / ticks;
  }
  stats.virtual_bytes = StatField(stat, 23);
  stats.resident_bytes = StatField(stat, 24);
  if (stats.resident_bytes) *stats.resident_bytes *= sysconf(_SC_PAGESIZE);

  rusage usage{};
  if (getrusage(RUSAGE_SELF, &usage) == 0) {
    stats.cpu_seconds = static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                        static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
  }
  stats.open_fds = CountDescriptors();
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
    stats.max_fds = static_cast<int64_t>(limit.rlim_cur);
  }
  return stats;
}

}  // namespace millrace::metrics
