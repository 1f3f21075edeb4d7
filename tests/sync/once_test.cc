// Mirrors Go's sync/once_test.go.
#include "sync/once.h"

#include <atomic>
#include <stdexcept>

#include "sync/wait_group.h"
#include "tests/support/fibers.h"
#include "tests/support/parked.h"

namespace millrace::sync {
namespace {

using test::WatchedFiber;

class OnceTest : public test::OnAnyProcs {};
INSTANTIATE_TEST_SUITE_P(Procs, OnceTest, test::kAnyProcs);

TEST_P(OnceTest, RunsOneFunctionOnceAndAllSeeItsEffect) {
  Run([] {
    Once once;
    int runs = 0;  // Not atomic: seen by all through Once.
    WaitGroup done;
    for (int i = 0; i < 50; ++i) {
      done.Go([&] {
        once.Do([&] { rt::Yield(), ++runs; });
        EXPECT_EQ(runs, 1);
      });
    }
    done.Wait();
    EXPECT_TRUE(once.done());
  });
}

TEST_P(OnceTest, OthersWaitUntilTheFunctionHasReturned) {
  Run([] {
    Once once;
    std::atomic<bool> begun{false}, finish{false};
    WatchedFiber first([&] {
      once.Do([&] {
        begun = true;
        while (!finish) rt::Yield();
      });
    });
    while (!begun) rt::Yield();
    WatchedFiber second([&] { once.Do([] { ADD_FAILURE() << "ran a second time"; }); });
    second.AwaitParked();
    EXPECT_FALSE(second.finished());
    EXPECT_FALSE(once.done());
    finish = true;
    first.Join(), second.Join();
    EXPECT_TRUE(once.done());
  });
}

TEST_P(OnceTest, AFunctionThatThrowsHasRun) {
  Run([] {
    Once once;
    EXPECT_THROW(once.Do([] { throw std::runtime_error("first"); }), std::runtime_error);
    once.Do([] { ADD_FAILURE() << "ran a second time"; });
    EXPECT_TRUE(once.done());
  });
}

}  // namespace
}  // namespace millrace::sync
