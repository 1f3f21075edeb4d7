#include "dispatch/banded_channel.h"

#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <string>

namespace millrace::dispatch {
namespace {

class BandedChannelTest : public testing::Test {
 protected:
  JobEntry* Make(Band band, uint32_t bytes = 0) {
    JobEntry& job = jobs_.emplace_back();
    job.band = band;
    job.bytes = bytes;
    return &job;
  }
  JobEntry* Push(Band band, uint32_t bytes = 0) {
    JobEntry* job = Make(band, bytes);
    channel_.Push(job);
    return job;
  }

  std::deque<JobEntry> jobs_;
  BandedChannel channel_{10, 1000};
};

TEST_F(BandedChannelTest, TakesTheBestBandAndFifoInside) {
  JobEntry* low = Push(Band::kLow);
  JobEntry* normal1 = Push(Band::kNormal);
  JobEntry* critical = Push(Band::kCritical);
  JobEntry* normal2 = Push(Band::kNormal);
  for (JobEntry* expected : {critical, normal1, normal2, low}) EXPECT_EQ(channel_.Pop(), expected);
  EXPECT_EQ(channel_.Pop(), nullptr);
}

TEST_F(BandedChannelTest, ALowJobIsTakenHoweverManyBetterOnesKeepArriving) {
  JobEntry* low = Push(Band::kLow);
  for (int pops = 1;; ++pops) {
    Push(Band::kCritical);
    if (channel_.Pop() == low) {
      EXPECT_EQ(pops, static_cast<int>(BandedChannel::kAgeingTurns));
      return;
    }
    ASSERT_LT(pops, 100);
  }
}

TEST_F(BandedChannelTest, AJobWaitsAtMostAgeingTurnsPerJobThatWasThereBefore) {
  std::vector<JobEntry*> lows;
  for (int i = 0; i < 5; ++i) lows.push_back(Push(Band::kLow));
  uint64_t pops = 0;
  for (JobEntry* low : lows) {
    JobEntry* popped;
    do {
      Push(Band::kHigh);
      popped = channel_.Pop();
      ++pops;
    } while (popped != low);
    EXPECT_LE(pops, BandedChannel::kAgeingTurns * static_cast<uint64_t>(&low - &lows[0] + 5));
  }
}

TEST_F(BandedChannelTest, IsBoundByCountAndByBytes) {
  EXPECT_TRUE(channel_.HasRoom(10, 1000));
  EXPECT_FALSE(channel_.HasRoom(11, 0));
  EXPECT_FALSE(channel_.HasRoom(1, 1001));
  channel_.Reserve(4, 100);
  for (int i = 0; i < 5; ++i) Push(Band::kNormal, 100);
  EXPECT_TRUE(channel_.HasRoom(1, 400));
  EXPECT_FALSE(channel_.HasRoom(1, 401));
  EXPECT_FALSE(channel_.HasRoom(2, 0));
  channel_.Unreserve(4, 100);
  EXPECT_TRUE(channel_.HasRoom(5, 500));
}

TEST_F(BandedChannelTest, AJobRemovedFromTheMiddleFreesItsPlace) {
  JobEntry* first = Push(Band::kNormal, 10);
  JobEntry* middle = Push(Band::kNormal, 20);
  JobEntry* last = Push(Band::kNormal, 30);
  channel_.Remove(middle);
  EXPECT_EQ(channel_.jobs(), 2);
  EXPECT_EQ(channel_.bytes(), 40);
  EXPECT_EQ(channel_.Pop(), first);
  EXPECT_EQ(channel_.Pop(), last);
  EXPECT_TRUE(channel_.empty());
}

TEST_F(BandedChannelTest, ARendezvousCountsNoPlacesButStillBytes) {
  BandedChannel rendezvous(0, 100);
  EXPECT_TRUE(rendezvous.rendezvous());
  EXPECT_TRUE(rendezvous.HasRoom(1, 100));
  EXPECT_FALSE(rendezvous.HasRoom(1, 101));
}

TEST_F(BandedChannelTest, KnowsItsOldestJob) {
  EXPECT_FALSE(channel_.oldest().has_value());
  JobEntry* low = Make(Band::kLow);
  low->queued_wall = WallTime(Nanos(5));
  channel_.Push(low);
  JobEntry* high = Make(Band::kHigh);
  high->queued_wall = WallTime(Nanos(7));
  channel_.Push(high);
  EXPECT_EQ(channel_.oldest(), WallTime(Nanos(5)));
}

TEST_F(BandedChannelTest, MorePlacesGivenUpThanReservedIsABug) {
  EXPECT_DEATH(channel_.Unreserve(1, 0), "more places were given up than reserved");
}

}  // namespace
}  // namespace millrace::dispatch
