#include "base/open_files.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <system_error>

namespace millrace {
namespace {

std::optional<rlimit> before;

rlimit Now() {
  rlimit limit{1024, 1024};
  getrlimit(RLIMIT_NOFILE, &limit);
  return limit;
}

}  // namespace

void RaiseOpenFilesLimit() {
  before = Now();
  const rlimit raised{before->rlim_max, before->rlim_max};
  setrlimit(RLIMIT_NOFILE, &raised);  // Where a sandbox forbids it, the soft limit stays.
}

int64_t OpenFilesLeft() {
  int64_t open = 0;
  std::error_code error;
  for (auto file = std::filesystem::directory_iterator("/proc/self/fd", error);
       !error && file != std::filesystem::directory_iterator(); file.increment(error)) {
    ++open;
  }
  return std::max<int64_t>(0, static_cast<int64_t>(std::min<rlim_t>(Now().rlim_cur, INT32_MAX)) - open);
}

int SpareDescriptors() { return static_cast<int>(std::min<rlim_t>(Now().rlim_cur / 8, 128)); }

rlimit OpenFilesLimitOfChildren() { return before.value_or(Now()); }

}  // namespace millrace
