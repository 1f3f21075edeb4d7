// Limits that a container or a service manager has put on this process: control groups, version 2 and version 1, also
// both at once.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace millrace {

// Calls `look` with each folder from our group up to the root of what is mounted: of version 2, and of version 1 where
// the hierarchy has the controller ("cpu", "memory"). Tests give a folder as `root`, which stands for "/" and holds
// proc/self/cgroup, proc/self/mountinfo and sys/fs/cgroup.
void ForEachCgroup(const std::string& root, const std::string& controller,
                   const std::function<void(const std::string& folder, bool version2)>& look);

// The smallest limit on the memory of our groups, in bytes; 0: none.
int64_t CgroupMemoryLimit(const std::string& root = "");

// What this process can have: the machine's memory, or the limit of its groups if that is less. 0: unknown.
int64_t MemoryLimit(const std::string& root = "");

}  // namespace millrace
