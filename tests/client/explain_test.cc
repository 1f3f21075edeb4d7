#include "client/cli/explain.h"

#include <gtest/gtest.h>

namespace millrace::cli {
namespace {

const WallNanos kExplainedAt = *ParseTime("2026-01-31T12:00:00Z");

v1::Job JobIn(v1::JobState state) {
  v1::Job job;
  job.set_id("01J");
  job.set_state(state);
  job.mutable_spec()->set_pool("thumbs");
  return job;
}

TEST(Explanation, OfAJobThatWaitsIsWhatTheDaemonSays) {
  v1::Job job = JobIn(v1::JOB_STATE_QUEUED);
  job.mutable_waiting()->set_reason(v1::Waiting::REASON_NO_WORKER);
  job.mutable_waiting()->set_message("no worker that is connected offers the kind 'resize'");
  EXPECT_EQ(Explanation(job, kExplainedAt), "job 01J is QUEUED: no worker that is connected offers the kind 'resize'.");
  job.mutable_waiting()->set_jobs_ahead(1);
  EXPECT_EQ(Explanation(job, kExplainedAt),
            "job 01J is QUEUED: no worker that is connected offers the kind 'resize'. 1 job is before it.");
  job.mutable_waiting()->set_jobs_ahead(1200);
  EXPECT_EQ(Explanation(job, kExplainedAt),
            "job 01J is QUEUED: no worker that is connected offers the kind 'resize'. 1,200 jobs are before it.");
}

TEST(Explanation, OfAJobInLineHasTheNumberOfOthersOnce) {
  v1::Job job = JobIn(v1::JOB_STATE_QUEUED);
  job.mutable_waiting()->set_reason(v1::Waiting::REASON_QUEUE);
  job.mutable_waiting()->set_message("all workers are busy, and 3 jobs are ahead of it");
  job.mutable_waiting()->set_jobs_ahead(3);
  EXPECT_EQ(Explanation(job, kExplainedAt), "job 01J is QUEUED: all workers are busy, and 3 jobs are ahead of it.");
}

TEST(Explanation, OfAJobThatIsDueLaterSaysWhen) {
  v1::Job job = JobIn(v1::JOB_STATE_SCHEDULED);
  job.mutable_waiting()->set_reason(v1::Waiting::REASON_TIME);
  job.mutable_waiting()->set_message("it waits for its time");
  *job.mutable_due_time() = ToProto(kExplainedAt + std::chrono::seconds(185));
  EXPECT_EQ(Explanation(job, kExplainedAt),
            "job 01J is SCHEDULED: it waits for its time. It is due at 2026-01-31 12:03:05.000Z (in 3m 5s).");
}

TEST(Explanation, DoesWithoutAWordOfTheDaemon) {
  EXPECT_EQ(Explanation(JobIn(v1::JOB_STATE_QUEUED), kExplainedAt),
            "job 01J is QUEUED in pool thumbs; the daemon names nothing that it waits for.");
  v1::Job job = JobIn(v1::JOB_STATE_QUEUED);
  job.mutable_waiting()->set_reason(v1::Waiting::REASON_NO_SLOT);
  EXPECT_EQ(Explanation(job, kExplainedAt), "job 01J is QUEUED: it waits for NO_SLOT.");
}

TEST(Explanation, OfAJobThatRunsNamesItsWorker) {
  v1::Job job = JobIn(v1::JOB_STATE_RUNNING);
  job.add_attempt_history()->set_worker("first");
  v1::Attempt& attempt = *job.add_attempt_history();
  attempt.set_number(2);
  attempt.set_worker("host/7");
  *attempt.mutable_start_time() = ToProto(kExplainedAt - std::chrono::seconds(185));
  EXPECT_EQ(Explanation(job, kExplainedAt),
            "job 01J is RUNNING: attempt 2, on worker host/7, since 2026-01-31 11:56:55.000Z (3m 5s ago).");
  job.clear_attempt_history();
  job.set_cancel_requested(true);
  EXPECT_EQ(Explanation(job, kExplainedAt), "job 01J is RUNNING. It was asked to stop, and has not stopped yet.");
}

TEST(Explanation, OfAJobThatHasEndedSaysHowAndWhatCanBeDone) {
  v1::Job job = JobIn(v1::JOB_STATE_SUCCEEDED);
  job.set_attempts(1);
  *job.mutable_finish_time() = ToProto(kExplainedAt - std::chrono::seconds(185));
  EXPECT_EQ(Explanation(job, kExplainedAt),
            "job 01J has ended: SUCCEEDED at 2026-01-31 11:56:55.000Z (3m 5s ago), after 1 attempt.");
  job.set_state(v1::JOB_STATE_FAILED);
  job.set_attempts(3);
  job.set_error("no luck\nsecond line");
  EXPECT_EQ(Explanation(job, kExplainedAt),
            "job 01J has ended: FAILED at 2026-01-31 11:56:55.000Z (3m 5s ago), after 3 attempts. "
            "Its error: no luck… `millrace jobs retry 01J` puts it back into its queue.");
}

TEST(Explanation, KeepsATerminalSafeFromWhatJobsSay) {
  v1::Job job = JobIn(v1::JOB_STATE_QUEUED);
  job.mutable_waiting()->set_message("\033[2Jgone\nid: 01K");
  EXPECT_EQ(Explanation(job, kExplainedAt), "job 01J is QUEUED: ?[2Jgone?id: 01K.");
}

}  // namespace
}  // namespace millrace::cli
