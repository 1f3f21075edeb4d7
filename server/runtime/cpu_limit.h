// How many processors are worth having: the CPUs this process may use, or fewer when its cgroup has a quota.
//
//   CpuLimit = min(CPUs in the affinity mask, smallest quota on the path from our cgroup to the root, rounded up), at
//   least 1.
//
// cgroup v2 (cpu.max) and v1 (cpu.cfs_quota_us / cpu.cfs_period_us), also both at once. Rounded up: a quota of 1.5 CPUs
// is worth two processors, since fibers wait now and then (as Go 1.25, which also rounds up).
#pragma once

#include <string>

namespace millrace::rt {

// `root` stands for "/" in tests; it holds proc/self/cgroup, proc/self/mountinfo and sys/fs/cgroup.
int CpuLimit(const std::string& root = "");

// The quota in CPUs; 0: none.
double CgroupCpuQuota(const std::string& root = "");

}  // namespace millrace::rt
