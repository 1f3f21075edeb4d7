#include "runtime/processors.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "runtime/processor.h"

namespace millrace::rt {
namespace {

struct AllIdle {
  Processors all;
  IdleProtocol protocol;
  IdleProcessors idle{all, protocol};

  explicit AllIdle(int procs) : all(procs) {
    all.ForEach([&](Processor& processor) { idle.Push(processor); });
  }
  void SetProcs(int procs) {
    const int before = all.procs();
    all.MakeUpTo(procs);
    all.NotAloneAnyMore();
    all.SetProcs(procs);
    idle.FollowProcs(before);
    all.PerhapsAlone();
  }
};

// With 16 processors and more, what each switch writes must not take from others what they read at each look.
TEST(Processors, WhatOthersReadIsNotOnTheLineThatEachSwitchWrites) {
  const Processor processor;
  const auto line = [](const auto& part) { return reinterpret_cast<uintptr_t>(&part) / 64; };
  EXPECT_LT(line(processor.run_queue), line(processor.timers));
  EXPECT_LE(line(processor.timers) + 1, line(processor.counters));
}

TEST(IdleProcessors, AreCountedAndSoIsEachThatIsTaken) {
  AllIdle p(2);
  EXPECT_EQ(p.protocol.idle_processors(), 2);
  EXPECT_TRUE(p.idle.AllRest());
  Processor* taken = p.idle.Pop();
  ASSERT_NE(taken, nullptr);
  EXPECT_EQ(p.idle.taken(), 1u);
  EXPECT_EQ(p.protocol.idle_processors(), 1);
  EXPECT_FALSE(p.idle.AllRest());
  EXPECT_NE(p.idle.Pop(), nullptr);
  EXPECT_EQ(p.idle.Pop(), nullptr);
  EXPECT_EQ(p.idle.taken(), 2u);
  p.idle.Push(*taken);
  EXPECT_EQ(p.protocol.idle_processors(), 1);
}

TEST(IdleProcessors, WhatIsTooManyIsRetiredAndComesBackWhenItIsWanted) {
  AllIdle p(3);
  p.SetProcs(1);
  EXPECT_EQ(p.protocol.idle_processors(), 1);
  EXPECT_TRUE(p.all[2].retired);
  EXPECT_TRUE(p.idle.AllRest());
  p.SetProcs(4);
  EXPECT_EQ(p.all.made(), 4u);
  EXPECT_EQ(p.protocol.idle_processors(), 4);
  EXPECT_FALSE(p.all[2].retired);
}

TEST(IdleProcessors, OneTooManyThatIsHeldIsNotAtRestUntilItIsGivenUp) {
  AllIdle p(2);
  std::vector<Processor*> held = {p.idle.Pop(), p.idle.Pop()};
  p.SetProcs(1);
  Processor& too_many = p.all[1];
  EXPECT_TRUE(p.all.TooMany(too_many));
  p.idle.Push(p.all[0]);
  EXPECT_FALSE(p.idle.AllRest());
  p.idle.Push(too_many);
  EXPECT_TRUE(too_many.retired);
  EXPECT_TRUE(p.idle.AllRest());
  // One that has not noticed yet stays where it is when the number grows again.
  Processor* first = p.idle.Pop();
  EXPECT_EQ(first, &p.all[0]);
  p.SetProcs(2);
  EXPECT_EQ(p.protocol.idle_processors(), 1);
}

TEST(Processors, AreAloneWhereThereIsOne) {
  AllIdle p(1);
  const bool alone = p.all.alone();  // Where membarrier(2) is forbidden, never.
  p.SetProcs(2);
  EXPECT_FALSE(p.all.alone());
  p.SetProcs(1);
  EXPECT_EQ(p.all.alone(), alone);
}

}  // namespace
}  // namespace millrace::rt
