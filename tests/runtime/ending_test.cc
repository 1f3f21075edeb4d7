#include "runtime/ending.h"

#include <gtest/gtest.h>

#include <chrono>

namespace millrace::rt {
namespace {

using namespace std::chrono_literals;
using Stop = Machine::Stop;

std::optional<Stop> Allowed(std::chrono::nanoseconds waited, SleepsFor what, bool in_call = false) {
  return Ending::Allowed(waited.count(), what, in_call);
}

TEST(Ending, EveryThreadGetsAMomentToEndByItself) {
  for (SleepsFor what : {SleepsFor::kNothing, SleepsFor::kLock, SleepsFor::kMemory, SleepsFor::kOutside}) {
    EXPECT_EQ(Allowed(19ms, what), std::nullopt);
    EXPECT_EQ(Allowed(19ms, what, /*in_call=*/true), std::nullopt);
  }
}

TEST(Ending, WhoeverWaitsForTheOutsideIsStoppedWhereItIs) {
  EXPECT_EQ(Allowed(21ms, SleepsFor::kOutside), Stop::kAnywhere);
  EXPECT_EQ(Allowed(21ms, SleepsFor::kNothing, /*in_call=*/true), Stop::kAnywhere);
}

TEST(Ending, TheMoreAThreadMayHoldTheLongerItIsLetBe) {
  EXPECT_EQ(Allowed(21ms, SleepsFor::kNothing), Stop::kInOwnCode);
  EXPECT_EQ(Allowed(101ms, SleepsFor::kNothing), Stop::kInLibraries);
  EXPECT_EQ(Allowed(201ms, SleepsFor::kNothing), Stop::kInLibraries);
  EXPECT_EQ(Allowed(150ms, SleepsFor::kLock), Stop::kInLibraries);
  EXPECT_EQ(Allowed(201ms, SleepsFor::kLock), Stop::kAnywhere);
  // Perhaps in the middle of malloc.
  EXPECT_EQ(Allowed(9s, SleepsFor::kMemory), Stop::kInLibraries);
  EXPECT_EQ(Allowed(11s, SleepsFor::kMemory), Stop::kAnywhere);
  EXPECT_EQ(Allowed(11s, SleepsFor::kNothing), Stop::kAnywhere);
}

}  // namespace
}  // namespace millrace::rt
