#include "dispatch/request_ids.h"

#include <gtest/gtest.h>

#include "tests/support/dispatch_fixture.h"
#include "tests/support/one_part.h"

namespace millrace::test {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals are made for this

// What a daemon with other fingerprints noted: the content cannot be compared, and a repeat must not become a second
// job.
TEST(RequestIds, OneOfAnOlderDaemonGivesItsJobWhateverTheContent) {
  DispatchSetup setup;
  store::MemoryJournal journal(store::MemoryJournal::Keep::kAll);
  const WallTime until = ManualClock().Wall() + 1000h;
  const dispatch::SpentRequest old{
      .request_id = "old", .job = {1, 2}, .final_state = JobState::kFailed, .until = until};
  const dispatch::SpentRequest other{.request_id = "new", .job = {1, 3}, .fingerprint = 4, .until = until};
  test::Forget(journal, {.id = old.job}, &old);
  test::Forget(journal, {.id = other.job}, &other);
  setup.journal = &journal;
  WithDispatcher(setup, [](DispatchFixture& d) {
    dispatch::SubmitAck ack;
    ASSERT_TRUE(d.TrySubmit(d.Spec("noop", "any"), &ack, "old").ok());
    EXPECT_TRUE(ack.existing);
    EXPECT_EQ(ack.id, (JobId{1, 2}));
    EXPECT_EQ(ack.state, JobState::kFailed);
    EXPECT_EQ(d.TrySubmit(d.Spec("noop", "any"), nullptr, "new").reason(), "REQUEST_ID_REUSED");
  });
}

}  // namespace
}  // namespace millrace::test
