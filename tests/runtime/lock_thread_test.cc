#include "runtime/lock_thread.h"

#include <dirent.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "runtime/blocking.h"
#include "runtime/dump.h"
#include "runtime/park.h"
#include "runtime/preempt.h"
#include "runtime/runtime.h"
#include "sync/channel.h"
#include "sync/mutex.h"
#include "sync/wait_group.h"
#include "tests/support/fibers.h"

namespace millrace::rt {
namespace {

using namespace std::chrono_literals;

class LockThread : public test::OnAnyProcs {};
INSTANTIATE_TEST_SUITE_P(Procs, LockThread, test::kAnyProcs);

// Out of line: on which thread the fiber is now.
__attribute__((noinline)) pid_t ThisThread() { return gettid(); }

bool ThreadExists(pid_t tid) { return std::filesystem::exists("/proc/self/task/" + std::to_string(tid)); }

// Bounded, to catch a hang.
template <typename F>
bool Eventually(F&& holds) {
  for (int i = 0; i < 30'000; ++i) {
    if (holds()) return true;
    SleepFor(1ms);
  }
  return false;
}

// Fibers that wait in every way there is, and say on which threads they were.
class Crowd {
 public:
  explicit Crowd(int fibers) {
    for (int i = 0; i < fibers; ++i) {
      done_.Go([this, i] {
        while (!over_) {
          for (pid_t taken : taken_) EXPECT_NE(ThisThread(), taken) << "this thread is another fiber's";
          if (i % 3 == 0) SleepFor(100us);
          if (i % 3 == 1) Blocking([] { usleep(100); });
          Yield();
        }
      });
    }
  }
  ~Crowd() {
    over_ = true;
    done_.Wait();
  }
  std::atomic<pid_t>& taken(size_t i) { return taken_[i]; }

 private:
  std::atomic<bool> over_{false};
  std::array<std::atomic<pid_t>, 4> taken_{};
  sync::WaitGroup done_;
};

TEST_P(LockThread, KeepsTheThreadAcrossWaitsOfEveryKind) {
  Run([] {
    Crowd crowd(9);
    sync::Channel<int> there, back;
    sync::WaitGroup done;
    done.Go([&] {
      while (std::optional<int> n = there.Receive()) back.Send(*n + 1);
    });
    for (size_t k = 0; k < 4; ++k) {
      done.Go([&, k] {
        rt::LockThread();
        const pid_t mine = ThisThread();
        crowd.taken(k) = mine;
        for (int i = 0; i < 50; ++i) {
          if (k == 0) {
            there.Send(i);
            EXPECT_EQ(*back.Receive(), i + 1);
          }
          EXPECT_EQ(ThisThread(), mine);
          SleepFor(50us);
          EXPECT_EQ(ThisThread(), mine);
          Yield();
          EXPECT_EQ(ThisThread(), mine);
          Blocking([] { usleep(50); });
          EXPECT_EQ(ThisThread(), mine);
        }
        crowd.taken(k) = 0;
        rt::UnlockThread();
        if (k == 0) there.Close();
      });
    }
    done.Wait();
  });
}

TEST_P(LockThread, IsCountedAndAfterTheLastUnlockTheThreadIsEverybodys) {
  Run([] {
    Crowd crowd(3);
    rt::LockThread();
    rt::LockThread();
    const pid_t mine = ThisThread();
    crowd.taken(0) = mine;
    rt::UnlockThread();
    for (int i = 0; i < 20; ++i) {
      SleepFor(50us);
      EXPECT_EQ(ThisThread(), mine);
    }
    crowd.taken(0) = 0;
    rt::UnlockThread();
    // Somebody is seen there in the end, were it this fiber itself.
    std::atomic<bool> seen{false};
    sync::WaitGroup done;
    for (int i = 0; i < 4; ++i) {
      done.Go([&] {
        if (Eventually([&] { return seen || ThisThread() == mine; })) seen = true;
      });
    }
    done.Wait();
    EXPECT_TRUE(seen);
  });
}

// What a fiber changes on its thread, nobody else gets to see: neither while it waits nor after it has ended with the
// lock held (TestLockOSThreadAvoidsStatePropagation).
TEST_P(LockThread, StateOfTheThreadDoesNotGoToOthers) {
  Run([] {
    auto usr2_is_blocked = [] {
      sigset_t now;
      pthread_sigmask(SIG_SETMASK, nullptr, &now);
      return sigismember(&now, SIGUSR2) == 1;
    };
    auto look_around = [&] {
      sync::WaitGroup done;
      for (int i = 0; i < 50; ++i) {
        done.Go([&] {
          EXPECT_FALSE(usr2_is_blocked());
          SleepFor(10us);
          EXPECT_FALSE(usr2_is_blocked());
        });
      }
      done.Wait();
    };
    for (int round = 0; round < 10; ++round) {
      sync::Channel<sync::Nothing> changed(1), go_on(1);
      Go([&] {
        rt::LockThread();
        sigset_t usr2;
        sigemptyset(&usr2);
        sigaddset(&usr2, SIGUSR2);
        pthread_sigmask(SIG_BLOCK, &usr2, nullptr);
        changed.Send({});
        go_on.Receive();
        EXPECT_TRUE(usr2_is_blocked());
        changed.Send({});
      });
      changed.Receive();
      look_around();
      go_on.Send({});
      changed.Receive();
      look_around();
    }
  });
}

// TestLockOSThreadExit, and that such threads do not pile up.
TEST_P(LockThread, AFiberThatEndsWithItTakesItsThreadAlong) {
  Run([] {
    std::vector<pid_t> gone;
    for (int i = 0; i < 200; ++i) {
      sync::WaitGroup done;
      pid_t tid = 0;
      done.Go([&] {
        rt::LockThread();
        tid = ThisThread();
      });
      done.Wait();
      gone.push_back(tid);
    }
    EXPECT_TRUE(Eventually([&] { return std::none_of(gone.begin(), gone.end(), ThreadExists); }));
    sync::WaitGroup done;
    for (int i = 0; i < 50; ++i) {
      done.Go([&] {
        EXPECT_EQ(std::count(gone.begin(), gone.end(), ThisThread()), 0);
        SleepFor(10us);
      });
    }
    done.Wait();
  });
}

TEST_P(LockThread, MainMayEndWithItWhileOthersWaitWithTheirs) {
  auto waits = std::make_unique<sync::Channel<int>>();
  Run([&waits] {
    std::atomic<int> begun{0};
    for (int i = 0; i < 10; ++i) {
      Go([&begun, &waits] {
        ThreadLock lock;
        ++begun;
        waits->Receive();
      });
    }
    while (begun < 10) Yield();
    rt::LockThread();
    SleepFor(1ms);
  });
}

TEST_P(LockThread, MutexesAndManyLockedFibersGetOn) {
  Runtime({.procs = GetParam(), .parked_machines_max = 1}).Run([] {
    sync::Mutex mutex;
    int count = 0;
    sync::WaitGroup done;
    for (int i = 0; i < 40; ++i) {
      done.Go([&, i] {
        if (i % 2 == 0) rt::LockThread();
        for (int k = 0; k < 50; ++k) {
          mutex.lock();
          ++count;
          if (k % 10 == 0) Yield();
          mutex.unlock();
        }
        if (i % 4 == 0) rt::UnlockThread();
      });
    }
    done.Wait();
    EXPECT_EQ(count, 40 * 50);
  });
}

TEST_P(LockThread, SetProcsGoesOnBesideIt) {
  Run([] {
    ThreadLock lock;
    const pid_t mine = ThisThread();
    Crowd crowd(4);
    for (int i = 0; i < 30; ++i) {
      SetProcs(1 + i % 4);
      SleepFor(200us);
      EXPECT_EQ(ThisThread(), mine);
    }
  });
}

TEST(LockThreadAlone, InASimulationIsTheSame) {
  Runtime({.simulate = true, .seed = 7}).Run([] {
    ThreadLock lock;
    const pid_t mine = ThisThread();
    sync::WaitGroup done;
    for (int i = 0; i < 5; ++i) {
      done.Go([mine] {
        for (int k = 0; k < 10; ++k) {
          EXPECT_NE(ThisThread(), mine);
          SleepFor(1min);
        }
      });
    }
    done.Wait();
    EXPECT_EQ(ThisThread(), mine);
  });
}

TEST(LockThreadAlone, APlainThreadHasItsThread) {
  ThreadLock lock;
  rt::LockThread();
  rt::UnlockThread();
}

TEST(LockThreadAlone, IsSeenInDumps) {
  test::OnProcs(2, [] {
    std::atomic<bool> begun{false};
    sync::Channel<int> channel;
    sync::WaitGroup done;
    done.Go({.name = "painter"}, [&] {
      ThreadLock lock;
      begun = true;
      channel.Receive();
    });
    while (!begun) Yield();
    EXPECT_TRUE(Eventually([] {
      std::string dump = FiberDump();
      size_t at = dump.find(" 'painter' [channel receive, ");
      return at != std::string::npos && dump.substr(at, dump.find('\n', at) - at).ends_with(", keeps its thread]:");
    }));
    channel.Close();
    done.Wait();
  });
}

TEST(LockThreadAlone, AHogThatKeepsItsThreadIsStoppedLikeAnyOther) {
  if (!kPreemptionWorks) GTEST_SKIP() << "nobody is stopped under ThreadSanitizer";
  test::OnProcs(1, [] {
    std::atomic<bool> enough{false};
    sync::WaitGroup done;
    for (int i = 0; i < 2; ++i) {
      done.Go([&] {
        ThreadLock lock;
        const pid_t mine = ThisThread();
        while (!enough) {
        }
        EXPECT_EQ(ThisThread(), mine);
      });
    }
    SleepFor(30ms);
    enough = true;
    done.Wait();
  });
}

class LockThreadDeathTest : public ::testing::Test {
 protected:
  void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

TEST_F(LockThreadDeathTest, AnUnlockTooManyIsFatal) {
  EXPECT_DEATH(test::OnProcs(1,
                             [] {
                               rt::LockThread();
                               rt::UnlockThread();
                               rt::UnlockThread();
                             }),
               "fiber 1 'main' unlocks its thread, which it has not locked; call LockThread first");
}

// TestLockedDeadlock and TestLockedDeadlock2.
TEST_F(LockThreadDeathTest, ADeadlockOfFibersThatKeepTheirThreadsIsReported) {
  auto wait_for_ever = [] { sync::Channel<int>().Receive(); };
  EXPECT_EXIT(test::OnProcs(2,
                            [&] {
                              ThreadLock lock;
                              wait_for_ever();
                            }),
              ::testing::ExitedWithCode(2), "all fibers are asleep - deadlock!(.|\n)*keeps its thread");
  EXPECT_EXIT(test::OnProcs(2,
                            [&] {
                              Go([&] {
                                ThreadLock lock;
                                wait_for_ever();
                              });
                              SleepFor(1ms);
                              wait_for_ever();
                            }),
              ::testing::ExitedWithCode(2), "all fibers are asleep - deadlock!(.|\n)*keeps its thread");
}

}  // namespace
}  // namespace millrace::rt
