#include "runtime/library_code.h"

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>

#include "runtime/preempt.h"
#include "runtime/runtime.h"
#include "tests/support/long_call.h"

namespace millrace::rt {
namespace {

// The address that the program has for a library's function may be one in its own code, so it is looked up.
uintptr_t AddressOf(const char* function) { return reinterpret_cast<uintptr_t>(dlsym(RTLD_DEFAULT, function)); }

TEST(LibraryCode, OfTheCLibraryAndTheCppRuntimeMayHoldLocks) {
  LearnLibraries();
  for (const char* function : {"malloc", "qsort", "__cxa_throw", "_Unwind_RaiseException"}) {
    ASSERT_NE(AddressOf(function), 0u) << function;
    EXPECT_TRUE(MayHoldProcessLocks(AddressOf(function))) << function;
  }
  EXPECT_FALSE(MayHoldProcessLocks(AddressOf("LongCall")));
  EXPECT_FALSE(MayHoldProcessLocks(reinterpret_cast<uintptr_t>(&LearnLibraries)));
}

// Main returns while a fiber is in the middle of a long call into a library: the run ends before the call.
void EndDuringALongCall() {
  static std::atomic<bool> begun{false}, came_back{false};
  Runtime({.procs = 2}).Run([] {
    Go([] {
      begun = true;
      LongCall(5'000'000'000);
      came_back = true;
    });
    while (!begun) Yield();
  });
  _exit(came_back ? 1 : 0);
}

// In a process of its own: the fiber is there for ever.
TEST(LibraryCodeDeathTest, OfOthersDoesNotHoldUpTheEnd) {
  if (!kPreemptionWorks) GTEST_SKIP() << "nobody is stopped under ThreadSanitizer";
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(EndDuringALongCall(), ::testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace millrace::rt
