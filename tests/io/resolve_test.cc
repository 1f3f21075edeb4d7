#include "io/resolve.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <string>

#include "tests/io/process_fixture.h"
#include "tests/support/fibers.h"

namespace millrace::io {
namespace {

class Resolving : public Process {};

rlim_t AddressSpaceBytes() {
  size_t pages = 0;
  FILE* file = fopen("/proc/self/statm", "r");
  if (file && fscanf(file, "%zu", &pages) != 1) pages = 0;
  if (file) fclose(file);
  return pages * static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

// In a process of its own: the C library keeps the stacks of threads that have ended, and a thread needs no new memory
// then.
TEST(ResolvingRole, DISABLED_HasNoThreadForALookUp) {
  test::OnProcs(1, [] {
    rlimit before{};
    ASSERT_EQ(getrlimit(RLIMIT_AS, &before), 0);
    rlimit tight = before;
    tight.rlim_cur = AddressSpaceBytes() + (rlim_t{2} << 20);  // Less than the stack of a thread.
    ASSERT_EQ(setrlimit(RLIMIT_AS, &tight), 0);
    Result<std::vector<SocketAddress>> refused = Resolve({"localhost", 80}, "connect to", {});
    ASSERT_EQ(setrlimit(RLIMIT_AS, &before), 0);
    EXPECT_EQ(refused.status().reason(), "HOST_LOOKUP_FAILED");
    EXPECT_NE(refused.status().message().find("no thread"), std::string::npos) << refused.status().message();
    EXPECT_TRUE(Resolve({"localhost", 80}, "connect to", {}).ok());
  });
}

TEST_F(Resolving, ALookUpForWhichNoThreadCanBeHadIsAnErrorAndTheNextOneWorks) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "a sanitizer needs more address space than can be limited";
#endif
  char path[4096] = {};
  (void)!readlink("/proc/self/exe", path, sizeof path - 1);
  ProcessSpec role{.program = path,
                   .argv = {path, "--gtest_also_run_disabled_tests", "--gtest_filter=ResolvingRole.*"},
                   .env = {"PATH=/usr/bin:/bin"}};
  Result<ProcessExit> exit = Run(role);
  ASSERT_TRUE(exit.ok());
  EXPECT_TRUE(exit->success()) << exit->output;
}

}  // namespace
}  // namespace millrace::io
