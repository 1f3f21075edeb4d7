#include "dispatch/kind_counts.h"

#include <gtest/gtest.h>

#include "tests/support/fake_runner.h"

namespace millrace::dispatch {
namespace {

using test::FakeRunner;

uint64_t Succeeded(const KindStats& stats) { return stats.finished[static_cast<size_t>(JobState::kSucceeded)]; }

std::vector<std::string> Names(const std::vector<KindStats>& stats) {
  std::vector<std::string> names;
  for (const KindStats& kind : stats) names.push_back(kind.kind);
  return names;
}

TEST(KindCounts, HoldThePoolsOwnKindsFromTheStartAndOthersFromTheirFirstJob) {
  FakeRunner runner;
  runner.AddKind({.name = "thumbnail", .pool = "images"});
  KindCounts images("images", runner), standard("default", runner);
  EXPECT_EQ(Names(images.Stats()), std::vector<std::string>{"thumbnail"});
  EXPECT_EQ(Names(standard.Stats()), (std::vector<std::string>{"echo", "hold", "noop"}));

  images.CountEnd(*runner.FindKind("echo"), JobState::kSucceeded);
  EXPECT_EQ(Names(images.Stats()), (std::vector<std::string>{"echo", "thumbnail"}));
  EXPECT_EQ(Succeeded(images.Stats()[0]), 1u);
}

TEST(KindCounts, CountAKindThatTheRunnerDoesNotKnowAsOther) {
  FakeRunner runner;
  KindCounts counts("default", runner);
  const KindOptions gone{.name = "gone"}, impostor{.name = "echo"};
  counts.CountEnd(gone, JobState::kSucceeded);
  counts.CountEnd(impostor, JobState::kSucceeded);
  EXPECT_EQ(Names(counts.Stats()), (std::vector<std::string>{"echo", "hold", "noop", "other"}));
  EXPECT_EQ(Succeeded(counts.Stats()[0]), 0u);
  EXPECT_EQ(Succeeded(counts.Stats()[3]), 2u);
}

TEST(KindCounts, CountTheKindsBeyondTheirNumberAsOther) {
  FakeRunner runner;
  for (size_t i = 0; i < 3 * kOwnKindsMax; ++i) {
    runner.AddKind({.name = "kind-" + std::to_string(i), .pool = "many"});
  }
  KindCounts counts("many", runner);
  for (const std::string& name : runner.Kinds()) counts.CountAttempt(*runner.FindKind(name), AttemptResult::kSucceeded);
  const std::vector<KindStats> stats = counts.Stats();
  EXPECT_EQ(stats.size(), kOwnKindsMax + 1);
  uint64_t attempts = 0;
  for (const KindStats& kind : stats) attempts += kind.attempts[static_cast<size_t>(AttemptResult::kSucceeded)];
  EXPECT_EQ(attempts, runner.Kinds().size()) << "none is lost";
}

}  // namespace
}  // namespace millrace::dispatch
