#include "io/process_limits.h"

#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <optional>

#include "base/open_files.h"

namespace millrace::io {
namespace {

struct Words {
  __rlimit_resource resource;
  const char* what;
  char ulimit;  // The option of the shell's command.
};

constexpr Words kWords[] = {
    {RLIMIT_CORE, "blocks of a core file", 'c'}, {RLIMIT_CPU, "seconds of CPU time", 't'},
    {RLIMIT_AS, "bytes of memory", 'v'},         {RLIMIT_FSIZE, "bytes of a file", 'f'},
    {RLIMIT_NOFILE, "open files", 'n'},          {RLIMIT_NPROC, "processes", 'u'},
};

bool IsAboveHardLimit(const ResourceLimit& limit, rlimit* own) {
  return getrlimit(limit.resource, own) == 0 && limit.value.rlim_max > own->rlim_max;
}

// The capability is the calling thread's, and a child that it starts has it too.
bool MayRaiseHardLimits() {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {};
  if (syscall(SYS_capget, &header, sets) != 0) return false;
  return (sets[CAP_TO_INDEX(CAP_SYS_RESOURCE)].effective & CAP_TO_MASK(CAP_SYS_RESOURCE)) != 0;
}

}  // namespace

ResourceLimits ResourceLimitsOf(const ProcessLimits& limits) {
  ResourceLimits result;
  auto add = [&result](__rlimit_resource resource, std::optional<int64_t> value, rlim_t headroom = 0) {
    if (!value) return;
    auto soft = static_cast<rlim_t>(*value);
    result.all[result.count++] = {resource, {soft, soft + headroom}};
  };
  add(RLIMIT_CORE, 0);
  add(RLIMIT_CPU, limits.cpu_seconds, 1);
  add(RLIMIT_AS, limits.address_space_bytes);
  add(RLIMIT_FSIZE, limits.file_bytes);
  if (limits.open_files) {
    add(RLIMIT_NOFILE, limits.open_files);
  } else {
    result.all[result.count++] = {RLIMIT_NOFILE, OpenFilesLimitOfChildren()};
  }
  add(RLIMIT_NPROC, limits.processes);
  return result;
}

std::string DescribeLimit(const ResourceLimit& limit) {
  std::string text = std::to_string(limit.value.rlim_max);
  for (const Words& words : kWords) {
    if (words.resource != limit.resource) continue;
    text += std::string(" ") + words.what;
    if (rlimit own{}; IsAboveHardLimit(limit, &own)) {
      text += " (the hard limit of this process is " + std::to_string(own.rlim_max) + ", see ulimit -H" + words.ulimit +
              ")";
    }
  }
  return text;
}

std::string LimitProblem(const ProcessLimits& limits) {
  if (MayRaiseHardLimits()) return "";
  const ResourceLimits resources = ResourceLimitsOf(limits);
  for (size_t i = 0; i < resources.count; ++i) {
    if (rlimit own{}; IsAboveHardLimit(resources.all[i], &own)) return DescribeLimit(resources.all[i]);
  }
  return "";
}

}  // namespace millrace::io
