#include "base/cgroup.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace millrace {
namespace {

namespace fs = std::filesystem;

// A root folder with just the files that are read. How groups are found is also the subject of
// runtime/cpu_limit_test.cc.
class CgroupMemory : public ::testing::Test {
 protected:
  void SetUp() override {
    root_ = fs::path(::testing::TempDir()) / ("cgroup_memory_" + std::to_string(getpid()));
    fs::remove_all(root_);
  }
  void TearDown() override { fs::remove_all(root_); }

  void Write(const std::string& path, const std::string& text) {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }
  int64_t Limit() { return CgroupMemoryLimit(root_.string()); }

  fs::path root_;
};

constexpr char kMountV2[] = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n";
constexpr char kMountV1[] = "33 32 0:29 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n";

TEST_F(CgroupMemory, IsUnlimitedWithoutCgroups) { EXPECT_EQ(Limit(), 0); }

TEST_F(CgroupMemory, OfVersion2TheTightestAncestorDecides) {
  Write("proc/self/cgroup", "0::/slice/app\n");
  Write("proc/self/mountinfo", kMountV2);
  Write("sys/fs/cgroup/slice/app/memory.max", "max\n");
  EXPECT_EQ(Limit(), 0);
  Write("sys/fs/cgroup/slice/memory.max", "134217728\n");
  EXPECT_EQ(Limit(), 134217728);
  Write("sys/fs/cgroup/slice/app/memory.high", "67108864\n");
  EXPECT_EQ(Limit(), 67108864);
  EXPECT_EQ(MemoryLimit(root_.string()), 67108864);
}

TEST_F(CgroupMemory, OfVersion1ANumberBeyondAnyMemoryIsNone) {
  Write("proc/self/cgroup", "4:memory:/app\n");
  Write("proc/self/mountinfo", kMountV1);
  Write("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  EXPECT_EQ(Limit(), 0);
  Write("sys/fs/cgroup/memory/app/memory.limit_in_bytes", "268435456\n");
  EXPECT_EQ(Limit(), 268435456);
}

TEST_F(CgroupMemory, WithoutALimitTheMachineIsTheLimit) {
  EXPECT_EQ(MemoryLimit(root_.string()), static_cast<int64_t>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE));
}

}  // namespace
}  // namespace millrace
