// server/runtime/sysmon_sleep.h: sysmon does not sleep on while somebody runs, nor past the end of the run.
#include "runtime/sysmon_sleep.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/model/explore.h"

namespace millrace::model {
namespace {

using rt::SysmonSleep;

Options For(const char* name, const std::vector<Mutation>& mutations) {
  return {.name = name, .early_returns = 1, .mutations = mutations, .quiet = !mutations.empty()};
}

// Everybody rests, and sysmon is about to sleep without an end; machines take processors, each of which it has to see.
Result AMachineTakesAProcessor(const std::vector<Mutation>& mutations) {
  return Explore(For("sysmon: sleeps | a processor is taken", mutations), [](Scene& scene) {
    SysmonSleep sleep;
    std::atomic<int> held{0};
    scene.Thread("sysmon", [&] {
      sleep.Sleep([&] { return held.load(std::memory_order_seq_cst) == 0; });
      Check(held.load(std::memory_order_seq_cst) == 1, "woken for nothing");
    });
    scene.Thread("machine", [&] {
      held.fetch_add(1, std::memory_order_seq_cst);
      sleep.Rouse();
    });
    scene.Run();
  });
}
Result TwoMachinesTakeProcessors(const std::vector<Mutation>& mutations) {
  Options options = For("sysmon: sleeps twice | a processor is taken | another", mutations);
  options.preemptions = 3;
  return Explore(options, [](Scene& scene) {
    SysmonSleep sleep;
    std::atomic<int> held{0};
    scene.Thread("sysmon", [&] {
      for (int seen = 0; seen < 2;) {
        sleep.Sleep([&] { return held.load(std::memory_order_seq_cst) == seen; });
        seen = held.load(std::memory_order_seq_cst);
      }
    });
    for (const char* name : {"machine", "other"}) {
      scene.Thread(name, [&] {
        held.fetch_add(1, std::memory_order_seq_cst);
        sleep.Rouse();
      });
    }
    scene.Run();
  });
}

// Out of a nap, which is as long as it likes here, and out of a sleep.
Result TheRunEnds(const std::vector<Mutation>& mutations) {
  return Explore(For("sysmon: naps, sleeps | the run ends", mutations), [](Scene& scene) {
    SysmonSleep sleep;
    std::atomic<bool> stopping{false};
    scene.Thread("sysmon", [&] {
      auto goes_on = [&] { return !stopping.load(std::memory_order_seq_cst); };
      while (goes_on()) {
        sleep.Nap(0, goes_on);
        sleep.Sleep(goes_on);
      }
    });
    scene.Thread("machine", [&] {
      stopping.store(true, std::memory_order_seq_cst);
      sleep.Wake();
    });
    scene.Run();
  });
}

const std::vector<Program> kAll = {&AMachineTakesAProcessor, &TwoMachinesTakeProcessors, &TheRunEnds};

TEST(SysmonSleepModel, SysmonIsAwakeWhileSomebodyRuns) {
  for (const Program& program : kAll) {
    Result result = program({});
    EXPECT_TRUE(result.held) << result.story;
  }
}

// Sysmon's side is ordered by the look that it takes, which is seq_cst, as is what the others change before they look.
TEST(SysmonSleepModel, WhoeverTakesAProcessorMustNotLookTooEarly) {
  const Mutation early = {.function = "SysmonSleep::Rouse", .kind = OpKind::kLoad, .fault = Fault::kRelaxed};
  EXPECT_EQ(AMachineTakesAProcessor({early}).failure, "deadlock: sysmon sleeps in a futex");
}

TEST(SysmonSleepModel, AForgottenFutexWakeIsSeen) {
  for (const char* function : {"SysmonSleep::Rouse", "SysmonSleep::Wake"}) {
    const Mutation forgotten = {.function = function, .kind = OpKind::kFutexWake, .fault = Fault::kSkipped};
    std::string failure;
    for (const Program& program : kAll) {
      if (failure.empty()) failure = program({forgotten}).failure;
    }
    EXPECT_EQ(failure, "deadlock: sysmon sleeps in a futex") << function;
  }
}

}  // namespace
}  // namespace millrace::model
