// Programs that end in the middle of everything. What main leaves behind is dropped without destructors and its memory
// is never given back, so each program runs in a child of its own; that child must end, and be able to allocate and
// print until then.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "runtime/blocking.h"
#include "sync/channel.h"
#include "tests/stress/torment.h"

namespace millrace::test {
namespace {

using std::chrono::microseconds;

class Ending : public ::testing::TestWithParam<int> {
 protected:
  void SetUp() override {
#if defined(__SANITIZE_THREAD__)
    GTEST_SKIP() << "ThreadSanitizer allows no threads in the child of a process that had some";
#endif
  }

  // Runs `program` in a child, which is to exit with 0.
  template <typename F>
  static void InChild(F&& program) {
    MILLRACE_TRACE_SEED();
    pid_t pid = fork();
    ASSERT_GE(pid, 0);
    if (pid == 0) {
      alarm(60);  // One that hangs is seen as killed.
      program();
      // What the dropped fibers were stopped in must not have kept the libraries' locks.
      std::vector<std::unique_ptr<std::string>> memory;
      for (int i = 0; i < 1000; ++i) memory.push_back(std::make_unique<std::string>(static_cast<size_t>(i), 'x'));
      FILE* null = fopen("/dev/null", "w");
      bool good = null != nullptr && fprintf(null, "%d\n", static_cast<int>(memory.size())) > 0 && fclose(null) == 0;
      try {
        throw 1;
      } catch (int) {
      }
      _exit(good ? 0 : 1);
    }
    int status = -1;
    ASSERT_EQ(waitpid(pid, &status, 0), pid);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0)
        << (WIFSIGNALED(status) ? "killed by signal " + std::to_string(WTERMSIG(status)) : "exit code not 0");
  }

  static constexpr int kTimes = kSlowBuild ? 3 : 10;
};
INSTANTIATE_TEST_SUITE_P(Procs, Ending, kAnyProcs);

// Everything at once: computes, allocates, prints, throws, waits, blocks.
void DoALittleOfEverything(int i, FILE* stream, sync::Channel<int>& channel) {
  switch (i % 8) {
    case 0:
      for (int k = 0; k < 50'000; ++k) asm volatile("" : : : "memory");
      break;
    case 1:
      for (int k = 0; k < 50; ++k) std::string(static_cast<size_t>(k * 40), 'm');
      break;
    case 2:
      fprintf(stream, "%d %s\n", i, "line");
      break;
    case 3:
      try {
        throw std::string("thrown");
      } catch (const std::string&) {
        rt::Yield();
      }
      break;
    case 4:
      static_cast<void>(channel.TrySend(i));
      static_cast<void>(channel.TryReceive());
      break;
    case 5:
      rt::SleepFor(microseconds(30));
      break;
    case 6:
      rt::Blocking([] { usleep(20); });
      break;
    default:
      usleep(20);
  }
  if (!rt::kPreemptionWorks) rt::Yield();  // Else main would never end.
}

TEST_P(Ending, InTheMiddleOfEverythingManyTimes) {
  InChild([&] {
    for (int time = 0; time < kTimes; ++time) {
      // On the heap, for fibers that go on for a moment: a fiber that is dropped must not look into main's frame.
      struct Shared {
        FILE* stream = fopen("/dev/null", "w");
        sync::Channel<int> channel{1};
        std::atomic<int> rounds{0};
      };
      auto& shared = *new Shared;
      rt::Runtime runtime({.procs = GetParam()});
      Tormentor tormentor(runtime, {.enough = 10});
      int result = runtime.Run([&] {
        for (int i = 0; i < 24; ++i) {
          rt::Go([&shared, i] {
            for (;;) {
              DoALittleOfEverything(i, shared.stream, shared.channel);
              shared.rounds.fetch_add(1);
            }
          });
        }
        while (shared.rounds.load() < 200 || tormentor.WantsMore()) rt::Yield();
        return 7;
      });
      if (result != 7) _exit(2);
    }
  });
}

TEST_P(Ending, WhileProcessorsComeAndGo) {
  InChild([&] {
    for (int time = 0; time < kTimes; ++time) {
      rt::Runtime runtime({.procs = GetParam()});
      Tormentor tormentor(runtime, {.enough = 5});
      runtime.Run([&] {
        for (int i = 0; i < 4; ++i) {
          rt::Go([i] {
            for (int k = i;; ++k) {
              rt::SetProcs(1 + k % 32);
              rt::Yield();
            }
          });
        }
        for (int i = 0; i < 200; ++i) rt::Yield();
      });
    }
  });
}

TEST_P(Ending, WhileHundredsOfThreadsAreStoppedOrBlocked) {
  if (!rt::kPreemptionWorks) GTEST_SKIP() << "a thread asleep in a call is woken by the preemption signal";
  InChild([&] {
    rt::Runtime runtime({.procs = GetParam()});
    Tormentor tormentor(runtime, {.enough = 100});
    runtime.Run([&] {
      static std::atomic<int> begun{0};
      for (int i = 0; i < 200; ++i) {
        rt::Go([i] {
          begun.fetch_add(1);
          if (i % 2 == 0) {
            rt::Blocking([] { pause(); });
          } else {
            for (;;) asm volatile("" : : : "memory");
          }
        });
      }
      while (begun.load() < 150) rt::Yield();
    });
  });
}

// One fiber prints, which holds the stream's lock, and allocates under it; others hold malloc's. Some are stopped
// there.
TEST_P(Ending, LeavesTheLocksOfTheLibrariesFree) {
  InChild([&] {
    static FILE* stream = fopen("/dev/null", "w");
    for (int time = 0; time < kTimes; ++time) {
      rt::Runtime runtime({.procs = GetParam()});
      Tormentor tormentor(runtime, {.enough = 30});
      runtime.Run([&] {
        for (int i = 0; i < 16; ++i) {
          rt::Go([i] {
            for (;;) {
              for (int k = 0; k < 20; ++k) {
                if (i % 2 == 0) {
                  fprintf(stream, "%s %f\n", "a line of some length", k * 0.1);
                } else {
                  free(malloc(static_cast<size_t>(k) * 5'000));
                }
              }
              rt::Yield();
            }
          });
        }
        while (tormentor.WantsMore()) rt::Yield();
      });
      if (fprintf(stream, "%d\n", time) <= 0) _exit(3);
    }
    if (fflush(stream) != 0) _exit(4);
  });
}

TEST_P(Ending, AtOnceHundredsOfTimes) {
  for (int i = 0; i < (kSlowBuild ? 20 : 200); ++i) {
    rt::Runtime runtime({.procs = GetParam()});
    int sum = 0;
    EXPECT_EQ(runtime.Run([&] {
      sync::WaitGroup done;
      for (int k = 0; k < i % 4; ++k) done.Go([] { rt::Yield(); });
      done.Wait();
      sum = i;
      return i;
    }),
              i);
    EXPECT_EQ(sum, i);
  }
}

TEST_P(Ending, AtOnceUnderTorment) {
  MILLRACE_TRACE_SEED();
  for (int i = 0; i < (kSlowBuild ? 10 : 50); ++i) {
    rt::Runtime runtime({.procs = GetParam()});
    Tormentor tormentor(runtime, {.pause_max = microseconds(50)});
    std::atomic<int> ran{0};
    runtime.Run([&] {
      sync::WaitGroup done;
      for (int k = 0; k < 10; ++k) {
        done.Go([&] {
          rt::Yield();
          ran.fetch_add(1);
        });
      }
      done.Wait();
    });
    EXPECT_EQ(ran.load(), 10);
  }
}

// While plain threads start fibers and wake them.
TEST_P(Ending, BesidePlainThreadsThatStartFibers) {
  InChild([&] {
    for (int time = 0; time < kTimes; ++time) {
      rt::Runtime runtime({.procs = GetParam()});
      std::atomic<bool> stop{false};
      std::atomic<int> started{0};
      std::thread outside([&] {
        while (!stop.load()) {
          runtime.Go([&started] { started.fetch_add(1); });
          std::this_thread::sleep_for(microseconds(5));
        }
      });
      runtime.Run([&] {
        while (started.load() < 50) rt::Yield();
      });
      stop = true;
      outside.join();
    }
  });
}

}  // namespace
}  // namespace millrace::test
