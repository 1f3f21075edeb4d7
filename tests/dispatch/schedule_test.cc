#include "dispatch/schedule.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace millrace::dispatch {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals are made for this

constexpr MonoTime kMono{1000s};
constexpr WallTime kWall{5000s};

TEST(Schedule, GivesAlarmsWhenTheyAreDueEarliestFirst) {
  Schedule schedule;
  Alarm late, soon;
  schedule.Arm(&late, Alarm::Purpose::kDue, kMono + 2s);
  schedule.Arm(&soon, Alarm::Purpose::kRunTimeout, kMono + 1s);
  EXPECT_EQ(schedule.PopDue(kMono, kWall), nullptr);
  EXPECT_EQ(schedule.Next(kMono, kWall), kMono + 1s);
  EXPECT_EQ(schedule.PopDue(kMono + 5s, kWall), &soon);
  EXPECT_EQ(schedule.PopDue(kMono + 5s, kWall), &late);
  EXPECT_FALSE(late.armed());
  EXPECT_EQ(schedule.Next(kMono, kWall), MonoTime::max());
}

TEST(Schedule, AnAlarmOnTheWallClockFollowsItWhenSomebodySetsIt) {
  Schedule schedule;
  Alarm alarm;
  schedule.Arm(&alarm, Alarm::Purpose::kDeadline, kWall + 1h);
  EXPECT_EQ(schedule.PopDue(kMono + 2h, kWall), nullptr);
  EXPECT_EQ(schedule.Next(kMono, kWall), kMono + Schedule::kWallCheck);
  EXPECT_EQ(schedule.PopDue(kMono, kWall + 1h), &alarm);
}

TEST(Schedule, ADisarmedAlarmDoesNotCome) {
  Schedule schedule;
  Alarm alarm;
  schedule.Disarm(&alarm);
  schedule.Arm(&alarm, Alarm::Purpose::kDue, kMono);
  schedule.Disarm(&alarm);
  EXPECT_EQ(schedule.PopDue(kMono, kWall), nullptr);
  schedule.Arm(&alarm, Alarm::Purpose::kDue, kMono);
  EXPECT_DEATH(schedule.Arm(&alarm, Alarm::Purpose::kDue, kMono), "armed twice");
}

TEST(Schedule, AgreesWithAMultimapOverRandomOperations) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  Schedule schedule;
  std::vector<Alarm> alarms(200);
  std::multimap<int64_t, Alarm*> model;
  for (int step = 0; step < 20'000; ++step) {
    Alarm& alarm = alarms[random() % alarms.size()];
    if (alarm.armed()) {
      auto [first, last] = model.equal_range(alarm.when);
      model.erase(std::find_if(first, last, [&](const auto& entry) { return entry.second == &alarm; }));
      schedule.Disarm(&alarm);
    } else {
      int64_t when = random() % 1000;
      schedule.Arm(&alarm, Alarm::Purpose::kDue, MonoTime(Nanos(when)));
      model.emplace(when, &alarm);
    }
    if (step % 50 == 0) {
      const int64_t now = random() % 300;
      while (Alarm* due = schedule.PopDue(MonoTime(Nanos(now)), kWall)) {
        ASSERT_EQ(due->when, model.begin()->first);
        auto [first, last] = model.equal_range(due->when);
        model.erase(std::find_if(first, last, [&](const auto& entry) { return entry.second == due; }));
      }
      ASSERT_TRUE(model.empty() || model.begin()->first > now);
    }
    ASSERT_EQ(schedule.size(), model.size());
  }
}

}  // namespace
}  // namespace millrace::dispatch
