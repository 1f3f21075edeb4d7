// What a start writes to the log about what it finds in the store has a bound.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "tests/support/dispatch_fixture.h"
#include "tests/support/open_journal.h"
#include "tests/support/temp_folder.h"

namespace millrace::test {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals are made for this

TEST(StartLog, NamesSomeOfThePoolsThatAreGoneHoweverManyTheyAre) {
  constexpr int kPools = 60;
  TempFolder folder;
  DispatchSetup setup;
  for (int i = 0; i < kPools; ++i) setup.pools.push_back({.name = "gone-" + std::to_string(i), .workers = 1});
  const auto life = [&](const std::function<void(DispatchFixture&)>& body) {
    auto journal = OpenJournal(folder / "store");
    ASSERT_TRUE(journal.ok()) << journal.status().ToString();
    setup.journal = journal->get();
    WithDispatcher(setup, [&](DispatchFixture& d) {
      body(d);
      d.Stop(Nanos(0));
      (*journal)->Stop();
    });
  };
  life([&](DispatchFixture& d) {
    for (int i = 0; i < kPools; ++i) {
      JobSpec spec = d.Spec("hold");
      spec.pool = "gone-" + std::to_string(i);
      spec.delay = 1h;
      for (int job = 0; job < 10; ++job) d.Submit(spec);
    }
  });
  setup.pools.resize(1);
  testing::internal::CaptureStderr();
  life([&](DispatchFixture& d) { EXPECT_EQ(d.dispatcher.Stats().missing_pool_jobs, 10 * kPools); });
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_LT(std::count(log.begin(), log.end(), '\n'), 40) << log;
  EXPECT_NE(log.find("40 more pools are not configured any more"), std::string::npos) << log;
}

}  // namespace
}  // namespace millrace::test
