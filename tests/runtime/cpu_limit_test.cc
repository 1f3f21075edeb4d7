#include "runtime/cpu_limit.h"

#include <gtest/gtest.h>

#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "runtime/runtime.h"

namespace millrace::rt {
namespace {

namespace fs = std::filesystem;

// A root folder with just the files that CgroupCpuQuota reads.
class CgroupQuota : public ::testing::Test {
 protected:
  void SetUp() override {
    root_ = fs::path(::testing::TempDir()) / ("cpu_limit_" + std::to_string(getpid()));
    fs::remove_all(root_);
  }
  void TearDown() override { fs::remove_all(root_); }

  void Write(const std::string& path, const std::string& text) {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }
  double Quota() { return CgroupCpuQuota(root_.string()); }

  fs::path root_;
};

constexpr char kMountV2[] = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n";
constexpr char kMountV1[] = "33 32 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n";

TEST_F(CgroupQuota, IsNoneWithoutCgroups) { EXPECT_EQ(Quota(), 0); }

TEST_F(CgroupQuota, OfVersion2IsQuotaByPeriod) {
  Write("proc/self/cgroup", "0::/app\n");
  Write("proc/self/mountinfo", kMountV2);
  Write("sys/fs/cgroup/app/cpu.max", "150000 100000\n");
  EXPECT_DOUBLE_EQ(Quota(), 1.5);
}

TEST_F(CgroupQuota, OfVersion2MaxIsNone) {
  Write("proc/self/cgroup", "0::/app\n");
  Write("proc/self/mountinfo", kMountV2);
  Write("sys/fs/cgroup/app/cpu.max", "max 100000\n");
  EXPECT_EQ(Quota(), 0);
}

TEST_F(CgroupQuota, TheTightestAncestorDecides) {
  Write("proc/self/cgroup", "0::/slice/app\n");
  Write("proc/self/mountinfo", kMountV2);
  Write("sys/fs/cgroup/slice/cpu.max", "50000 100000\n");
  Write("sys/fs/cgroup/slice/app/cpu.max", "400000 100000\n");
  EXPECT_DOUBLE_EQ(Quota(), 0.5);
}

TEST_F(CgroupQuota, OfVersion1IsReadFromItsTwoFiles) {
  Write("proc/self/cgroup", "4:memory:/x\n3:cpu,cpuacct:/app\n");
  Write("proc/self/mountinfo", kMountV1);
  Write("sys/fs/cgroup/cpu,cpuacct/app/cpu.cfs_quota_us", "250000\n");
  Write("sys/fs/cgroup/cpu,cpuacct/app/cpu.cfs_period_us", "100000\n");
  EXPECT_DOUBLE_EQ(Quota(), 2.5);
}

TEST_F(CgroupQuota, OfVersion1MinusOneIsNone) {
  Write("proc/self/cgroup", "3:cpu,cpuacct:/app\n");
  Write("proc/self/mountinfo", kMountV1);
  Write("sys/fs/cgroup/cpu,cpuacct/app/cpu.cfs_quota_us", "-1\n");
  Write("sys/fs/cgroup/cpu,cpuacct/app/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(Quota(), 0);
}

TEST_F(CgroupQuota, InAContainerThePathFromOutsideIsCutAtTheMountsRoot) {
  Write("proc/self/cgroup", "3:cpu:/docker/abc\n");
  Write("proc/self/mountinfo", "33 32 0:29 /docker/abc /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu\n");
  Write("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "100000\n");
  Write("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  EXPECT_DOUBLE_EQ(Quota(), 1.0);
}

TEST_F(CgroupQuota, TightensTheLimitRoundedUp) {
  Write("proc/self/cgroup", "0::/\n");
  Write("proc/self/mountinfo", kMountV2);
  Write("sys/fs/cgroup/cpu.max", "10000 100000\n");
  EXPECT_EQ(CpuLimit(root_.string()), 1);
}

// A runtime that nobody has told a number of processors.
class FollowedQuota : public CgroupQuota, public ::testing::WithParamInterface<int> {
 protected:
  void SetUp() override {
    CgroupQuota::SetUp();
    if (CpuLimit((root_ / "nothing").string()) < 2) GTEST_SKIP() << "with one CPU the limit is always 1";
    unsetenv("MILLRACE_PROCS");
    bool v2 = GetParam() == 2;
    Write("proc/self/cgroup", v2 ? "0::/app\n" : "3:cpu,cpuacct:/app\n");
    Write("proc/self/mountinfo", v2 ? kMountV2 : kMountV1);
    Write("sys/fs/cgroup/cpu,cpuacct/app/cpu.cfs_period_us", "100000\n");
  }
  // Renamed into its place: whoever reads it meanwhile sees the old or the new one.
  void SetQuota(int percent) {
    std::string quota = std::to_string(percent * 1000);
    std::string path = GetParam() == 2 ? "sys/fs/cgroup/app/cpu.max" : "sys/fs/cgroup/cpu,cpuacct/app/cpu.cfs_quota_us";
    Write(path + ".new", GetParam() == 2 ? quota + " 100000\n" : quota + "\n");
    fs::rename(root_ / (path + ".new"), root_ / path);
  }
  static void AwaitProcs(int procs) {
    while (Procs() != procs) SleepFor(std::chrono::milliseconds(1));
  }
};
INSTANTIATE_TEST_SUITE_P(Version, FollowedQuota, ::testing::Values(1, 2));

TEST_P(FollowedQuota, ChangesTheProcessorsWhileTheyRun) {
  SetQuota(100);
  std::string root = root_.string();
  Runtime runtime({.cgroup_root = root.c_str()});
  EXPECT_EQ(runtime.procs(), 1);
  runtime.Run([&] {
    SetQuota(150);
    AwaitProcs(2);
    SetQuota(30);
    AwaitProcs(1);
  });
}

TEST_P(FollowedQuota, IsNoLongerFollowedOnceTheProgramHasSaidANumber) {
  SetQuota(100);
  std::string root = root_.string();
  Runtime stubborn({.cgroup_root = root.c_str()}), follower({.cgroup_root = root.c_str()});
  stubborn.Run([&] {
    SetProcs(3);
    // By the time the other one has seen two changes, this one would have seen one.
    std::thread([&] {
      follower.Run([&] {
        SetQuota(200);
        AwaitProcs(2);
        SetQuota(100);
        AwaitProcs(1);
      });
    }).join();
    EXPECT_EQ(Procs(), 3);
  });
}

TEST(CpuLimit, IsAtLeastOne) { EXPECT_GE(CpuLimit(), 1); }

}  // namespace
}  // namespace millrace::rt
