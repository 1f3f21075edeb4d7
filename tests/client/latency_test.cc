#include "client/cli/latency.h"

#include <gtest/gtest.h>

#include <memory>

namespace millrace::cli {
namespace {

using namespace std::chrono_literals;

class LatencyHistogramTest : public testing::Test {
 protected:
  // Too big for a stack that sanitizers widen.
  std::unique_ptr<LatencyHistogram> histogram_ = std::make_unique<LatencyHistogram>();
};

TEST_F(LatencyHistogramTest, IsZeroWhenEmpty) {
  EXPECT_EQ(histogram_->count(), 0);
  EXPECT_EQ(histogram_->Percentile(0.99), 0ns);
  EXPECT_EQ(histogram_->Mean(), 0ns);
}

TEST_F(LatencyHistogramTest, KeepsSmallValuesExactly) {
  for (int i = 1; i <= 100; ++i) histogram_->Record(std::chrono::nanoseconds(i));
  EXPECT_EQ(histogram_->Percentile(0.5), 50ns);
  EXPECT_EQ(histogram_->Percentile(0.99), 99ns);
  EXPECT_EQ(histogram_->Percentile(1), 100ns);
  EXPECT_EQ(histogram_->Percentile(0), 1ns);
}

TEST_F(LatencyHistogramTest, IsNeverTooLowAndAtMostOnePercentTooHigh) {
  for (int64_t value = 1; value < int64_t{3'600'000'000'000}; value = value * 3 / 2 + 1) {
    LatencyHistogram one;
    one.Record(std::chrono::nanoseconds(value));
    one.Record(std::chrono::hours(1));  // So that the maximum does not cap the answer.
    const auto p50 = one.Percentile(0.5).count();
    EXPECT_GE(p50, value);
    EXPECT_LE(static_cast<double>(p50), static_cast<double>(value) * 1.008 + 1) << value;
  }
}

TEST_F(LatencyHistogramTest, CountsARecordAsManyTimesAsItIsTold) {
  histogram_->Record(10us, 99);
  histogram_->Record(1s, 1);
  EXPECT_EQ(histogram_->count(), 100);
  EXPECT_LT(histogram_->Percentile(0.99), 11us);
  EXPECT_EQ(histogram_->Percentile(0.999), 1s);
  EXPECT_EQ(histogram_->Max(), 1s);
  EXPECT_EQ(histogram_->Mean(), std::chrono::nanoseconds(10us * 99 + 1s) / 100);
}

TEST_F(LatencyHistogramTest, BoundsWhatItCannotHold) {
  histogram_->Record(-5ns);
  histogram_->Record(std::chrono::hours(100));
  EXPECT_EQ(histogram_->Percentile(0.5), 0ns);
  EXPECT_EQ(histogram_->Max(), std::chrono::hours(1));
}

}  // namespace
}  // namespace millrace::cli
