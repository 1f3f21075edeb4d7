// File systems of a test's own, without trace for the machine: the test runs once more, alone in a process with a mount
// namespace.
#pragma once

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <functional>
#include <string>

#include "base/check.h"
#include "tests/support/alone.h"
#include "tests/support/temp_folder.h"

namespace millrace::test {

inline constexpr const char* kNoMounts = "no mounts: ";

// Empty, or why not.
inline std::string EnterMountNamespace() {
  const std::string uid = std::to_string(geteuid()), gid = std::to_string(getegid());
  if (unshare(CLONE_NEWNS) != 0) {
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return std::string("unshare: ") + strerror(errno);
    std::ofstream("/proc/self/setgroups") << "deny";
    std::ofstream("/proc/self/uid_map") << "0 " + uid + " 1";
    std::ofstream("/proc/self/gid_map") << "0 " + gid + " 1";
  }
  if (mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return std::string("mount: ") + strerror(errno);
  return "";
}

// The last thing in a test. Skips it where the system does not allow this.
inline void WithOwnMounts(const std::function<void()>& body) {
  if (getenv("MILLRACE_OWN_MOUNTS") != nullptr) {
    const std::string why = EnterMountNamespace();
    if (!why.empty()) {
      printf("%s%s\n", kNoMounts, why.c_str());
      return;
    }
    body();
    return;
  }
  const auto [status, said] = RunAlone("MILLRACE_OWN_MOUNTS");
  EXPECT_EQ(status, 0) << said;
  if (const size_t at = said.find(kNoMounts); at != std::string::npos) {
    GTEST_SKIP() << said.substr(at, said.find('\n', at) - at);
  }
}

// A disk of so many bytes, in memory. Inside WithOwnMounts.
class SmallDisk {
 public:
  explicit SmallDisk(size_t bytes) { Mount(0, bytes); }
  ~SmallDisk() { umount2(folder_.path().c_str(), MNT_DETACH); }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  std::string operator/(const std::string& name) const { return folder_ / name; }
  void Resize(size_t bytes) { Mount(MS_REMOUNT, bytes); }
  // False while a file on it is open for writing.
  bool TryReadOnly(size_t bytes) { return TryMount(MS_REMOUNT | MS_RDONLY, bytes); }

 private:
  bool TryMount(unsigned long flags, size_t bytes) {
    const std::string size = "size=" + std::to_string(bytes);
    return mount("millrace-test", folder_.path().c_str(), "tmpfs", flags, size.c_str()) == 0;
  }
  void Mount(unsigned long flags, size_t bytes) {
    MR_CHECK(TryMount(flags, bytes), "cannot mount a disk of %zu bytes: %s", bytes, strerror(errno));
  }

  TempFolder folder_;
};

}  // namespace millrace::test
