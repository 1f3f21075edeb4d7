#include "base/id.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <thread>
#include <vector>

namespace millrace {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals are made for this

TEST(Id, TextOrdersAsTheIdsDoAndCanBeReadBack) {
  ManualClock clock;
  IdGenerator generator(clock, 7);
  std::vector<Id> ids;
  std::vector<std::string> texts;
  for (int i = 0; i < 1000; ++i) {
    ids.push_back(generator.Next());
    texts.push_back(ids.back().ToString());
    EXPECT_EQ(Id::Parse(texts.back()), ids.back());
    if (i % 100 == 0) clock.Advance(1ms);
  }
  EXPECT_TRUE(std::is_sorted(ids.begin(), ids.end()));
  EXPECT_TRUE(std::is_sorted(texts.begin(), texts.end()));
  EXPECT_EQ(std::set<Id>(ids.begin(), ids.end()).size(), ids.size());
}

TEST(Id, IsParsedInEitherCase) {
  Id id{0x0123456789ABCDEF, 0xFEDCBA9876543210};
  std::string text = id.ToString();
  EXPECT_EQ(text.size(), 26u);
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  EXPECT_EQ(Id::Parse(text), id);
  EXPECT_EQ((Id{~uint64_t{0}, ~uint64_t{0}}).ToString(), "7ZZZZZZZZZZZZZZZZZZZZZZZZZ");
  EXPECT_EQ(Id{}.ToString(), "00000000000000000000000000");
}

TEST(Id, WhatIsNoIdIsRefused) {
  for (const char* text :
       {"", "0", "0000000000000000000000000", "000000000000000000000000000", "80000000000000000000000000",
        "0000000000000000000000000U", "0000000000000000000000000I", "00000000000000000000000 00",
        "0000000000000-000000000000",
        "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"}) {
    EXPECT_FALSE(Id::Parse(text).has_value()) << text;
  }
}

TEST(IdGenerator, KeepsCountingUpWhenTheClockStepsBack) {
  ManualClock clock;
  IdGenerator generator(clock, 7);
  Id before = generator.Next();
  clock.StepWall(-1h);
  Id after = generator.Next();
  EXPECT_GT(after, before);
  clock.StepWall(2h);
  EXPECT_GT(generator.Next(), after);
}

TEST(IdGenerator, GoesOnAboveTheIdsOfAnEarlierOne) {
  ManualClock clock;
  Id before = IdGenerator(clock, 7).Next();
  clock.StepWall(-1h);
  IdGenerator generator(clock, 8);
  generator.StartAbove(before);
  EXPECT_GT(generator.Next(), before);
  generator.StartAbove(Id{});
  EXPECT_GT(generator.Next(), before) << "never back";
}

TEST(IdGenerator, CarriesTheTime) {
  ManualClock clock;
  IdGenerator generator(clock, 7);
  EXPECT_EQ(generator.Next().high >> 16, static_cast<uint64_t>(clock.Wall().time_since_epoch() / 1ms));
}

TEST(IdGenerator, TheSameSeedGivesTheSameIds) {
  ManualClock clock;
  IdGenerator a(clock, 1), b(clock, 1), c(clock, 2);
  Id first = a.Next();
  EXPECT_EQ(first, b.Next());
  EXPECT_NE(first, c.Next());
}

TEST(IdGenerator, ThreadsNeverGetTheSameId) {
  SystemClock clock;
  IdGenerator generator(clock);
  std::vector<std::vector<Id>> made(4);
  std::vector<std::thread> threads;
  for (auto& ids : made) {
    threads.emplace_back([&] {
      for (int i = 0; i < 5000; ++i) ids.push_back(generator.Next());
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::set<Id> all;
  for (const auto& ids : made) {
    EXPECT_TRUE(std::is_sorted(ids.begin(), ids.end()));
    all.insert(ids.begin(), ids.end());
  }
  EXPECT_EQ(all.size(), 20'000u);
}

}  // namespace
}  // namespace millrace
