#include "base/histogram.h"

#include <gtest/gtest.h>

#include <thread>

namespace millrace {
namespace {

TEST(Histogram, ABoundBelongsToTheBucketBelowIt) {
  Histogram histogram({1, 2, 4});
  for (double value : {0.5, 1.0, 1.5, 2.0, 4.0, 4.1, 100.0}) histogram.Observe(value);
  HistogramSnapshot snapshot = histogram.Snapshot();
  EXPECT_EQ(snapshot.counts, (std::vector<uint64_t>{2, 2, 1, 2}));
  EXPECT_EQ(snapshot.count(), 7u);
  EXPECT_DOUBLE_EQ(snapshot.sum, 113.1);
}

TEST(Histogram, LosesNoObservationOfManyThreads) {
  Histogram histogram({10});
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 10'000; ++i) histogram.Observe(1);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(histogram.Snapshot().count(), 40'000u);
  EXPECT_DOUBLE_EQ(histogram.Snapshot().sum, 40'000);
}

TEST(Histogram, BoundsMustIncrease) { EXPECT_DEATH(Histogram({1, 1}), "do not increase"); }

TEST(Histogram, SecondsReachFromMicrosecondsToMinutes) {
  std::vector<double> bounds = Histogram::SecondsBounds();
  EXPECT_DOUBLE_EQ(bounds.front(), 10e-6);
  EXPECT_GT(bounds.back(), 300);
  EXPECT_LT(bounds.back(), 1200);
  EXPECT_EQ(Histogram::ExponentialBounds(1, 10, 3), (std::vector<double>{1, 10, 100}));
}

}  // namespace
}  // namespace millrace
