#include "dispatch/ready_queue.h"

#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <string>

namespace millrace::dispatch {
namespace {

class ReadyQueueTest : public testing::Test {
 protected:
  JobEntry* Make(Band band, uint32_t bytes = 0) {
    JobEntry& job = jobs_.emplace_back();
    job.band = band;
    job.bytes = bytes;
    job.kind = &kind_;
    return &job;
  }
  JobEntry* Push(Band band, uint32_t bytes = 0) {
    JobEntry* job = Make(band, bytes);
    queue_.Push(job);
    return job;
  }

  const KindOptions kind_{.name = "kind"};
  std::deque<JobEntry> jobs_;
  ReadyQueue queue_{10, 1000};
  Taker taker_;
};

TEST_F(ReadyQueueTest, TakesTheBestBandAndFifoInside) {
  JobEntry* low = Push(Band::kLow);
  JobEntry* normal1 = Push(Band::kNormal);
  JobEntry* critical = Push(Band::kCritical);
  JobEntry* normal2 = Push(Band::kNormal);
  for (JobEntry* expected : {critical, normal1, normal2, low}) EXPECT_EQ(queue_.Pop(taker_), expected);
  EXPECT_EQ(queue_.Pop(taker_), nullptr);
}

TEST_F(ReadyQueueTest, ALowJobIsTakenHoweverManyBetterOnesKeepArriving) {
  JobEntry* low = Push(Band::kLow);
  for (int pops = 1;; ++pops) {
    Push(Band::kCritical);
    if (queue_.Pop(taker_) == low) {
      EXPECT_EQ(pops, static_cast<int>(ReadyQueue::kAgeingTurns));
      return;
    }
    ASSERT_LT(pops, 100);
  }
}

TEST_F(ReadyQueueTest, AJobWaitsAtMostAgeingTurnsPerJobThatWasThereBefore) {
  std::vector<JobEntry*> lows;
  for (int i = 0; i < 5; ++i) lows.push_back(Push(Band::kLow));
  uint64_t pops = 0;
  for (JobEntry* low : lows) {
    JobEntry* popped;
    do {
      Push(Band::kHigh);
      popped = queue_.Pop(taker_);
      ++pops;
    } while (popped != low);
    EXPECT_LE(pops, ReadyQueue::kAgeingTurns * static_cast<uint64_t>(&low - &lows[0] + 5));
  }
}

TEST_F(ReadyQueueTest, IsBoundByCountAndByBytes) {
  EXPECT_TRUE(queue_.HasRoom(10, 1000));
  EXPECT_FALSE(queue_.HasRoom(11, 0));
  EXPECT_FALSE(queue_.HasRoom(1, 1001));
  queue_.Reserve(4, 100);
  for (int i = 0; i < 5; ++i) Push(Band::kNormal, 100);
  EXPECT_TRUE(queue_.HasRoom(1, 400));
  EXPECT_FALSE(queue_.HasRoom(1, 401));
  EXPECT_FALSE(queue_.HasRoom(2, 0));
  queue_.Unreserve(4, 100);
  EXPECT_TRUE(queue_.HasRoom(5, 500));
}

TEST_F(ReadyQueueTest, AJobRemovedFromTheMiddleFreesItsPlace) {
  JobEntry* first = Push(Band::kNormal, 10);
  JobEntry* middle = Push(Band::kNormal, 20);
  JobEntry* last = Push(Band::kNormal, 30);
  queue_.Remove(middle);
  EXPECT_EQ(queue_.jobs(), 2);
  EXPECT_EQ(queue_.bytes(), 40);
  EXPECT_EQ(queue_.Pop(taker_), first);
  EXPECT_EQ(queue_.Pop(taker_), last);
  EXPECT_TRUE(queue_.empty());
}

TEST_F(ReadyQueueTest, ARendezvousCountsNoPlacesButStillBytes) {
  ReadyQueue rendezvous(0, 100);
  EXPECT_TRUE(rendezvous.rendezvous());
  EXPECT_TRUE(rendezvous.HasRoom(1, 100));
  EXPECT_FALSE(rendezvous.HasRoom(1, 101));
}

TEST_F(ReadyQueueTest, KnowsItsOldestJob) {
  EXPECT_FALSE(queue_.oldest().has_value());
  JobEntry* low = Make(Band::kLow);
  low->queued_wall = WallTime(Nanos(5));
  queue_.Push(low);
  JobEntry* high = Make(Band::kHigh);
  high->queued_wall = WallTime(Nanos(7));
  queue_.Push(high);
  EXPECT_EQ(queue_.oldest(), WallTime(Nanos(5)));
}

TEST_F(ReadyQueueTest, MorePlacesGivenUpThanReservedIsABug) {
  EXPECT_DEATH(queue_.Unreserve(1, 0), "more places were given up than reserved");
}

}  // namespace
}  // namespace millrace::dispatch
