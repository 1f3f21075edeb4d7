#include "dispatch/alarms.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace millrace::dispatch {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals are made for this

constexpr MonoTime kMono{1000s};
constexpr WallTime kWall{5000s};

TEST(Alarms, GivesAlarmsWhenTheyAreDueEarliestFirst) {
  Alarms alarms;
  Alarm late, soon;
  alarms.Arm(&late, Alarm::Purpose::kDue, kMono + 2s);
  alarms.Arm(&soon, Alarm::Purpose::kRunTimeout, kMono + 1s);
  EXPECT_EQ(alarms.PopDue(kMono, kWall), nullptr);
  EXPECT_EQ(alarms.Next(kMono, kWall), kMono + 1s);
  EXPECT_EQ(alarms.PopDue(kMono + 5s, kWall), &soon);
  EXPECT_EQ(alarms.PopDue(kMono + 5s, kWall), &late);
  EXPECT_FALSE(late.armed());
  EXPECT_EQ(alarms.Next(kMono, kWall), MonoTime::max());
}

TEST(Alarms, AnAlarmOnTheWallClockFollowsItWhenSomebodySetsIt) {
  Alarms alarms;
  Alarm alarm;
  alarms.Arm(&alarm, Alarm::Purpose::kDeadline, kWall + 1h);
  EXPECT_EQ(alarms.PopDue(kMono + 2h, kWall), nullptr);
  EXPECT_EQ(alarms.Next(kMono, kWall), kMono + Alarms::kWallCheck);
  EXPECT_EQ(alarms.PopDue(kMono, kWall + 1h), &alarm);
}

TEST(Alarms, ADisarmedAlarmDoesNotCome) {
  Alarms alarms;
  Alarm alarm;
  alarms.Disarm(&alarm);
  alarms.Arm(&alarm, Alarm::Purpose::kDue, kMono);
  alarms.Disarm(&alarm);
  EXPECT_EQ(alarms.PopDue(kMono, kWall), nullptr);
  alarms.Arm(&alarm, Alarm::Purpose::kDue, kMono);
  EXPECT_DEATH(alarms.Arm(&alarm, Alarm::Purpose::kDue, kMono), "armed twice");
}

TEST(Alarms, AgreesWithAMultimapOverRandomOperations) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  Alarms alarms;
  std::vector<Alarm> some(200);
  std::multimap<int64_t, Alarm*> model;
  for (int step = 0; step < 20'000; ++step) {
    Alarm& alarm = some[random() % some.size()];
    if (alarm.armed()) {
      auto [first, last] = model.equal_range(alarm.when);
      model.erase(std::find_if(first, last, [&](const auto& entry) { return entry.second == &alarm; }));
      alarms.Disarm(&alarm);
    } else {
      int64_t when = random() % 1000;
      alarms.Arm(&alarm, Alarm::Purpose::kDue, MonoTime(Nanos(when)));
      model.emplace(when, &alarm);
    }
    if (step % 50 == 0) {
      const int64_t now = random() % 300;
      while (Alarm* due = alarms.PopDue(MonoTime(Nanos(now)), kWall)) {
        ASSERT_EQ(due->when, model.begin()->first);
        auto [first, last] = model.equal_range(due->when);
        model.erase(std::find_if(first, last, [&](const auto& entry) { return entry.second == due; }));
      }
      ASSERT_TRUE(model.empty() || model.begin()->first > now);
    }
    ASSERT_EQ(alarms.size(), model.size());
  }
}

}  // namespace
}  // namespace millrace::dispatch
