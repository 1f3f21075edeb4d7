// Mirrors Go's tests of reflect.Select (reflect/all_test.go, TestSelect, TestSelectMaxCases, TestSelectNop).
#include "sync/case_list.h"

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sync/wait_group.h"
#include "tests/support/fibers.h"
#include "tests/support/parked.h"

namespace millrace::sync {
namespace {

using namespace std::chrono_literals;
using test::WatchedFiber;

class CaseListTest : public test::OnAnyProcs {};
INSTANTIATE_TEST_SUITE_P(Procs, CaseListTest, test::kAnyProcs);

TEST_P(CaseListTest, AReceiveServesAnyNumberOfSelects) {
  Run([] {
    std::vector<SharedChannel<int>> channels;
    CaseList cases;
    int sum = 0;
    for (int i = 0; i < 5; ++i) {
      channels.push_back(MakeChannel<int>());
      cases.Add(Receive(channels.back(), [&](std::optional<int> value) { sum += *value; }));
    }
    for (int round = 0; round < 3; ++round) {
      for (size_t i = 0; i < channels.size(); ++i) {
        size_t chosen = 99;
        WatchedFiber selects([&] { chosen = Select(cases); });
        selects.AwaitParked();
        channels[i].Send(1);
        selects.Join();
        EXPECT_EQ(chosen, i);
      }
    }
    EXPECT_EQ(sum, 15);
  });
}

TEST_P(CaseListTest, ASendIsChosenOnceUntilItIsReplaced) {
  Run([] {
    Channel<std::unique_ptr<int>> out(3);
    CaseList cases;
    cases.Add(Send(out, std::make_unique<int>(1)));
    EXPECT_EQ(Select(cases, Default()), 0u);
    bool none = false;
    EXPECT_EQ(Select(cases, Default([&] { none = true; })), 1u);
    EXPECT_TRUE(none);
    cases.Replace(0, Send(out, std::make_unique<int>(2)));
    EXPECT_EQ(Select(cases, After(1h)), 0u);
    EXPECT_EQ(**out.Receive(), 1);
    EXPECT_EQ(**out.Receive(), 2);
    EXPECT_FALSE(out.TryReceive());
  });
}

TEST_P(CaseListTest, CasesOfAllKindsStandBesideEachOther) {
  Run([] {
    Channel<int> in(1);
    Channel<std::string> out(0);
    CancelSource source;
    CaseList cases;
    std::string told;
    cases.Add(Receive(in, [&](std::optional<int> value) { told = std::to_string(*value); }));
    cases.Add(Send(out, "text", [&] { told = "sent"; }));
    cases.Add(Cancelled(source.token(), [&] { told = "cancelled"; }));
    EXPECT_EQ(Select(cases, After(1us, [&] { told = "late"; })), 3u);
    EXPECT_EQ(told, "late");
    in.Send(7);
    EXPECT_EQ(Select(cases, Default()), 0u);
    EXPECT_EQ(told, "7");
    {
      std::string received;
      WatchedFiber receives([&] { received = *out.Receive(); });
      receives.AwaitParked();
      EXPECT_EQ(Select(cases), 1u);
      receives.Join();
      EXPECT_EQ(received, "text");
    }
    source.Cancel(millrace::Cancelled("TEST", "enough"));
    EXPECT_EQ(Select(cases), 2u);
    EXPECT_EQ(told, "cancelled");
  });
}

// The usual way to merge: a channel that is closed leaves the list, some of them in the middle of it.
TEST_P(CaseListTest, AFunctionMayTakeItsOwnCaseOut) {
  Run([] {
    constexpr int kChannels = 20, kValues = 50;
    std::vector<SharedChannel<int>> channels;
    CaseList cases;
    int sum = 0, open = kChannels;
    WaitGroup senders;
    for (int i = 0; i < kChannels; ++i) {
      auto channel = MakeChannel<int>(i % 3);
      channels.push_back(channel);
      auto at = std::make_shared<size_t>();
      *at = cases.Add(Receive(channel, [&cases, &sum, &open, at](std::optional<int> value) {
        if (value) {
          sum += *value;
        } else {
          cases.Disable(*at), --open;
        }
      }));
      senders.Go([channel, i] {
        for (int n = 0; n < kValues; ++n) channel.Send(i);
        channel.Close();
      });
    }
    while (open > 0) Select(cases);
    senders.Wait();
    EXPECT_EQ(sum, kValues * kChannels * (kChannels - 1) / 2);
    EXPECT_EQ(Select(cases, Default()), size_t{kChannels});
  });
}

TEST_P(CaseListTest, ManyCasesAndChannelsThatOccurOftenAreNoDifference) {
  Run([] {
    constexpr size_t kCases = 1'000;
    std::vector<SharedChannel<int>> channels;
    for (int i = 0; i < 100; ++i) channels.push_back(MakeChannel<int>());
    CaseList cases;
    for (size_t i = 0; i < kCases; ++i) cases.Add(Receive(channels[i % channels.size()]));
    size_t chosen = 0;
    WatchedFiber selects([&] { chosen = Select(cases); });
    selects.AwaitParked();
    channels[42].Send(1);
    selects.Join();
    EXPECT_EQ(chosen % channels.size(), 42u);
    EXPECT_EQ(channels[42].TrySend(1), TrySendResult::kFull);
    EXPECT_EQ(channels[7].TrySend(1), TrySendResult::kFull);
  });
}

TEST_P(CaseListTest, ReadyCasesAreChosenInNoOrder) {
  Run([] {
    auto channel = MakeChannel<int>();
    channel.Close();
    CaseList cases;
    std::vector<int> chosen(8);
    for (size_t i = 0; i < chosen.size(); ++i) cases.Add(Receive(channel));
    for (int i = 0; i < 4'000; ++i) ++chosen[Select(cases)];
    // 500 each in the mean; a fair choice leaves this once in many lives.
    for (int times : chosen) EXPECT_GT(times, 300);
  });
}

TEST_P(CaseListTest, AnEmptyOneHasOnlyItsEnd) {
  Run([] {
    CaseList cases;
    EXPECT_EQ(Select(cases, Default()), 0u);
    EXPECT_EQ(Select(cases, After(1us)), 0u);
    cases.Add(Receive(SharedChannel<int>()));
    EXPECT_EQ(Select(cases, Default()), 1u);
    cases.Clear();
    EXPECT_EQ(cases.size(), 0u);
  });
}

TEST(CaseListDeathTest, APositionThatIsNotThereIsFatal) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  CaseList cases;
  EXPECT_DEATH(cases.Disable(0), "position 0 in a CaseList of 0 cases");
}

}  // namespace
}  // namespace millrace::sync
