// Rings of locks, and fibers that wait too long.
#include "runtime/deadlock.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <deque>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <vector>

#include "runtime/blocking.h"
#include "runtime/park.h"
#include "runtime/runtime.h"
#include "sync/channel.h"
#include "sync/mutex.h"
#include "sync/rw_mutex.h"
#include "sync/semaphore.h"
#include "sync/wait_group.h"
#include "tests/support/fibers.h"
#include "tests/support/parked.h"

namespace millrace::rt {
namespace {

using namespace std::chrono_literals;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

// What the process writes to stderr while this lives.
class Stderr {
 public:
  Stderr() : before_(dup(STDERR_FILENO)) {
    EXPECT_EQ(pipe2(ends_.data(), O_CLOEXEC), 0);
    dup2(ends_[1], STDERR_FILENO);
  }
  ~Stderr() {
    dup2(before_, STDERR_FILENO);
    for (int fd : {before_, ends_[0], ends_[1]}) close(fd);
  }
  Stderr(const Stderr&) = delete;
  Stderr& operator=(const Stderr&) = delete;

  // All of it so far, as soon as that contains a match and the line has ended. Waits for it.
  std::string ReadUntil(const std::string& text) {
    char byte = 0;
    while ((said_.find(text) == std::string::npos || byte != '\n') && read(ends_[0], &byte, 1) == 1) said_ += byte;
    return said_;
  }

 private:
  const int before_;
  std::array<int, 2> ends_{};
  std::string said_;
};

class LockCycle : public test::OnAnyProcs {};
INSTANTIATE_TEST_SUITE_P(Procs, LockCycle, test::kAnyProcs);

TEST_P(LockCycle, OfThreeFibersIsFoundWhileOthersRun) {
  Run([] {
    // Not in this frame: the fibers are dropped only after main has returned.
    static std::deque<std::array<sync::Mutex, 3>> tables;
    static std::deque<sync::WaitGroup> groups;
    auto* mutexes = &tables.emplace_back();
    auto* all_have_one = &groups.emplace_back();
    all_have_one->Add(3);
    static const char* const kNames[] = {"philosopher 0", "philosopher 1", "philosopher 2"};
    for (size_t i = 0; i < 3; ++i) {
      Go({.name = kNames[i]}, [=] {
        std::lock_guard left((*mutexes)[i]);
        all_have_one->Done();
        all_have_one->Wait();
        std::lock_guard right((*mutexes)[(i + 1) % 3]);
      });
    }
    std::vector<std::vector<WaitingFiber>> cycles;
    while (cycles.empty()) {
      Yield();
      cycles = LockCycles();
    }
    ASSERT_THAT(cycles, SizeIs(1));
    ASSERT_THAT(cycles[0], SizeIs(3));
    std::string text = DescribeCycle(cycles[0]);
    for (const char* name : kNames) EXPECT_THAT(text, HasSubstr(name));
    EXPECT_THAT(text, HasSubstr(" waits for a mutex that fiber "));
  });
}

TEST_P(LockCycle, IsLoggedWhileOthersRun) {
  Stderr said;
  Run([&] {
    static std::deque<std::array<sync::Mutex, 2>> tables;
    static std::deque<sync::WaitGroup> groups;
    auto* mutexes = &tables.emplace_back();
    auto* both_have_one = &groups.emplace_back();
    both_have_one->Add(2);
    for (size_t i = 0; i < 2; ++i) {
      Go({.name = i == 0 ? "castor" : "pollux"}, [=] {
        std::lock_guard one((*mutexes)[i]);
        both_have_one->Done();
        both_have_one->Wait();
        std::lock_guard other((*mutexes)[1 - i]);
      });
    }
    std::string text = said.ReadUntil("deadlock: ");
    EXPECT_THAT(text, ContainsRegex("deadlock: fiber [0-9]+ '(castor|pollux)' waits for a mutex that fiber [0-9]+ "
                                    "'(castor|pollux)' holds, which waits for a mutex that fiber [0-9]+ "
                                    "'(castor|pollux)' holds\n"));
  });
}

TEST_P(LockCycle, GoesAlsoThroughAReaderThatWaitsForAWriter) {
  Run([] {
    static std::deque<sync::Mutex> mutexes;
    static std::deque<sync::RwMutex> rw_mutexes;
    static std::deque<sync::WaitGroup> groups;
    auto* mutex = &mutexes.emplace_back();
    auto* rw_mutex = &rw_mutexes.emplace_back();
    auto* both_have_one = &groups.emplace_back();
    both_have_one->Add(2);
    Go({.name = "reader"}, [=] {
      std::lock_guard holding(*mutex);
      both_have_one->Done();
      both_have_one->Wait();
      std::shared_lock reading(*rw_mutex);
    });
    Go({.name = "writer"}, [=] {
      std::unique_lock writing(*rw_mutex);
      both_have_one->Done();
      both_have_one->Wait();
      std::lock_guard wanting(*mutex);
    });
    std::vector<std::vector<WaitingFiber>> cycles;
    while (cycles.empty()) {
      Yield();
      cycles = LockCycles();
    }
    ASSERT_THAT(cycles, SizeIs(1));
    ASSERT_THAT(cycles[0], SizeIs(2));
    std::string text = DescribeCycle(cycles[0]);
    EXPECT_THAT(text, HasSubstr("'reader' holds"));
    EXPECT_THAT(text, HasSubstr("'writer' holds"));
  });
}

TEST_P(LockCycle, IsNotSeenWhereReadersMerelyWaitForAWriter) {
  Run([] {
    sync::RwMutex rw_mutex;
    rw_mutex.lock();
    {
      std::vector<std::unique_ptr<test::WatchedFiber>> readers;
      for (int i = 0; i < 5; ++i)
        readers.push_back(std::make_unique<test::WatchedFiber>([&] { std::shared_lock reading(rw_mutex); }));
      for (auto& reader : readers) reader->AwaitParked();
      EXPECT_THAT(LockCycles(), SizeIs(0));
      rw_mutex.unlock();
    }
    EXPECT_THAT(LockCycles(), SizeIs(0));
  });
}

TEST_P(LockCycle, IsNotSeenWhereAQueueMerelyWaits) {
  Run([] {
    sync::Mutex mutex;
    mutex.lock();
    {
      std::vector<std::unique_ptr<test::WatchedFiber>> waiters;
      for (int i = 0; i < 5; ++i)
        waiters.push_back(std::make_unique<test::WatchedFiber>([&] { std::lock_guard guard(mutex); }));
      for (auto& waiter : waiters) waiter->AwaitParked();
      EXPECT_THAT(LockCycles(), SizeIs(0));
      mutex.unlock();
    }
    EXPECT_THAT(LockCycles(), SizeIs(0));
  });
}

TEST_P(LockCycle, BlockedFibersAreListedLongestFirst) {
  Run([] {
    sync::Channel<int> channel;
    test::WatchedFiber receiver([&] { channel.Receive(); });
    receiver.AwaitParked();
    sync::Semaphore semaphore(0);
    test::WatchedFiber waiter([&] { semaphore.Acquire(); });
    waiter.AwaitParked();
    test::WatchedFiber sleeper([] { SleepFor(1ms); });

    std::vector<WaitingFiber> blocked = FibersBlockedLonger(0ns);
    ASSERT_THAT(blocked, SizeIs(2));  // Sleeping is not being blocked.
    EXPECT_EQ(blocked[0].reason, WaitReason::kChannelReceive);
    EXPECT_EQ(blocked[1].reason, WaitReason::kSemaphore);
    EXPECT_GE(blocked[0].since, blocked[1].since);
    EXPECT_THAT(FibersBlockedLonger(0ns, 1), SizeIs(1));
    EXPECT_THAT(FibersBlockedLonger(1h), SizeIs(0));
    EXPECT_THAT(FibersBlockedLonger(Nanos::max()), SizeIs(0));
    channel.Close();
    semaphore.Release();
  });
}

__attribute__((noinline)) void StandInThePond(sync::Channel<int>& water) {
  water.Receive();
  asm volatile("");
}

TEST_P(LockCycle, FibersThatWaitForAnotherOneTooLongAreLoggedOnceWithTheirBacktraces) {
  Stderr said;
  Runtime runtime({.procs = GetParam(), .report_blocked_longer = 1ms});
  runtime.Run([&] {
    sync::Channel<int> water;
    sync::WaitGroup birds;
    auto stand = [&] {
      StandInThePond(water);
      birds.Done();
    };
    std::array<int, 2> air{};
    ASSERT_EQ(pipe2(air.data(), O_CLOEXEC), 0);
    birds.Add(3);
    Go({.name = "swift"}, [&] {
      Blocking([&] {
        char byte;
        return read(air[0], &byte, 1);
      });
      birds.Done();
    });
    Go({.name = "swallow"}, [] { SleepFor(1h); });
    Go({.name = "stork"}, stand);
    said.ReadUntil("StandInThePond");
    Go({.name = "heron"}, stand);
    // It is told of at a later look than the stork.
    std::string text = said.ReadUntil("'heron'");
    EXPECT_THAT(text,
                ContainsRegex("warning fiber [0-9]+ 'stork' has been waiting for another fiber for [0-9]+\\.[0-9]+ s "
                              "\\(channel receive\\)\n"
                              "( +#[0-9]+ [^\n]*\n)*"
                              " +#[0-9]+ [^\n]*StandInThePond"));
    EXPECT_EQ(text.find("'stork'"), text.rfind("'stork'")) << "once for each wait";
    EXPECT_THAT(text, Not(HasSubstr("'swift'"))) << "it waits for the outside";
    EXPECT_THAT(text, Not(HasSubstr("'swallow'"))) << "it waits for time";
    water.Close();
    EXPECT_EQ(write(air[1], "x", 1), 1);
    birds.Wait();
    close(air[0]);
    close(air[1]);
  });
}

}  // namespace
}  // namespace millrace::rt
