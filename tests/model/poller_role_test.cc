// server/runtime/poller_role.h, rule 4 of scheduler.h: while a processor is idle and a timer is armed, one machine
// sleeps no longer than until that.
#include "runtime/poller_role.h"

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <vector>

#include "runtime/futex.h"
#include "tests/support/model/explore.h"

namespace millrace::model {
namespace {

using rt::PollerRole;

constexpr int64_t kSoon = 5, kLate = 1000;

// The scheduler with one timer. Time passes as follows: `kSoon` comes as soon as somebody waits for it, `kLate` never
// does.
class Host {
 public:
  Host(int idle_processors, int64_t timer, bool due) : idle_(idle_processors), timer_(timer), due_(due) {}

  bool Stopping() const { return false; }
  bool Watching() const { return false; }
  int64_t EarliestTimer() const { return timer_.load(std::memory_order_seq_cst); }
  // What PollerRole asks when it has given the role up. `looks_again` false: it does not.
  int IdleProcessors() const { return looks_again ? idle_.load(std::memory_order_seq_cst) : 0; }
  bool looks_again = true;
  bool AnyWork() const { return due_.load(std::memory_order_seq_cst); }
  bool TakeProcessor() {
    int one = 1;
    return idle_.compare_exchange_strong(one, 0, std::memory_order_seq_cst);
  }
  void Wait(int64_t until) {
    Check(waiting_.fetch_add(1, std::memory_order_relaxed) == 0, "two have the role");
    if (until == kSoon) {
      due_.store(true, std::memory_order_seq_cst);
    } else if (!due_.load(std::memory_order_seq_cst)) {
      rt::FutexWait(interrupted_, 0);
    }
    interrupted_.store(0, std::memory_order_seq_cst);
    waiting_.fetch_sub(1, std::memory_order_relaxed);
  }

  void Arm(int64_t deadline) { timer_.store(deadline, std::memory_order_seq_cst); }
  void Interrupt() {
    interrupted_.store(1, std::memory_order_seq_cst);
    rt::FutexWake(interrupted_, 1);
  }
  void GiveProcessorUp() { idle_.store(1, std::memory_order_seq_cst); }

 private:
  std::atomic<int> idle_;
  std::atomic<int64_t> timer_;
  std::atomic<bool> due_;
  std::atomic<int> waiting_{0};
  std::atomic<uint32_t> interrupted_{0};
};

Options For(const char* name, const std::vector<Mutation>& mutations) {
  return {.name = name, .preemptions = 4, .mutations = mutations, .quiet = !mutations.empty()};
}

// A fiber arms a timer while the only idle machine goes to sleep until `present`.
Result ATimerComes(const char* name, int64_t present, const std::vector<Mutation>& mutations) {
  return Explore(For(name, mutations), [=](Scene& scene) {
    PollerRole role;
    Host host(/*idle_processors=*/1, present, /*due=*/false);
    scene.Thread("machine", [&] { Check(role.UntilWork(host), "the timer is due, and nobody runs it"); });
    scene.Thread("fiber", [&] {
      host.Arm(kSoon);
      if (role.SleepsBeyond(kSoon)) host.Interrupt();
    });
    scene.Run();
    Check(!role.taken() && !role.asleep(), "the role is not given back");
  });
}
Result TheFirstTimerComes(const std::vector<Mutation>& mutations) {
  return ATimerComes("poller: sleeps | the first timer", PollerRole::kNever, mutations);
}
Result AnEarlierTimerComes(const std::vector<Mutation>& mutations) {
  return ATimerComes("poller: sleeps | an earlier timer", kLate, mutations);
}

// The poller finds no idle processor for what is due, and gives the role up; meanwhile another machine goes idle, and
// sleeps where it finds the role taken. One of the two has to get that processor.
Result TheRoleIsGivenUp(const std::vector<Mutation>& mutations, bool looks_again) {
  Options options = For("poller: gives the role up | a machine goes idle", mutations);
  options.quiet = options.quiet || !looks_again;
  return Explore(options, [=](Scene& scene) {
    PollerRole role;
    Host host(/*idle_processors=*/0, kSoon, /*due=*/true);
    host.looks_again = looks_again;
    bool polled = false, went_idle = false;
    scene.Thread("poller", [&] { polled = role.UntilWork(host); });
    scene.Thread("machine", [&] {
      host.GiveProcessorUp();
      went_idle = role.UntilWork(host);
    });
    scene.Run();
    Check(polled || went_idle, "a processor is idle, a timer is armed, and nobody polls");
    Check(!role.taken() && !role.asleep(), "the role is not given back");
  });
}

Result AnotherGoesIdle(const std::vector<Mutation>& mutations) { return TheRoleIsGivenUp(mutations, true); }

const std::vector<Program> kAll = {&TheFirstTimerComes, &AnEarlierTimerComes, &AnotherGoesIdle};

std::string FirstFailure(const Mutation& mutation) {
  for (const Program& program : kAll) {
    Result result = program({mutation});
    if (!result.held) return result.failure;
  }
  return "";
}

TEST(PollerRoleModel, SomebodySleepsUntilTheEarliestTimer) {
  for (const Program& program : kAll) {
    Result result = program({});
    EXPECT_TRUE(result.held) << result.story;
  }
}

// The two sides of Dekker's protocol. The other stores and loads order nothing that is not ordered by the host's.
TEST(PollerRoleModel, WithoutItsOrderingsATimerIsMissed) {
  const Mutation relaxed[] = {
      {.function = "PollerRole::Poll", .kind = OpKind::kStore, .fault = Fault::kRelaxed},
      {.function = "PollerRole::SleepsBeyond", .kind = OpKind::kLoad, .fault = Fault::kRelaxed},
  };
  for (const Mutation& mutation : relaxed)
    EXPECT_TRUE(FirstFailure(mutation).starts_with("deadlock")) << mutation.function;
}

TEST(PollerRoleModel, APollerThatDoesNotSayUntilWhenItSleepsIsNotInterrupted) {
  const Mutation silent = {.function = "PollerRole::Poll", .kind = OpKind::kStore, .fault = Fault::kSkipped};
  EXPECT_TRUE(FirstFailure(silent).starts_with("deadlock"));
}

TEST(PollerRoleModel, TwoThatTakeTheRoleAtOnceAreSeen) {
  const Mutation split = {.function = "PollerRole::UntilWork", .kind = OpKind::kExchange, .fault = Fault::kSplit};
  EXPECT_NE(FirstFailure(split), "");
}

TEST(PollerRoleModel, WithoutASecondLookTheRoleIsLost) {
  Result result = TheRoleIsGivenUp({}, /*looks_again=*/false);
  EXPECT_EQ(result.failure, "a processor is idle, a timer is armed, and nobody polls");
}

}  // namespace
}  // namespace millrace::model
