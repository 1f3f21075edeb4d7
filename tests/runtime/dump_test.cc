#include "runtime/dump.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <string>
#include <thread>

#include "runtime/backtrace.h"
#include "runtime/cycles.h"
#include "runtime/fiber.h"
#include "runtime/park.h"
#include "runtime/preempt.h"
#include "runtime/runtime.h"
#include "runtime/sanitizers.h"
#include "tests/support/fibers.h"

namespace millrace::rt {
namespace {

using ::testing::ContainsRegex;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr const char* kEnd = "runtime: end of fiber dump\n";

// As a plain thread sees it; the fiber that calls this goes on running meanwhile.
std::string DumpFromOutside() {
  std::string text;
  std::thread([&] { text = FiberDump(); }).join();
  return text;
}

__attribute__((noinline)) void WaitForTheGardener() {
  Park(WaitReason::kChannelReceive, nullptr, nullptr);
  asm volatile("");
}
__attribute__((noinline)) void TendTheGarden() {
  WaitForTheGardener();
  asm volatile("");
}

// Runs `body` beside a fiber 'rose' that is parked in the two functions above.
template <typename F>
void BesideAParkedFiber(int procs, F body) {
  test::OnProcs(procs, [&] {
    std::atomic<Fiber*> rose{nullptr};
    Go({.name = "rose"}, [&] {
      rose = CurrentFiber();
      TendTheGarden();
    });
    while (rose == nullptr || rose.load()->state != FiberState::kParked) Yield();
    body(rose.load());
    Ready(rose);
    while (rose.load()->state != FiberState::kFree) Yield();
  });
}

class DumpAnyProcs : public test::OnAnyProcs {};
INSTANTIATE_TEST_SUITE_P(Procs, DumpAnyProcs, test::kAnyProcs);

TEST_P(DumpAnyProcs, ShowsAParkedFiberWithNameReasonAndCallers) {
  BesideAParkedFiber(GetParam(), [](Fiber* rose) {
    std::string text = DumpFromOutside();
    EXPECT_THAT(text, StartsWith("runtime: fiber dump: 2 fibers: 1 channel receive, 1 running\n"));
    EXPECT_THAT(text, ContainsRegex("fiber " + std::to_string(rose->id) +
                                    " 'rose' \\[channel receive, [0-9]+ [a-z]+\\]:\n"
                                    "(  #[0-9]+ 0x[0-9a-f]+ .*\n)*"
                                    "  #[0-9]+ 0x[0-9a-f]+ .*WaitForTheGardener\\(\\) at .*dump_test.cc:[0-9]+\n"
                                    "  #[0-9]+ 0x[0-9a-f]+ .*TendTheGarden\\(\\) at .*dump_test.cc:[0-9]+\n"));
    EXPECT_THAT(text, EndsWith(kEnd));
  });
}

TEST_P(DumpAnyProcs, MadeOnAFiberShowsThatFiberToo) {
  BesideAParkedFiber(GetParam(), [](Fiber*) {
    std::string text = FiberDump();
    EXPECT_THAT(text, StartsWith("runtime: fiber dump: 2 fibers: 1 channel receive, 1 running\n"));
    EXPECT_THAT(text, HasSubstr("'rose' [channel receive"));
    EXPECT_THAT(text, ContainsRegex("'main' \\[running, [0-9]+ [a-z]+\\]:\n  #0 .*FiberDump.*\n  #1 "));
  });
}

TEST_P(DumpAnyProcs, WorksBesideFibersThatNeverStandStill) {
  Run([] {
    std::atomic<bool> stop{false};
    std::atomic<int> left{20};
    for (int i = 0; i < 20; ++i) {
      Go({.name = "bee"}, [&] {
        while (!stop) {
          std::atomic<bool> landed{false};
          Go({.name = "larva", .stack_bytes = 32 << 10}, [&] { landed = true; });
          while (!landed) Yield();
        }
        --left;
      });
    }
    for (int i = 0; i < 30; ++i) EXPECT_THAT(FiberDump(), EndsWith(kEnd));
    stop = true;
    while (left > 0) Yield();
  });
}

TEST(Dump, WorksBesideRuntimesThatEnd) {
  std::atomic<bool> stop{false};
  std::thread other([&] {
    while (!stop) {
      test::OnProcs(2, [] {
        for (int i = 0; i < 10; ++i) Go({.name = "mayfly"}, TendTheGarden);  // Dropped where they wait.
        Yield();
      });
    }
  });
  for (int i = 0; i < 50; ++i) EXPECT_THAT(FiberDump(), EndsWith(kEnd));
  stop = true;
  other.join();
}

TEST(Dump, WithoutFibersSaysSo) { EXPECT_EQ(FiberDump(), std::string("runtime: fiber dump: 0 fibers\n") + kEnd); }

TEST(Dump, ShowsWhatAFiberThatHasNotBegunWillCall) {
  // A simulation: else the processor would be taken from this fiber, which blocks its thread, and the other would begin.
  Runtime({.simulate = true}).Run([] {
    std::atomic<bool> ran{false};
    Go({.name = "seed"}, [&] { ran = true; });
    EXPECT_THAT(DumpFromOutside(), ContainsRegex("'seed' \\[ready, .*\\]:\n  #0 .*MakeFiber"));
    while (!ran) Yield();
  });
}

// The runtime's own accesses to this field are not seen by ThreadSanitizer, so this one must not be either.
MR_NO_TSAN void SetSince(Fiber* fiber, uint64_t since) { fiber->since = since; }

TEST(Dump, ShowsSinceWhen) {
  BesideAParkedFiber(1, [](Fiber* rose) {
    auto hours = [](double n) { return static_cast<uint64_t>(n * 3600e9 * GetTickScale().ticks_per_ns); };
    // The counter may be younger than that; it wraps, and so does the difference.
    uint64_t since = rose->since;
    if (since > hours(3.5)) {
      SetSince(rose, NowTicks() - hours(3.5));
      EXPECT_THAT(DumpFromOutside(), HasSubstr("'rose' [channel receive, 3 h]"));
    }
    SetSince(rose, NowTicks() + hours(1));  // Another core's counter may be ahead.
    EXPECT_THAT(DumpFromOutside(), HasSubstr("'rose' [channel receive, 0 us]"));
    SetSince(rose, since);
  });
}

__attribute__((noinline)) std::string StopInTheMeadow() {
  CurrentFiber()->preempted_at = HereAndNow();
  std::string text = DumpFromOutside();
  CurrentFiber()->preempted_at = {};
  return text;
}
__attribute__((noinline)) std::string CrossTheMeadow() {
  std::string text = StopInTheMeadow();
  asm volatile("");
  return text;
}

TEST(Dump, ShowsAPreemptedFiberFromWhereItWasStopped) {
  test::OnProcs(1, [] {
    EXPECT_THAT(CrossTheMeadow(),
                ContainsRegex("'main' \\[preempted, .*\\]:\n  #0 .*StopInTheMeadow.*\n  #1 .*CrossTheMeadow"));
  });
}

TEST(Dump, ShowsARunningFiberAsFarAsItIsToldHow) {
  test::OnProcs(1, [] {
    EXPECT_THAT(
        DumpFromOutside(),
        ContainsRegex(kPreemptionWorks ? "'main' \\[running, .*\\]:\n  #0 0x[0-9a-f]+ "
                                       : "'main' \\[running, .*\\]:\n  on a machine; its stack cannot be seen"));
    SetTraceRunning([](Fiber* fiber, uintptr_t* pcs, size_t max) -> size_t {
      EXPECT_STREQ(fiber->name, "main");
      EXPECT_EQ(max, static_cast<size_t>(kFramesShown));
      pcs[0] = reinterpret_cast<uintptr_t>(&TendTheGarden) + 1;
      return 1;
    });
    EXPECT_THAT(DumpFromOutside(), ContainsRegex("'main' \\[running, .*\\]:\n  #0 .*TendTheGarden"));
    SetTraceRunning(nullptr);
  });
}

TEST(Dump, SumsUpThoseWithTheSameStackBeyondTheFirstThousand) {
  test::OnProcs(2, [] {
    constexpr int kFibers = kFibersShown + 500;
    std::atomic<int> waiting{0};
    for (int i = 0; i < kFibers; ++i) {
      Go({.name = "grass"}, [&] {
        ++waiting;
        TendTheGarden();
      });
    }
    while (waiting < kFibers) Yield();
    std::string text;
    do text = DumpFromOutside();
    while (text.find(std::to_string(kFibers) + " channel receive") == std::string::npos);
    EXPECT_THAT(text, ContainsRegex("\n50[01] more like fiber [0-9]+ 'grass' \\[channel receive, up to .*\\]:\n"
                                    "(  #[0-9]+ .*\n)*  #[0-9]+ .*TendTheGarden"));
    EXPECT_THAT(text, HasSubstr("\nfiber 1 'main' [running")) << "the oldest are shown";
    // Each line once a fiber, not once a thousand fibers.
    EXPECT_LT(text.size(), size_t{2} << 20);
  });
}

TEST(Dump, IsWrittenToADescriptorForOtherLanguages) {
  int fd = memfd_create("dump", 0);
  BesideAParkedFiber(1, [fd](Fiber*) { millrace_dump_fibers(fd); });
  char text[65536] = {};
  EXPECT_GT(pread(fd, text, sizeof text - 1, 0), 0);
  EXPECT_THAT(text, HasSubstr("'rose' [channel receive"));
  EXPECT_THAT(text, EndsWith(kEnd));
  close(fd);
  millrace_dump_fibers(-1);  // Nowhere to write to is no reason to die.
}

TEST(Dump, DoesNotTrustTheNameOfAFiberThatMayBeGone) {
  BesideAParkedFiber(1, [](Fiber* rose) {
    rose->name = reinterpret_cast<const char*>(8);
    EXPECT_THAT(DumpFromOutside(), ContainsRegex("fiber [0-9]+ \\[channel receive"));
    // A name that ends where the mapping does.
    char* pages = static_cast<char*>(mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    mprotect(pages + 4096, 4096, PROT_NONE);
    rose->name = strcpy(pages + 4096 - 5, "edge");
    EXPECT_THAT(DumpFromOutside(), HasSubstr("'edge' [channel receive"));
    munmap(pages, 8192);
    rose->name = "rose";
  });
}

}  // namespace
}  // namespace millrace::rt
