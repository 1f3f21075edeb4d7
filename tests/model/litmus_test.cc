// The model checker itself: it shows what the memory model allows, hides nothing it allows, and reports it so that it
// can be followed. Names of litmus tests as in the literature (Alglave et al., "Herding Cats").
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "runtime/futex.h"
#include "tests/support/model/explore.h"

namespace millrace::model {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;
constexpr auto kAcquire = std::memory_order_acquire;
constexpr auto kRelease = std::memory_order_release;
constexpr auto kSeqCst = std::memory_order_seq_cst;

Result StoreBuffering(std::memory_order store, std::memory_order load, bool fences, size_t outdated_reads = 2) {
  return Explore({.name = "SB", .outdated_reads = outdated_reads}, [=](Scene& scene) {
    std::atomic<int> x{0}, y{0};
    int saw_x = -1, saw_y = -1;
    scene.Thread("one", [&] {
      x.store(1, store);
      if (fences) std::atomic_thread_fence(kSeqCst);
      saw_y = y.load(load);
    });
    scene.Thread("two", [&] {
      y.store(1, store);
      if (fences) std::atomic_thread_fence(kSeqCst);
      saw_x = x.load(load);
    });
    scene.Run();
    Check(saw_x == 1 || saw_y == 1, "both missed the other");
  });
}

TEST(ModelMemory, StoresThatWaitInABufferAreSeenTooLate) {
  EXPECT_FALSE(StoreBuffering(kRelaxed, kRelaxed, false).held);
  EXPECT_FALSE(StoreBuffering(kRelease, kAcquire, false).held);
  EXPECT_TRUE(StoreBuffering(kRelaxed, kRelaxed, true).held);
  EXPECT_TRUE(StoreBuffering(kSeqCst, kSeqCst, false).held);
  EXPECT_FALSE(StoreBuffering(kSeqCst, kAcquire, false).held);
  EXPECT_TRUE(StoreBuffering(kRelaxed, kRelaxed, false, 0).held) << "sequential consistency was asked for";
}

Result MessagePassing(std::memory_order store, std::memory_order load) {
  return Explore({.name = "MP"}, [=](Scene& scene) {
    std::atomic<int> flag{0};
    Plain<int> data;
    scene.Thread("writer", [&] {
      data.Set(1);
      flag.store(1, store);
    });
    scene.Thread("reader", [&] {
      if (flag.load(load) == 1) Check(data.Get() == 1, "an old value behind the flag");
    });
    scene.Run();
  });
}

TEST(ModelMemory, AMessageNeedsReleaseAndAcquire) {
  EXPECT_TRUE(MessagePassing(kRelease, kAcquire).held);
  EXPECT_FALSE(MessagePassing(kRelaxed, kAcquire).held);
  EXPECT_FALSE(MessagePassing(kRelease, kRelaxed).held);
}

TEST(ModelMemory, FencesAroundRelaxedOperationsPassAMessage) {
  for (bool fences : {true, false}) {
    Result result = Explore({.name = "MP with fences"}, [=](Scene& scene) {
      std::atomic<int> flag{0}, data{0};
      scene.Thread("writer", [&] {
        data.store(1, kRelaxed);
        if (fences) std::atomic_thread_fence(kRelease);
        flag.store(1, kRelaxed);
      });
      scene.Thread("reader", [&] {
        if (flag.load(kRelaxed) == 0) return;
        if (fences) std::atomic_thread_fence(kAcquire);
        Check(data.load(kRelaxed) == 1, "an old value behind the flag");
      });
      scene.Run();
    });
    EXPECT_EQ(result.held, fences) << result.story;
  }
}

TEST(ModelMemory, AReleaseSequenceGoesThroughReadModifyWrites) {
  for (bool by_store : {false, true}) {
    Result result = Explore({.name = "release sequence"}, [=](Scene& scene) {
      std::atomic<int> flag{0};
      Plain<int> data;
      scene.Thread("writer", [&] {
        data.Set(1);
        flag.store(1, kRelease);
      });
      scene.Thread("between", [&] {
        if (!by_store) {
          flag.fetch_add(1, kRelaxed);
        } else if (flag.load(kRelaxed) == 1) {
          flag.store(2, kRelaxed);
        }
      });
      scene.Thread("reader", [&] {
        if (flag.load(kAcquire) == 2) data.Get();
      });
      scene.Run();
    });
    EXPECT_EQ(result.held, !by_store) << result.story;
  }
}

Result Iriw(std::memory_order order) {
  return Explore({.name = "IRIW"}, [=](Scene& scene) {
    std::atomic<int> x{0}, y{0};
    int a = 0, b = 0, c = 0, d = 0;
    scene.Thread("x", [&] { x.store(1, order == kSeqCst ? kSeqCst : kRelease); });
    scene.Thread("y", [&] { y.store(1, order == kSeqCst ? kSeqCst : kRelease); });
    scene.Thread("first", [&] { a = x.load(order), b = y.load(order); });
    scene.Thread("second", [&] { c = y.load(order), d = x.load(order); });
    scene.Run();
    Check(!(a == 1 && b == 0 && c == 1 && d == 0), "two readers see two stores in different order");
  });
}

TEST(ModelMemory, OnlySequentialConsistencyMakesReadersAgree) {
  EXPECT_FALSE(Iriw(kAcquire).held);
  EXPECT_TRUE(Iriw(kSeqCst).held);
}

TEST(ModelMemory, OneVariableNeverGoesBack) {
  Result result = Explore({.name = "CoRR"}, [](Scene& scene) {
    std::atomic<int> x{0};
    scene.Thread("writer", [&] {
      x.store(1, kRelaxed);
      x.store(2, kRelaxed);
    });
    scene.Thread("reader", [&] {
      int first = x.load(kRelaxed);
      Check(x.load(kRelaxed) >= first, "time went back");
    });
    scene.Run();
  });
  EXPECT_TRUE(result.held) << result.story;
}

// ---- The search ---------------------------------------------------------------------------------------------------

Result Increments(bool atomic_add, Options options = {.name = "increments"}) {
  return Explore(options, [=](Scene& scene) {
    std::atomic<int> n{0};
    for (const char* name : {"one", "two", "three"}) {
      scene.Thread(name, [&n, atomic_add] {
        if (atomic_add) {
          n.fetch_add(1, kRelaxed);
        } else {
          n.store(n.load(kRelaxed) + 1, kRelaxed);
        }
      });
    }
    scene.Run();
    Check(n.load(kRelaxed) == 3, "an increment is lost");
  });
}

TEST(ModelSearch, FindsALostUpdateAndItsScheduleShowsItAgain) {
  Result found = Increments(false);
  ASSERT_FALSE(found.held);
  EXPECT_EQ(found.failure, "an increment is lost");
  EXPECT_NE(found.story.find("litmus_test.cc"), std::string::npos) << found.story;

  Result again = Increments(false, {.name = "increments again", .replay = found.schedule});
  EXPECT_EQ(again.failure, found.failure);
  EXPECT_EQ(again.executions, 1u);
  EXPECT_EQ(again.schedule, found.schedule);
}

TEST(ModelSearch, TriesAllOrders) {
  std::map<int, int> outcomes;
  auto body = [&](Scene& scene) {
    std::atomic<int> n{1};
    scene.Thread("two", [&] { n.exchange(2, kRelaxed); });
    scene.Thread("three", [&] { n.exchange(3, kRelaxed); });
    scene.Thread("five", [&] { n.exchange(5, kRelaxed); });
    scene.Run();
    ++outcomes[n.load(kRelaxed)];
  };
  EXPECT_TRUE(Explore({.name = "last of three", .outdated_reads = 0}, body).held);
  EXPECT_EQ(outcomes.size(), 3u);
  EXPECT_TRUE(Increments(true).held);
}

TEST(ModelSearch, TwoStepsThatDoNotMeetAreTriedInOneOrder) {
  auto body = [](Scene& scene) {
    std::atomic<int> x{0}, y{0};
    scene.Thread("one", [&] { x.store(1, kRelaxed), x.store(2, kRelaxed); });
    scene.Thread("two", [&] { y.store(1, kRelaxed), y.store(2, kRelaxed); });
    scene.Run();
  };
  Result reduced = Explore({.name = "strangers"}, body);
  EXPECT_EQ(reduced.executions - reduced.pruned, 1u);
  Result all = Explore({.name = "strangers, by preemptions", .preemptions = 9}, body);
  EXPECT_EQ(all.executions, 6u);  // 4! / (2! * 2!)
}

// What a random program of three threads can do, by the search that leaves out equivalent orders and by the one that
// tries all.
TEST(ModelSearch, LeavingOutEquivalentOrdersLosesNoOutcome) {
  std::mt19937 random(20261123);
  auto pick = [&](auto... of) {
    std::array all{of...};
    return all[random() % all.size()];
  };
  for (int program = 0; program < 150; ++program) {
    struct Step {
      int kind, variable;
      std::memory_order order;
    };
    std::array<std::array<Step, 3>, 3> threads;
    for (auto& steps : threads) {
      for (Step& step : steps) step = {pick(0, 0, 1, 1, 2, 3, 4), pick(0, 1), pick(kRelaxed, kAcquire, kSeqCst)};
    }
    auto outcomes = [&](int preemptions) {
      std::set<std::vector<int>> seen;
      Options options{.name = "random", .preemptions = preemptions, .outdated_reads = 1, .quiet = true};
      Result result = Explore(options, [&](Scene& scene) {
        std::array<std::atomic<int>, 2> variables{};
        std::array<std::vector<int>, 3> reads;
        for (size_t i = 0; i < 3; ++i) {
          scene.Thread("thread", [&, i] {
            for (size_t k = 0; k < 3; ++k) {
              auto [kind, variable, order] = threads[i][k];
              std::atomic<int>& x = variables[static_cast<size_t>(variable)];
              int fresh = static_cast<int>(10 * i + k + 1), expected = 0;
              if (kind == 0) reads[i].push_back(x.load(order));
              if (kind == 1) x.store(fresh, order == kAcquire ? kRelease : order);
              if (kind == 2) reads[i].push_back(x.exchange(fresh, order));
              if (kind == 3) reads[i].push_back(x.compare_exchange_strong(expected, fresh, order));
              if (kind == 4) std::atomic_thread_fence(kSeqCst);
            }
          });
        }
        scene.Run();
        std::vector<int> outcome = {variables[0].load(), variables[1].load()};
        for (const auto& one : reads) outcome.insert(outcome.end(), one.begin(), one.end());
        seen.insert(outcome);
      });
      EXPECT_TRUE(result.held) << result.story;
      return seen;
    };
    ASSERT_EQ(outcomes(-1), outcomes(99)) << "program " << program;
  }
}

TEST(ModelSearch, APreemptionBoundLeavesOutWhatNeedsMore) {
  auto body = [](Scene& scene) {
    std::atomic<int> turn{0};
    bool met = false;
    scene.Thread("one", [&] { turn.store(1), met = turn.load() == 2 && turn.load() == 3; });
    scene.Thread("two", [&] { turn.store(2), turn.store(3); });
    scene.Run();
    Check(!met, "three preemptions");
  };
  EXPECT_TRUE(Explore({.name = "one preemption", .preemptions = 1}, body).held);
  EXPECT_FALSE(Explore({.name = "three preemptions", .preemptions = 3}, body).held);
  EXPECT_FALSE(Explore({.name = "any number of preemptions"}, body).held);
}

TEST(ModelSearch, ALostWakeUpIsADeadlock) {
  for (bool lost : {false, true}) {
    Result result = Explore({.name = "futex"}, [=](Scene& scene) {
      std::atomic<uint32_t> word{0};
      scene.Thread("sleeper", [&] {
        while (word.load(kAcquire) == 0) rt::FutexWait(word, 0);
      });
      scene.Thread("waker", [&] {
        if (lost) rt::FutexWake(word, 1);
        word.store(1, kRelease);
        if (!lost) rt::FutexWake(word, 1);
      });
      scene.Run();
    });
    EXPECT_EQ(result.held, !lost) << result.story;
    EXPECT_EQ(result.failure, lost ? "deadlock: sleeper sleeps in a futex" : "");
  }
}

TEST(ModelSearch, SpinningEndsAndALivelockIsReported) {
  for (bool released : {true, false}) {
    Result result = Explore({.name = "spinning", .steps_max = 200}, [=](Scene& scene) {
      std::atomic<uint32_t> held{1};
      scene.Thread("spinner", [&] {
        while (held.load(kRelaxed) != 0) rt::CpuRelax();
      });
      scene.Thread("owner", [&] {
        held.store(2, kRelaxed);
        if (released) held.store(0, kRelaxed);
      });
      scene.Run();
    });
    EXPECT_EQ(result.held, released) << result.story;
    EXPECT_EQ(result.failure, released ? "" : "more than 200 steps");
  }
}

TEST(ModelSearch, UseAfterDestructionIsReported) {
  for (bool waits : {true, false}) {
    Result result = Explore({.name = "lifetime"}, [=](Scene& scene) {
      std::optional<std::atomic<int>> flag(std::in_place, 0);
      std::atomic<int> done{0};
      scene.Thread("owner", [&] {
        if (waits) {
          while (done.load(kAcquire) == 0) rt::CpuRelax();
        }
        flag.reset();
      });
      scene.Thread("other", [&] {
        flag->store(1, kRelaxed);
        done.store(1, kRelease);
      });
      scene.Run();
    });
    EXPECT_EQ(result.held, waits) << result.story;
  }
}

}  // namespace
}  // namespace millrace::model
