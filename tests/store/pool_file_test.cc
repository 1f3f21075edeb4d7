#include "store/pool_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/dispatch_fixture.h"
#include "tests/support/store_files.h"
#include "tests/support/temp_folder.h"

namespace millrace::test {
namespace {

using dispatch::PoolState;
using dispatch::PoolWishes;
using store::PoolFile;

const PoolWishes kSome = {
    {"a", {.paused = true}}, {"b", {.draining = true}}, {"c-1", {.paused = true, .draining = true}}};

TEST(PoolFile, GivesBackWhatWasKept) {
  TempFolder folder;
  EXPECT_EQ(*PoolFile(folder / "pools").Load(), PoolWishes()) << "no file";
  ASSERT_TRUE(PoolFile(folder / "pools").Keep(1, kSome).ok());
  PoolFile file(folder / "pools");
  EXPECT_EQ(*file.Load(), kSome);
  ASSERT_TRUE(file.Keep(2, {}).ok());
  ASSERT_TRUE(file.Keep(1, kSome).ok()) << "which came late";
  EXPECT_EQ(*file.Load(), PoolWishes());
}

TEST(PoolFile, SaysWhenItCannotBeReadOrWritten) {
  TempFolder folder;
  for (const char* text :
       {"", "millrace pools 2\npaused a\n", "millrace pools 1\npaused\n", "millrace pools 1\nstopped a\n",
        "millrace pools 1\npaused a b\n", "millrace pools 1\npaused ../x\n"}) {
    WriteFile(folder / "pools", text);
    EXPECT_EQ(PoolFile(folder / "pools").Load().status().reason(), "POOLS_UNREADABLE") << text;
  }
  EXPECT_EQ(PoolFile(folder / "no/pools").Keep(1, kSome).code(), StatusCode::kUnavailable);
}

TEST(PoolFile, HoweverManyPoolsArePausedAStartNamesSomeOfThemOnly) {
  TempFolder folder;
  PoolFile file(folder / "pools");
  DispatchSetup setup;
  setup.pool_memory = &file;
  PoolWishes paused;
  for (int i = 0; i < 60; ++i) {
    setup.pools.push_back({.name = "p-" + std::to_string(i), .workers = 1});
    paused[setup.pools.back().name] = {.paused = true};
  }
  ASSERT_TRUE(file.Keep(1, paused).ok());
  testing::internal::CaptureStderr();
  WithDispatcher(setup, [](DispatchFixture& d) { EXPECT_EQ(d.Pool("p-59").state, PoolState::kPaused); });
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_LT(std::count(log.begin(), log.end(), '\n'), 40) << log;
  EXPECT_THAT(log, testing::HasSubstr("40 more pools are as their operators left them"));
}

TEST(PoolFile, APoolIsAsItsOperatorLeftItAfterARestart) {
  TempFolder folder;
  DispatchSetup setup;
  setup.pools = {
      {.name = "paused", .workers = 1}, {.name = "draining", .workers = 1}, {.name = "active", .workers = 1}};
  const auto life = [&](const std::function<void(DispatchFixture&)>& body) {
    PoolFile file(folder / "pools");
    setup.pool_memory = &file;
    WithDispatcher(setup, body);
  };
  life([&](DispatchFixture& d) {
    DrainCall drained;
    ASSERT_TRUE(d.dispatcher.Pause("paused").ok());
    ASSERT_TRUE(d.dispatcher.Drain("draining", &drained).ok());
    drained.Await();
    ASSERT_TRUE(d.dispatcher.Pause("active").ok());
    ASSERT_TRUE(d.dispatcher.Resume("active").ok());
  });
  life([&](DispatchFixture& d) {
    EXPECT_EQ(d.Pool("paused").state, PoolState::kPaused);
    EXPECT_EQ(d.Pool("draining").state, PoolState::kDrained);
    EXPECT_EQ(d.Pool("active").state, PoolState::kActive);
    JobSpec spec = d.Spec("hold");
    spec.pool = "paused";
    d.Submit(spec);
    EXPECT_EQ(d.Pool("paused").queued_jobs, 1);
    spec.pool = "draining";
    EXPECT_EQ(d.TrySubmit(spec).reason(), "POOL_DRAINING_BY_OPERATOR");
    ASSERT_TRUE(d.dispatcher.Resume("draining").ok());
  });
  // One that is left out for a while is not forgotten.
  setup.pools = {{.name = "active", .workers = 1}};
  life([&](DispatchFixture& d) {
    ASSERT_TRUE(d.dispatcher.Pause("active").ok());
    ASSERT_TRUE(d.dispatcher.Resume("active").ok());
  });
  setup.pools = {{.name = "paused", .workers = 1}, {.name = "draining", .workers = 1}};
  life([&](DispatchFixture& d) {
    EXPECT_EQ(d.Pool("paused").state, PoolState::kPaused);
    EXPECT_EQ(d.Pool("draining").state, PoolState::kActive);
  });
}

TEST(PoolFile, ADiskThatFailsIsToldAndThePoolIsPausedNevertheless) {
  TempFolder folder;
  PoolFile file(folder / "gone/pools");
  DispatchSetup setup;
  setup.pool_memory = &file;
  WithDispatcher(setup, [](DispatchFixture& d) {
    const Status kept = d.dispatcher.Pause("default").status();
    EXPECT_EQ(kept.code(), StatusCode::kUnavailable);
    EXPECT_THAT(kept.message(), testing::HasSubstr("a restart will forget it"));
    EXPECT_EQ(d.Pool().state, PoolState::kPaused);
    DrainCall drained;
    EXPECT_FALSE(d.dispatcher.Drain("default", &drained).ok());
    EXPECT_FALSE(d.dispatcher.AbandonDrain("default", &drained)) << "nobody waits";
  });
}

}  // namespace
}  // namespace millrace::test
