// Everything of sync/ and the timers, with the fibers stopped and their processors taken at every step of every
// protocol.
#include "tests/stress/waiting.h"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <thread>
#include <vector>

#include "tests/stress/torment.h"

namespace millrace::test {
namespace {

using std::chrono::microseconds;

class WaitingUnderTorment : public UnderTorment {
 protected:
  template <typename Program>
  void TormentProgram(Program&& program) {
    Torment(std::remove_reference_t<Program>::kFibers, program);
  }
};
INSTANTIATE_TEST_SUITE_P(Procs, WaitingUnderTorment, kAnyProcs);

TEST_P(WaitingUnderTorment, ChannelsLoseAndRepeatNothing) { TormentProgram(waiting::Channels()); }

TEST_P(WaitingUnderTorment, SelectsChooseExactlyOnce) { TormentProgram(waiting::Selects()); }

TEST_P(WaitingUnderTorment, MutexesAndConditionsExcludeAndWake) { TormentProgram(waiting::MutexesAndConditions()); }

TEST_P(WaitingUnderTorment, SemaphoresAndOncesKeepTheirPromise) { TormentProgram(waiting::SemaphoresAndOnces()); }

TEST_P(WaitingUnderTorment, SleepersWakeAndNotTooEarly) { TormentProgram(waiting::Sleepers()); }

TEST_P(WaitingUnderTorment, CancelledWaitersGoOn) { TormentProgram(waiting::Cancellations()); }

TEST_P(WaitingUnderTorment, FibersStartAndEndInGreatNumbers) { TormentProgram(waiting::ShortLives{.blocks = true}); }

TEST_P(WaitingUnderTorment, EverythingAtOnceLosesNothing) { TormentProgram(waiting::Workshop()); }

// What fibers without a processor may do: everything. Ready others, start timers, wait, end.
TEST_P(WaitingUnderTorment, BlockingCallsMayDoAnythingAFiberMay) {
  Torment(8, [](int, int round) {
    sync::Channel<int> channel;
    sync::WaitGroup done;
    int got = 0;
    done.Go([&] { got = channel.Receive().value_or(-1); });
    rt::Blocking([&] {
      if (round % 3 == 0) rt::SleepFor(microseconds(30));
      channel.Send(round);
      if (round % 3 == 1) rt::Yield();
    });
    rt::Blocking([&] { done.Wait(); });
    return got == round;
  });
}

// Plain threads ready fibers while everything is taken and stopped: the way in from outside.
TEST_P(WaitingUnderTorment, WakeUpsFromPlainThreadsArrive) {
  Torment(3, [](int, int) {
    constexpr int kParkers = 20;
    std::vector<std::unique_ptr<rt::Parker>> parkers;
    for (int i = 0; i < kParkers; ++i) parkers.push_back(std::make_unique<rt::Parker>());
    std::thread waker([&] {
      for (auto& parker : parkers) parker->Wake();
    });
    std::atomic<int> woken{0};
    sync::WaitGroup done;
    for (auto& parker : parkers) {
      done.Go([&] {
        parker->Wait(rt::WaitReason::kExternal);
        woken.fetch_add(1);
      });
    }
    done.Wait();
    waker.join();
    return woken.load() == kParkers;
  });
}

}  // namespace
}  // namespace millrace::test
