// A submit that is repeated with its request id is one job.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/dispatch_fixture.h"

namespace millrace::test {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals are made for this
using testing::HasSubstr;

TEST(Repeat, ARepeatedRequestIdGivesTheFirstJob) {
  WithDispatcher([](DispatchFixture& d) {
    dispatch::SubmitAck first, again;
    ASSERT_TRUE(d.TrySubmit(d.Spec("noop", "x"), &first, "r-1").ok());
    d.Await(first.id);
    ASSERT_TRUE(d.TrySubmit(d.Spec("noop", "x"), &again, "r-1").ok());
    EXPECT_EQ(again.id, first.id);
    EXPECT_TRUE(again.existing);
    EXPECT_FALSE(first.existing);
    EXPECT_EQ(again.state, JobState::kSucceeded);
    Status reused = d.TrySubmit(d.Spec("noop", "y"), nullptr, "r-1");
    EXPECT_EQ(reused.code(), StatusCode::kAlreadyExists);
    EXPECT_EQ(reused.reason(), "REQUEST_ID_REUSED");
    EXPECT_THAT(reused.message(), HasSubstr(first.id.ToString()));
  });
}

TEST(Repeat, ARelativeDeadlineIsTheSameContentWhenItIsRepeatedLater) {
  WithDispatcher([](DispatchFixture& d) {
    JobSpec spec = d.Spec("noop");
    spec.deadline_after = 1h;
    const WallTime begin = d.clock.Wall();
    dispatch::SubmitAck first, again;
    ASSERT_TRUE(d.TrySubmit(spec, &first, "r").ok());
    d.Advance(1s);
    ASSERT_TRUE(d.TrySubmit(spec, &again, "r").ok());
    EXPECT_EQ(again.id, first.id);
    EXPECT_TRUE(again.existing);
    const JobSnapshot job = d.Await(first.id);
    EXPECT_EQ(job.spec->deadline, begin + 1h);
    EXPECT_FALSE(job.spec->deadline_after.has_value()) << "what is kept has the time that came of it";
    spec.deadline_after = 2h;
    EXPECT_EQ(d.TrySubmit(spec, nullptr, "r").reason(), "REQUEST_ID_REUSED");
  });
}

TEST(Repeat, ARequestIdOutlivesItsJobByADay) {
  WithDispatcher([](DispatchFixture& d) {
    dispatch::SubmitAck first, again;
    ASSERT_TRUE(d.TrySubmit(d.Spec("noop"), &first, "r").ok());
    d.Await(first.id);
    ASSERT_TRUE(d.Delete(first.id).ok());
    d.Advance(24h - 1ns);
    ASSERT_TRUE(d.TrySubmit(d.Spec("noop"), &again, "r").ok());
    EXPECT_EQ(again.id, first.id);
    EXPECT_EQ(again.state, JobState::kSucceeded);
    d.Advance(1ns);
    ASSERT_TRUE(d.TrySubmit(d.Spec("noop"), &again, "r").ok());
    EXPECT_NE(again.id, first.id);
  });
}

TEST(Repeat, ARequestIdMayRepeatInsideABatch) {
  WithDispatcher([](DispatchFixture& d) {
    SubmitCall batch;
    for (const char* payload : {"x", "y", "x"}) batch.items.push_back({d.Spec("noop", payload), payload});
    d.dispatcher.Submit(&batch);
    batch.Await();
    ASSERT_TRUE(batch.status.ok()) << batch.status.ToString();
    EXPECT_EQ(batch.acks[2].id, batch.acks[0].id);
    EXPECT_TRUE(batch.acks[2].existing);
    EXPECT_EQ(d.List({}).size(), 2u);

    SubmitCall mixed;
    mixed.items.push_back({d.Spec("noop", "1"), "same"});
    mixed.items.push_back({d.Spec("noop", "2"), "same"});
    d.dispatcher.Submit(&mixed);
    mixed.Await();
    EXPECT_EQ(mixed.status.reason(), "REQUEST_ID_REUSED");
    EXPECT_EQ(d.List({}).size(), 2u);
  });
}

TEST(Repeat, ARepeatIsOneHoweverLateItComes) {
  WithDispatcher([](DispatchFixture& d) {
    JobSpec spec = d.Spec("noop");
    spec.delay = 60s;
    spec.deadline = d.clock.Wall() + 90s;
    dispatch::SubmitAck first, again;
    ASSERT_TRUE(d.TrySubmit(spec, &first, "r").ok());
    d.Advance(31s);
    ASSERT_TRUE(d.TrySubmit(spec, &again, "r").ok()) << "its delay would end after the deadline now";
    EXPECT_EQ(again.id, first.id);
    EXPECT_EQ(d.TrySubmit(spec).reason(), "DEADLINE_BEFORE_RUN_AT");
    EXPECT_EQ(d.TrySubmit(spec, nullptr, "new").reason(), "DEADLINE_BEFORE_RUN_AT");
    d.Advance(60s);
    ASSERT_TRUE(d.TrySubmit(spec, &again, "r").ok());
    EXPECT_EQ(again.id, first.id);
    EXPECT_EQ(d.TrySubmit(spec, nullptr, "new").reason(), "DEADLINE_PASSED");
    SubmitCall batch;
    batch.items.push_back({spec, "r"});
    batch.items.push_back({spec, "new"});
    d.dispatcher.Submit(&batch);
    batch.Await();
    EXPECT_EQ(batch.status.reason(), "DEADLINE_PASSED");
    EXPECT_EQ(batch.status.field(), "requests[1].spec.deadline");
  });
}

}  // namespace
}  // namespace millrace::test
