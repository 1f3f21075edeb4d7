#include "metrics/process_stats.h"

#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace millrace::metrics {
namespace {

std::string ReadFile(const char* path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// Field `number`, from 1, of /proc/self/stat (proc(5)); the command's name, field 2, may hold spaces and ends at the last ')'.
std::string StatField(const std::string& stat, int number) {
  size_t end = stat.rfind(')');
  if (end == std::string::npos) return "";
  std::istringstream rest(stat.substr(end + 1));
  std::string field;
  for (int i = 3; i <= number && rest; ++i) rest >> field;
  return rest ? field : "";
}

double BootTimeSeconds() {
  std::istringstream lines(ReadFile("/proc/stat"));
  std::string word;
  double seconds = 0;
  while (lines >> word) {
    if (word == "btime" && lines >> seconds) break;
  }
  return seconds;
}

double ToNumber(const std::string& text) { return text.empty() ? 0 : std::stod(text); }

}  // namespace

ProcessStats ReadProcessStats() {
  ProcessStats stats;
  const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
  const std::string stat = ReadFile("/proc/self/stat");
  stats.start_seconds = BootTimeSeconds() + ToNumber(StatField(stat, 22)) / ticks;
  stats.virtual_bytes = static_cast<int64_t>(ToNumber(StatField(stat, 23)));
  stats.resident_bytes = static_cast<int64_t>(ToNumber(StatField(stat, 24))) * sysconf(_SC_PAGESIZE);

  rusage usage{};
  if (getrusage(RUSAGE_SELF, &usage) == 0) {
    stats.cpu_seconds = static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                        static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
  }

  std::error_code error;
  for (std::filesystem::directory_iterator fd("/proc/self/fd", error), end; !error && fd != end; fd.increment(error)) {
    ++stats.open_fds;
  }
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) stats.max_fds = static_cast<int64_t>(limit.rlim_cur);
  return stats;
}

}  // namespace millrace::metrics
