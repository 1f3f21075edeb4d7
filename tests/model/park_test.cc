// server/runtime/park.cc and server/sync/wake_race.h, the real ones: a wake-up that comes before, while or after
// somebody goes to wait is never lost, is used once, and nothing of a waiter's frame is touched when it may be gone.
#include "runtime/park.h"

#include <gtest/gtest.h>

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "runtime/futex.h"
#include "runtime/spin_lock.h"
#include "sync/wake_race.h"
#include "tests/support/model/explore.h"

namespace millrace::model {
namespace {

using rt::WaitReason;

Options For(const char* name, const std::vector<Mutation>& mutations) {
  return {.name = name, .early_returns = 2, .mutations = mutations, .quiet = !mutations.empty()};
}

// One waits, one wakes, whichever each is.
void WaitAndWake(Scene& scene, bool fiber_waits, bool fiber_wakes) {
  std::optional<rt::Parker> parker(std::in_place);
  Plain<int> news;
  auto wait = [&] {
    parker->Wait(WaitReason::kSelect);
    parker.reset();
    Check(news.Get() == 1, "woken without what was written before the wake-up");
  };
  auto wake = [&] {
    news.Set(1);
    parker->Wake();
  };
  fiber_waits ? scene.Fiber("waiter", wait) : scene.Thread("waiter", wait);
  fiber_wakes ? scene.Fiber("waker", wake) : scene.Thread("waker", wake);
  scene.Run();
}

Result FiberWaitsForThread(const std::vector<Mutation>& mutations) {
  return Explore(For("Parker: a fiber waits for a thread", mutations),
                 [](Scene& scene) { WaitAndWake(scene, true, false); });
}
Result FiberWaitsForFiber(const std::vector<Mutation>& mutations) {
  return Explore(For("Parker: a fiber waits for a fiber", mutations),
                 [](Scene& scene) { WaitAndWake(scene, true, true); });
}
Result ThreadWaitsForFiber(const std::vector<Mutation>& mutations) {
  return Explore(For("Parker: a thread waits for a fiber", mutations),
                 [](Scene& scene) { WaitAndWake(scene, false, true); });
}
Result ThreadWaitsForThread(const std::vector<Mutation>& mutations) {
  return Explore(For("Parker: a thread waits for a thread", mutations),
                 [](Scene& scene) { WaitAndWake(scene, false, false); });
}

const std::vector<Program> kParker = {&FiberWaitsForThread, &FiberWaitsForFiber, &ThreadWaitsForFiber,
                                      &ThreadWaitsForThread};

TEST(ParkerModel, NoWakeUpIsLostAndNothingIsTouchedAfterwards) {
  for (const Program& program : kParker) {
    Result result = program({});
    EXPECT_TRUE(result.held) << result.story;
  }
}

TEST(ParkerModel, WithoutAnyOrderingOrCompareAndSwapItFails) {
  EXPECT_EQ(Survivors("park.cc", kParker), std::set<std::string>{});
}

TEST(ParkerModel, AForgottenFutexWakeIsSeen) {
  Result result =
      ThreadWaitsForFiber({{.function = "Parker::Wake", .kind = OpKind::kFutexWake, .fault = Fault::kSkipped}});
  EXPECT_EQ(result.failure, "deadlock: waiter sleeps in a futex");
}

// ---- WakeRace -----------------------------------------------------------------------------------------------------

using sync::internal::WakeRace;

struct Waker {
  rt::SpinLock lock;
  WakeRace* race = nullptr;  // While it is published to this waker.
  Plain<int> news;
  bool won = false;
};

// Wakers that find the race under a lock of their own, as channels do, and a fiber that takes it back from each of
// them.
Result Claimers(size_t count, bool early, const char* name, const std::vector<Mutation>& mutations) {
  return Explore(For(name, mutations), [=](Scene& scene) {
    std::vector<Waker> wakers(count);
    std::atomic<bool> published{false};
    scene.Fiber("fiber", [&] {
      WakeRace race(rt::CurrentFiber(), early);
      for (Waker& waker : wakers) {
        if (!early) waker.lock.lock();
        waker.race = &race;
      }
      published.store(true, std::memory_order_release);
      if (early) {
        race.Park(WaitReason::kSelect);
        if (count == 1) Check(wakers[0].news.Get() == 1, "woken without what was written before the claim");
      } else {
        rt::Park(
            WaitReason::kSelect,
            [](rt::Fiber*, void* all) {
              for (Waker& waker : *static_cast<std::vector<Waker>*>(all)) waker.lock.unlock();
              return true;
            },
            &wakers);
      }
      int winners = 0;
      for (Waker& waker : wakers) {
        waker.lock.lock();
        waker.race = nullptr;
        winners += waker.won ? 1 : 0;
        waker.lock.unlock();
      }
      Check(winners == 1, "not exactly one has won");
    });
    for (Waker& waker : wakers) {
      scene.Thread(&waker == &wakers[0] ? "waker" : "rival", [&] {
        while (!published.load(std::memory_order_acquire)) rt::CpuRelax();
        waker.lock.lock();
        if (waker.race != nullptr) {
          waker.news.Set(1);
          rt::Fiber* fiber = waker.race->fiber();
          WakeRace::Outcome outcome = waker.race->Claim();
          waker.won = outcome != WakeRace::Outcome::kLost;
          if (outcome == WakeRace::Outcome::kParked) rt::Ready(fiber);
        }
        waker.lock.unlock();
      });
    }
    scene.Run();
  });
}

// As wakers that hold no lock do it: a cancelled token, a deadline.
Result WakesEarly(const std::vector<Mutation>& mutations) {
  return Claimers(1, true, "WakeRace: one waker at any time", mutations);
}
Result TwoEarly(const std::vector<Mutation>& mutations) {
  return Claimers(2, true, "WakeRace: two wakers at any time", mutations);
}
Result TwoLocked(const std::vector<Mutation>& mutations) {
  return Claimers(2, false, "WakeRace: two wakers with locks", mutations);
}

const std::vector<Program> kWakeRace = {&WakesEarly, &TwoLocked, &TwoEarly};

TEST(WakeRaceModel, ExactlyOneWakesTheFiber) {
  for (const Program& program : kWakeRace) {
    Result result = program({});
    EXPECT_TRUE(result.held) << result.story;
  }
}

TEST(WakeRaceModel, WithoutItsOrderingsOrItsExchangeItFails) {
  EXPECT_EQ(Survivors("wake_race.h", {&WakesEarly, &TwoEarly}), std::set<std::string>{});
}

}  // namespace
}  // namespace millrace::model
