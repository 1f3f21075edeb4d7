#include "runtime/cpu_limit.h"

#include <sched.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <thread>

#include "base/cgroup.h"

namespace millrace::rt {

namespace {

void Tighten(double& quota, double candidate) {
  if (candidate > 0 && (quota == 0 || candidate < quota)) quota = candidate;
}

// "max 100000" or "150000 100000".
double QuotaV2(const std::string& folder) {
  std::ifstream file(folder + "/cpu.max");
  std::string quota;
  double period = 0;
  if (!(file >> quota >> period) || quota == "max" || period <= 0) return 0;
  return std::strtod(quota.c_str(), nullptr) / period;
}

double QuotaV1(const std::string& folder) {
  double quota = 0, period = 0;
  std::ifstream(folder + "/cpu.cfs_quota_us") >> quota;
  std::ifstream(folder + "/cpu.cfs_period_us") >> period;
  return quota > 0 && period > 0 ? quota / period : 0;
}

}  // namespace

double CgroupCpuQuota(const std::string& root) {
  double quota = 0;
  ForEachCgroup(root, "cpu", [&quota](const std::string& folder, bool version2) {
    Tighten(quota, version2 ? QuotaV2(folder) : QuotaV1(folder));
  });
  return quota;
}

int CpuLimit(const std::string& root) {
  cpu_set_t affinity;
  CPU_ZERO(&affinity);
  int cpus = sched_getaffinity(0, sizeof affinity, &affinity) == 0
                 ? CPU_COUNT(&affinity)
                 : static_cast<int>(std::thread::hardware_concurrency());
  double quota = CgroupCpuQuota(root);
  if (quota > 0) cpus = std::min(cpus, static_cast<int>(std::ceil(quota)));
  return std::max(1, cpus);
}

}  // namespace millrace::rt
