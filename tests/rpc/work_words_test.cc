#include "rpc/work_words.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace millrace::rpc {
namespace {

using dispatch::LeaseRef;

dispatch::Lease LeaseOfBytes(uint64_t token, size_t bytes) {
  JobSpec spec;
  spec.kind = "resize";
  spec.payload = MakeBytes(std::string(bytes, 'p'));
  return {.ref = {.job = {}, .claim = {.attempt = 1, .token = token}},
          .spec = std::make_shared<JobSpec>(std::move(spec)),
          .run_timeout = {}};
}

v1::WorkResponse ToldNext(WorkWords* words, WorkReply reply = {}, dispatch::WorkerNews news = {}) {
  v1::WorkResponse response;
  words->Tell(std::move(reply), std::move(news), &response);
  return response;
}

TEST(WorkWords, WhatIsLeftForTheNextResponseKeepsItsOrder) {
  WorkWords words;
  dispatch::WorkerNews news;
  for (uint64_t token = 1; token <= 3; ++token) news.given.push_back(LeaseOfBytes(token, kResponseBytes * 2 / 3));
  news.stopped.push_back({news.given[0].ref, Cancelled("CANCELLED", "not needed")});
  news.revoked.push_back({news.given[2].ref, Cancelled("NOT_ACCEPTED", "too late")});
  const LeaseRef other{.job = {}, .claim = {.attempt = 1, .token = 9}};
  news.unknown.push_back(other);
  v1::WorkResponse told = ToldNext(&words, {}, std::move(news));
  ASSERT_EQ(told.leases_size(), 1);
  EXPECT_EQ(told.leases(0).ref().token(), 1u);
  EXPECT_EQ(told.stops_size(), 0) << "its lease is told first";
  ASSERT_EQ(told.revoked_size(), 1);
  EXPECT_EQ(told.revoked(0).ref().token(), 9u);
  EXPECT_EQ(told.revoked(0).reason(), "LEASE_LOST");
  EXPECT_FALSE(words.empty());

  told = ToldNext(&words);
  EXPECT_EQ(told.leases_size(), 1);
  ASSERT_EQ(told.stops_size(), 1);
  EXPECT_EQ(told.stops(0).reason(), "CANCELLED");
  EXPECT_EQ(told.revoked_size(), 0);
  told = ToldNext(&words);
  ASSERT_EQ(told.leases_size(), 1);
  EXPECT_EQ(told.leases(0).ref().token(), 3u);
  told = ToldNext(&words);
  ASSERT_EQ(told.revoked_size(), 1);
  EXPECT_EQ(told.revoked(0).ref().token(), 3u);
  EXPECT_TRUE(words.empty());
}

TEST(WorkWords, ALeaseThatIsLargerThanAResponseMayBeGoesAlone) {
  WorkWords words;
  dispatch::WorkerNews news;
  news.given.push_back(LeaseOfBytes(1, kResponseBytes * 2));
  news.given.push_back(LeaseOfBytes(2, 1));
  EXPECT_EQ(ToldNext(&words, {}, std::move(news)).leases_size(), 1);
  EXPECT_EQ(ToldNext(&words).leases_size(), 1);
  EXPECT_TRUE(words.empty());
}

TEST(WorkWords, TwoDrainsAreToldOneAfterTheOther) {
  WorkWords words;
  WorkReply reply;
  reply.drain = v1::WorkerDrain::WHY_AGE;
  dispatch::WorkerNews news;
  news.drained = true;
  EXPECT_EQ(ToldNext(&words, std::move(reply), std::move(news)).drain().why(), v1::WorkerDrain::WHY_AGE);
  EXPECT_FALSE(words.empty());
  EXPECT_EQ(ToldNext(&words).drain().why(), v1::WorkerDrain::WHY_OPERATOR);
  EXPECT_TRUE(words.empty());
  EXPECT_FALSE(ToldNext(&words).has_drain());
  dispatch::WorkerNews resumed;
  resumed.drained = false;
  EXPECT_EQ(ToldNext(&words, {}, std::move(resumed)).drain().why(), v1::WorkerDrain::WHY_RESUMED);
}

TEST(WorkWords, EachErrorHasItsReason) {
  WorkWords words;
  WorkReply reply, more;
  reply.lost.push_back({.job = {}, .claim = {.attempt = 1, .token = 1}});
  more.lost.push_back({.job = {}, .claim = {.attempt = 1, .token = 2}});
  more.errors.push_back({{.job = {}, .claim = {.attempt = 1, .token = 3}},
                         InvalidArgument("CHECKPOINT_TOO_LARGE", "a checkpoint has 65 KiB")});
  more.heartbeat = 5;
  reply.Add(std::move(more));
  EXPECT_EQ(reply.error_count(), 3u);
  const v1::WorkResponse told = ToldNext(&words, std::move(reply));
  ASSERT_EQ(told.errors_size(), 3);
  EXPECT_EQ(told.errors(1).reason(), "LEASE_LOST");
  EXPECT_EQ(told.errors(1).ref().token(), 2u);
  EXPECT_EQ(told.errors(2).reason(), "CHECKPOINT_TOO_LARGE");
  EXPECT_EQ(told.heartbeat_ack().sequence(), 5);
}

TEST(WorkWords, WhatIsDroppedIsNotTold) {
  WorkWords words;
  dispatch::WorkerNews news;
  for (uint64_t token = 1; token <= 2; ++token) news.given.push_back(LeaseOfBytes(token, kResponseBytes));
  ToldNext(&words, {}, std::move(news));
  EXPECT_FALSE(words.empty());
  words.Drop();
  EXPECT_TRUE(words.empty());
  EXPECT_EQ(ToldNext(&words).ByteSizeLong(), 0u);
}

}  // namespace
}  // namespace millrace::rpc
