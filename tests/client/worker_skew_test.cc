// The library's worker and a daemon that is older than it.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "client/worker.h"
#include "tests/client/scripted_daemon.h"

namespace millrace::client {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals are made for this
using millrace::test::Eventually;

using WorkerSkew = test::WorkerAttempt;

TEST_F(WorkerSkew, ADaemonThatDoesNotKnowCostsIsGrantedNoMoreLeasesThanFitWhateverTheyAre) {
  daemon.capabilities = {};
  daemon.AddLease("wide");
  daemon.AddLease("narrow");
  std::atomic<bool> let_go{false};
  std::mutex mutex;
  std::vector<std::string> warnings;
  const auto await = [&](Attempt&) {
    while (!let_go) std::this_thread::sleep_for(1ms);
    return Outcome::Success();
  };
  const auto warn = [&](const std::string& words) {
    std::lock_guard guard(mutex);
    warnings.push_back(words);
  };
  Start({.name = "w", .slots = 13, .warn = warn}, [&](Worker& w) {
    w.Handle("wide", await, {.slots = 3, .at_once_max = 4, .beat_within = 1h});
    w.Handle("narrow", await);
  });
  const auto last_credit = [&] {
    return daemon.Seen([&] { return daemon.credits.empty() ? 0 : daemon.credits.back(); });
  };
  Eventually([&] { return last_credit() == 5; });  // 2 came, and 3 of the largest kind find room in 9 slots.
  let_go = true;
  Eventually([&] { return last_credit() == 6; });  // 4 of the largest kind are all that it has at once.
  {
    std::lock_guard guard(mutex);
    ASSERT_EQ(warnings.size(), 2U);
    EXPECT_NE(warnings[0].find("(version 0.9.1) does not know the slots and at_once_max"), std::string::npos);
    EXPECT_NE(warnings[1].find("does not know beat_within"), std::string::npos);
  }
  End();
}

TEST_F(WorkerSkew, ADaemonThatKeepsNoCheckpointsIsNamedWhereOneIsSaved) {
  daemon.capabilities = {"payload_ref"};
  daemon.AddLease("count");
  Start({.name = "w"}, [](Worker& w) {
    w.Handle("count", [](Attempt& attempt) {
      const Status refused = attempt.SaveCheckpoint("1");
      EXPECT_EQ(refused.reason(), "CHECKPOINT_UNSUPPORTED");
      EXPECT_EQ(refused.metadata().at("daemon_version"), "0.9.1");
      return Outcome::Failure(refused.message());
    });
  });
  AwaitEnds(1);
  EXPECT_EQ(ErrorOfEnd("job 1"),
            "the daemon (version 0.9.1) keeps no checkpoints: upgrade the daemon, or save no checkpoint");
  EXPECT_TRUE(daemon.Seen([&] { return daemon.saved; }).empty());
}

}  // namespace
}  // namespace millrace::client
