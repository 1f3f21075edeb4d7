// Alarms of whatever is no job.
#include <gtest/gtest.h>

#include "dispatch/core.h"
#include "tests/support/core_of.h"
#include "tests/support/dispatch_fixture.h"

namespace millrace::test {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals are made for this
using dispatch::Core;
using dispatch::CoreOf;
using dispatch::Turn;

// Something that comes back: a schedule, a lease sweep, a rate that is filled again.
class Ticks final : public dispatch::OwnAlarm {
 public:
  Ticks(Core& core, Nanos every) : core_(core), every_(every) {}
  ~Ticks() {
    Turn turn(core_);
    core_.alarms.Disarm(this);
  }
  void OnDue(Turn& turn) override {
    ++seen_;
    core_.SetBy(*this, turn.mono() + every_, turn);
  }
  void SetIn(Nanos delay) {
    Turn turn(core_);
    core_.SetBy(*this, turn.mono() + delay, turn);
  }
  int seen() const { return seen_; }

 private:
  Core& core_;
  const Nanos every_;
  int seen_ = 0;
};

TEST(OwnAlarm, ComesWhenItIsDueAndSetsItselfAgain) {
  WithDispatcher([](DispatchFixture& d) {
    Ticks ticks(CoreOf::Get(d.dispatcher), 10s);
    ticks.SetIn(10s);
    d.Advance(9s);
    EXPECT_EQ(ticks.seen(), 0);
    d.Advance(1s);
    EXPECT_EQ(ticks.seen(), 1);
    EXPECT_EQ(d.dispatcher.RunDue(), d.clock.Mono() + 10s) << "the timekeeper sleeps until then";
    d.Advance(10s);
    EXPECT_EQ(ticks.seen(), 2);
  });
}

TEST(OwnAlarm, IsSetForTheEarlierOfTwoTimes) {
  WithDispatcher([](DispatchFixture& d) {
    Ticks ticks(CoreOf::Get(d.dispatcher), 1h);
    ticks.SetIn(10s);
    ticks.SetIn(20s);
    ticks.SetIn(5s);
    d.Advance(5s);
    EXPECT_EQ(ticks.seen(), 1);
    d.Advance(15s);
    EXPECT_EQ(ticks.seen(), 1) << "one alarm, one time";
  });
}

TEST(OwnAlarm, OneThatIsLateDoesNotHoldUpJobsThatAreDue) {
  WithDispatcher([](DispatchFixture& d) {
    Core& core = CoreOf::Get(d.dispatcher);
    Ticks endless(core, 0s);  // Always more to do: it is due again each time.
    JobSpec spec = d.Spec("hold");
    spec.delay = 1s;
    const JobId id = d.Submit(spec);
    ASSERT_TRUE(d.dispatcher.Pause("default").ok());
    d.clock.Advance(2s);
    endless.SetIn(-1h);
    Turn turn(core);
    std::vector<Core::LateJob> late;
    ASSERT_TRUE(core.RunOneDue(&late, turn));
    EXPECT_EQ(core.table.Find(id)->state(), JobState::kQueued) << "it was due before that alarm was set";
    EXPECT_TRUE(core.RunOneDue(&late, turn));
    EXPECT_TRUE(core.RunOneDue(&late, turn));
    EXPECT_EQ(endless.seen(), 2);
  });
}

}  // namespace
}  // namespace millrace::test
