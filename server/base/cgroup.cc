#include "base/cgroup.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <vector>

namespace millrace {
namespace {

bool Lists(const std::string& names, const std::string& name) {
  return ("," + names + ",").find("," + name + ",") != std::string::npos;
}

struct Mount {
  std::string root;   // The part of the hierarchy that is mounted,
  std::string point;  // and where.
  bool version2;
};

// Lines of mountinfo: "36 35 98:0 /root /point options - cgroup2 source superoptions" (man 5 proc).
std::vector<Mount> Mounts(const std::string& root, const std::string& controller) {
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
    mount.version2 = type == "cgroup2";
    if (mount.version2 || (type == "cgroup" && Lists(options, controller))) mounts.push_back(mount);
  }
  return mounts;
}

int64_t ReadBytes(const std::string& path) {
  std::ifstream file(path);
  // "max" in version 2; in version 1 no limit is a number beyond any memory.
  int64_t bytes = 0;
  return file >> bytes && bytes < INT64_MAX / 2 ? bytes : 0;
}

}  // namespace

void ForEachCgroup(const std::string& root, const std::string& controller,
                   const std::function<void(const std::string& folder, bool version2)>& look) {
  // "0::/a/b" is version 2; "3:cpu,cpuacct:/a/b" is version 1.
  std::string path1, path2;
  bool has1 = false, has2 = false;
  std::ifstream file(root + "/proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    std::string controllers = line.substr(first + 1, second - first - 1), path = line.substr(second + 1);
    if (controllers.empty()) {
      has2 = true;
      path2 = path;
    } else if (Lists(controllers, controller)) {
      has1 = true;
      path1 = path;
    }
  }
  for (const Mount& mount : Mounts(root, controller)) {
    if (mount.version2 ? !has2 : !has1) continue;
    std::string path = mount.version2 ? path2 : path1;
    // Inside a container only a part of the hierarchy is mounted, and our path may be given from the outside.
    if (mount.root != "/" && path.compare(0, mount.root.size(), mount.root) == 0) path = path.substr(mount.root.size());
    if (path == "/") path.clear();
    for (;;) {
      look(root + mount.point + path, mount.version2);
      size_t slash = path.rfind('/');
      if (slash == std::string::npos) break;
      path.resize(slash);
    }
  }
}

int64_t CgroupMemoryLimit(const std::string& root) {
  int64_t limit = 0;
  auto tighten = [&limit](int64_t candidate) {
    if (candidate > 0 && (limit == 0 || candidate < limit)) limit = candidate;
  };
  ForEachCgroup(root, "memory", [&](const std::string& folder, bool version2) {
    tighten(ReadBytes(folder + (version2 ? "/memory.max" : "/memory.limit_in_bytes")));
    // memory.high: above it the kernel slows the group down until it hardly runs.
    if (version2) tighten(ReadBytes(folder + "/memory.high"));
  });
  return limit;
}

int64_t MemoryLimit(const std::string& root) {
  int64_t machine = static_cast<int64_t>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE);
  int64_t group = CgroupMemoryLimit(root);
  if (machine <= 0 || (group > 0 && group < machine)) return group;
  return machine;
}

}  // namespace millrace
