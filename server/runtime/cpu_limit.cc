#include "runtime/cpu_limit.h"

#include <sched.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <sstream>
#include <thread>
#include <vector>

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

struct Mount {
  std::string root;   // The part of the hierarchy that is mounted,
  std::string point;  // and where.
  bool v2;
};

// Lines of mountinfo: "36 35 98:0 /root /point options - cgroup2 source superoptions" (man 5 proc).
std::vector<Mount> CgroupMounts(const std::string& root) {
  std::vector<Mount> mounts;
  std::ifstream file(root + "/proc/self/mountinfo");
  for (std::string line; std::getline(file, line);) {
    size_t dash = line.find(" - ");
    if (dash == std::string::npos) continue;
    std::istringstream left(line.substr(0, dash)), right(line.substr(dash + 3));
    std::string id, parent, device, type, source, options;
    Mount mount{};
    left >> id >> parent >> device >> mount.root >> mount.point;
    right >> type >> source >> options;
    if (type == "cgroup2") {
      mount.v2 = true;
      mounts.push_back(mount);
    } else if (type == "cgroup" && ("," + options + ",").find(",cpu,") != std::string::npos) {
      mounts.push_back(mount);
    }
  }
  return mounts;
}

}  // namespace

double CgroupCpuQuota(const std::string& root) {
  // "0::/a/b" is v2; "3:cpu,cpuacct:/a/b" is v1.
  std::string path_v1, path_v2;
  bool has_v1 = false, has_v2 = false;
  std::ifstream file(root + "/proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    std::string controllers = line.substr(first + 1, second - first - 1), path = line.substr(second + 1);
    if (controllers.empty()) {
      has_v2 = true;
      path_v2 = path;
    } else if (("," + controllers + ",").find(",cpu,") != std::string::npos) {
      has_v1 = true;
      path_v1 = path;
    }
  }
  double quota = 0;
  for (const Mount& mount : CgroupMounts(root)) {
    if (mount.v2 ? !has_v2 : !has_v1) continue;
    std::string path = mount.v2 ? path_v2 : path_v1;
    // Inside a container only a part of the hierarchy is mounted, and our path may be given from the outside.
    if (mount.root != "/" && path.compare(0, mount.root.size(), mount.root) == 0) path = path.substr(mount.root.size());
    if (path == "/") path.clear();
    for (;;) {
      std::string folder = root + mount.point + path;
      Tighten(quota, mount.v2 ? QuotaV2(folder) : QuotaV1(folder));
      size_t slash = path.rfind('/');
      if (slash == std::string::npos) break;
      path.resize(slash);
    }
  }
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
