// What C++ keeps by thread must follow the fiber: errno and exceptions in flight.
#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <exception>
#include <stdexcept>
#include <string>

#include "runtime/runtime.h"
#include "runtime/sanitizers.h"
#include "tests/support/fibers.h"

namespace millrace::rt {
namespace {

class ThreadState : public test::OnAnyProcs {};
INSTANTIATE_TEST_SUITE_P(Procs, ThreadState, test::kAnyProcs);

// The compiler may keep errno's address, which is another one after a switch: go through a function it cannot see into.
// For TSan a thread's errno is shared by the fibers on that thread.
MR_NO_TSAN __attribute__((noinline)) void SetErrno(int value) {
  asm volatile("");
  errno = value;
}
MR_NO_TSAN __attribute__((noinline)) int GetErrno() {
  asm volatile("");
  return errno;
}

TEST_P(ThreadState, ErrnoFollowsTheFiberToOtherMachines) {
  Run([] {
    std::atomic<int> left{20};
    for (int i = 0; i < 20; ++i) {
      Go([&, i] {
        for (int round = 0; round < 500; ++round) {
          SetErrno(i * 1000 + round);
          Yield();
          ASSERT_EQ(GetErrno(), i * 1000 + round);
        }
        left--;
      });
    }
    while (left > 0) Yield();
  });
}

// ClickHouse/silk#98: two fibers that wait inside catch blocks mixed up each other's exceptions.
TEST_P(ThreadState, AnExceptionBeingHandledSurvivesAWait) {
  Run([] {
    std::atomic<int> left{20};
    for (int i = 0; i < 20; ++i) {
      Go([&, i] {
        for (int round = 0; round < 200; ++round) {
          std::string expected = "fiber " + std::to_string(i) + " round " + std::to_string(round);
          try {
            try {
              throw std::runtime_error(expected);
            } catch (const std::exception&) {
              Yield();
              if (round % 3 == 0) SleepFor(std::chrono::microseconds(10));
              throw;  // Takes the exception in flight from the thread's state.
            }
          } catch (const std::exception& error) {
            Yield();
            ASSERT_EQ(error.what(), expected);
          }
        }
        left--;
      });
    }
    while (left > 0) Yield();
  });
}

TEST_P(ThreadState, NestedHandlersUnwindInTheirOwnFiber) {
  Run([] {
    std::atomic<int> left{10};
    for (int i = 0; i < 10; ++i) {
      Go([&, i] {
        try {
          throw i;
        } catch (int outer) {
          Yield();
          try {
            throw std::to_string(outer);
          } catch (const std::string& inner) {
            Yield();
            EXPECT_EQ(inner, std::to_string(outer));
          }
          Yield();
          EXPECT_EQ(outer, i);
          std::exception_ptr now = std::current_exception();
          EXPECT_THROW(std::rethrow_exception(now), int);
        }
        left--;
      });
    }
    while (left > 0) Yield();
  });
}

TEST_P(ThreadState, UncaughtExceptionsAreCountedByFiber) {
  Run([] {
    struct YieldsWhileUnwinding {
      ~YieldsWhileUnwinding() {
        EXPECT_EQ(std::uncaught_exceptions(), 1);
        Yield();
        EXPECT_EQ(std::uncaught_exceptions(), 1);
      }
    };
    std::atomic<int> left{10};
    for (int i = 0; i < 10; ++i) {
      Go([&] {
        for (int round = 0; round < 50; ++round) {
          EXPECT_EQ(std::uncaught_exceptions(), 0);
          try {
            YieldsWhileUnwinding guard;
            throw 1;
          } catch (int) {
          }
          Yield();
        }
        left--;
      });
    }
    while (left > 0) Yield();
  });
}

}  // namespace
}  // namespace millrace::rt
