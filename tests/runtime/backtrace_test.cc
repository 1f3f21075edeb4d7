#include "runtime/backtrace.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <vector>

#include "runtime/fiber.h"
#include "runtime/make_fiber.h"
#include "runtime/park.h"
#include "runtime/runtime.h"
#include "tests/support/fibers.h"

namespace millrace::rt {
namespace {

// A stack made by hand: word i is at &words[i].
class HandMade : public ::testing::Test {
 protected:
  uintptr_t At(int i) { return reinterpret_cast<uintptr_t>(words_) + static_cast<uintptr_t>(i) * sizeof(uintptr_t); }
  void Frame(int i, uintptr_t caller_fp, uintptr_t return_address) {
    words_[i] = caller_fp;
    words_[i + 1] = return_address;
  }
  std::vector<uintptr_t> Walk(SavedFrame from) {
    std::vector<uintptr_t> pcs;
    FrameWalk walk(from, &words_[0], &words_[kWords]);
    while (uintptr_t pc = walk.Next()) pcs.push_back(pc);
    return pcs;
  }
  using Pcs = std::vector<uintptr_t>;
  static constexpr int kWords = 64;
  uintptr_t words_[kWords + 2] = {};
};

TEST_F(HandMade, IsFollowedToTheOutermostFrame) {
  Frame(10, At(20), 0xA);
  Frame(20, At(30), 0xB);
  Frame(30, 0x12345, 0xC);  // What the outermost function found in the register.
  EXPECT_EQ(Walk({.pc = 0x1, .fp = At(10), .sp = At(8)}), (Pcs{0x1, 0xA, 0xB}));
}

TEST_F(HandMade, EndsAtWhatIsNoFrame) {
  EXPECT_EQ(Walk({.pc = 0x1, .fp = 0, .sp = 0}), Pcs{0x1});
  EXPECT_EQ(Walk({.pc = 0x1, .fp = ~uintptr_t{7}, .sp = 0}), Pcs{0x1});
  EXPECT_EQ(Walk({.pc = 0x1, .fp = At(10) + 1, .sp = 0}), Pcs{0x1}) << "misaligned";
  EXPECT_EQ(Walk({.pc = 0x1, .fp = At(kWords), .sp = 0}), Pcs{0x1}) << "above the stack";
  EXPECT_EQ(Walk({.pc = 0x1, .fp = At(kWords - 1), .sp = 0}), Pcs{0x1}) << "half above the stack";
  EXPECT_EQ(Walk({.pc = 0x1, .fp = At(-1), .sp = 0}), Pcs{0x1}) << "below the stack";
  EXPECT_EQ(Walk({.pc = 0x1, .fp = At(10), .sp = At(11)}), Pcs{0x1}) << "below the stack pointer";
  EXPECT_EQ(Walk({.pc = 0, .fp = At(10), .sp = 0}), Pcs{}) << "nothing to see";
}

TEST_F(HandMade, IsNeverFollowedInACircle) {
  Frame(10, At(20), 0xA);
  Frame(20, At(10), 0xB);
  EXPECT_EQ(Walk({.pc = 0x1, .fp = At(10), .sp = At(8)}), (Pcs{0x1, 0xA}));
  Frame(20, At(20), 0xB);
  EXPECT_EQ(Walk({.pc = 0x1, .fp = At(10), .sp = At(8)}), (Pcs{0x1, 0xA}));
}

// ---- Real fibers: the layout of what a switch saves ---------------------------------------------------------------

std::atomic<uintptr_t> in_middle{0};

__attribute__((noinline)) void Inner() {
  in_middle = reinterpret_cast<uintptr_t>(__builtin_return_address(0));
  Park(WaitReason::kExternal, nullptr, nullptr);
  asm volatile("");
}
__attribute__((noinline)) void Middle() {
  Inner();
  asm volatile("");
}

TEST(Backtrace, OfAParkedFiberLeadsThroughItsCallers) {
  test::OnProcs(1, [] {
    std::atomic<Fiber*> parked{nullptr};
    Go([&] {
      parked = CurrentFiber();
      Middle();
    });
    while (parked == nullptr || parked.load()->state != FiberState::kParked) Yield();
    std::vector<uintptr_t> pcs;
    FrameWalk walk(WhereItStands(*parked), parked.load()->stack_low, parked);
    while (uintptr_t pc = walk.Next()) pcs.push_back(pc);
    // LeaveFiber, Park, Inner, Middle, the closure, its caller, FiberEntry; the compiler may merge some.
    EXPECT_GE(pcs.size(), 4u);
    EXPECT_EQ(std::count(pcs.begin(), pcs.end(), in_middle.load()), 1);
    Ready(parked);
    while (parked.load()->state != FiberState::kFree) Yield();
  });
}

TEST(Backtrace, OfAFiberThatHasNotBegunIsWhatItWillCall) {
  test::OnProcs(1, [] {
    Fiber* fiber = MakeFiber(CurrentScheduler(), {}, [] {});
    StartFiber(fiber);
    SavedFrame at = WhereItStands(*fiber);
    EXPECT_EQ(at.pc, reinterpret_cast<uintptr_t>(fiber->entry));
    EXPECT_EQ(at.fp, 0u);
  });
}

TEST(Backtrace, OfThisFunctionBeginsHere) {
  SavedFrame here = HereAndNow();
  FrameWalk walk(here, nullptr, nullptr);
  EXPECT_EQ(walk.Next(), here.pc);
  EXPECT_EQ(walk.Next(), 0u) << "nothing outside the stack given is read";
  EXPECT_EQ(here.fp, reinterpret_cast<uintptr_t>(__builtin_frame_address(0)));
}

}  // namespace
}  // namespace millrace::rt
