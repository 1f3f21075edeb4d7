// Work for a client that has gone away.
#include <gtest/gtest.h>

#include "tests/support/dispatch_fixture.h"

namespace millrace::test {
namespace {

using dispatch::Filter;

// Its client goes away when it has been asked for `answers` times whether it is there.
class LeavingCall final : public dispatch::VerbCall {
 public:
  explicit LeavingCall(int answers) : answers_(answers) {}
  void Done() override { done = true; }
  bool Gone() const override { return answers_-- <= 0; }

  bool done = false;

 private:
  mutable int answers_;
};

// Ten jobs that wait for a worker.
void WithTenJobs(const std::function<void(DispatchFixture&)>& body) {
  WithDispatcher({}, [&](DispatchFixture& d) {
    DispatchFixture::Require(d.dispatcher.Pause("default").status());
    for (int i = 0; i < 10; ++i) d.Submit("hold");
    body(d);
  });
}

TEST(Gone, ABulkVerbStopsAndWhatItHasChangedStaysChanged) {
  WithTenJobs([](DispatchFixture& d) {
    LeavingCall call(5);
    d.dispatcher.CancelAll(*Filter::Parse("kind = hold"), "", false, &call);
    EXPECT_TRUE(call.done);
    EXPECT_EQ(call.status.code(), StatusCode::kCancelled);
    const size_t cancelled = d.List({.filter = *Filter::Parse("state = CANCELLED")}).size();
    EXPECT_GT(cancelled, 0u);
    EXPECT_LT(cancelled, 5u);
    EXPECT_EQ(d.Pool().queued_jobs, 10 - static_cast<int64_t>(cancelled));
  });
}

TEST(Gone, ABulkVerbThatOnlyLooksStops) {
  WithTenJobs([](DispatchFixture& d) {
    LeavingCall call(0);
    d.dispatcher.DeleteAll(*Filter::Parse("kind = hold"), /*count_only=*/true, &call);
    EXPECT_TRUE(call.done);
    EXPECT_EQ(call.status.code(), StatusCode::kCancelled);
  });
}

TEST(Gone, AListStops) {
  WithTenJobs([](DispatchFixture& d) {
    dispatch::ListQuery query;
    int asked = 0;
    query.gone = [&asked] { return ++asked > 0; };
    EXPECT_EQ(d.dispatcher.List(query).status().code(), StatusCode::kCancelled);
    EXPECT_EQ(asked, 1);
  });
}

}  // namespace
}  // namespace millrace::test
