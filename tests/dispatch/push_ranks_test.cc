#include "dispatch/push_ranks.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <iterator>
#include <random>
#include <set>

namespace millrace::dispatch {
namespace {

int64_t CountedBefore(const std::set<uint64_t>& there, uint64_t push) {
  return std::distance(there.begin(), there.lower_bound(push));
}

TEST(PushRanks, KnowHowManyWerePushedBeforeWhateverLeavesAndComesBack) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937_64 random(seed);
  PushRanks ranks;
  std::set<uint64_t> there;
  std::vector<uint64_t> left;
  uint64_t next = 0;
  for (int step = 0; step < 20'000; ++step) {
    const auto what = random() % 8;
    if (what < 4 || there.empty()) {
      next += random() % 100 == 0 ? random() % 1000 : 1;  // Other bands have pushes as well.
      ranks.Add(next);
      there.insert(next++);
    } else if (what < 7 || left.empty()) {
      auto one = there.lower_bound(random() % next);
      if (one == there.end()) one = there.begin();
      ranks.Remove(*one);
      left.push_back(*one);
      there.erase(one);
    } else {
      ranks.Add(left.back());
      there.insert(left.back());
      left.pop_back();
    }
    if (there.empty()) continue;
    auto asked = there.lower_bound(random() % (next + 1));
    if (asked == there.end()) --asked;
    ASSERT_EQ(ranks.Before(*asked), CountedBefore(there, *asked));
  }
}

TEST(PushRanks, OfOneThatIsOlderThanTheWindowAtMostThatManyAreBefore) {
  constexpr uint64_t kFar = 3 * 64 * PushRanks::kWordsMax;
  PushRanks ranks;
  ranks.Add(1);
  ranks.Add(2);
  ranks.Add(kFar);
  EXPECT_EQ(ranks.Before(kFar), 2);
  EXPECT_EQ(ranks.Before(2), 1);
  EXPECT_EQ(ranks.Before(1), 1) << "not more than this";
  ranks.Add(3);  // Comes back to its old place, of which nothing is kept any more.
  EXPECT_EQ(ranks.Before(kFar), 3);
  for (uint64_t push = 1; push <= 3; ++push) ranks.Remove(push);
  EXPECT_EQ(ranks.Before(kFar), 0);
  for (uint64_t push = kFar + 64; push < kFar + 64 * (PushRanks::kWordsMax + 10); push += 64) ranks.Add(push);
  EXPECT_EQ(ranks.Before(kFar + 64 * (PushRanks::kWordsMax + 9)), static_cast<int64_t>(PushRanks::kWordsMax) + 9);
}

}  // namespace
}  // namespace millrace::dispatch
