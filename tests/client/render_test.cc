#include "client/cli/render.h"

#include <gtest/gtest.h>

namespace millrace::cli {
namespace {

const WallNanos kRenderedAt = *ParseTime("2026-01-31T12:00:00Z");

bool HasLine(const std::string& text, const std::string& line) {
  return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
}

TEST(JobDetail, SaysWhatAJobWaitsFor) {
  v1::Job job;
  job.set_state(v1::JOB_STATE_QUEUED);
  job.mutable_waiting()->set_reason(v1::Waiting::REASON_POOL);
  job.mutable_waiting()->set_message("its pool is paused; millrace pools resume thumbs");
  EXPECT_TRUE(HasLine(JobDetail(job, kRenderedAt), "waits for:    its pool is paused; millrace pools resume thumbs"));
  job.mutable_waiting()->set_jobs_ahead(1200);
  EXPECT_TRUE(HasLine(JobDetail(job, kRenderedAt),
                      "waits for:    its pool is paused; millrace pools resume thumbs  (1,200 jobs before it)"));
  job.clear_waiting();
  EXPECT_EQ(JobDetail(job, kRenderedAt).find("waits for"), std::string::npos);
}

TEST(JobDetail, OfAJobInLineHasTheNumberOfOthersOnce) {
  v1::Job job;
  job.mutable_waiting()->set_reason(v1::Waiting::REASON_QUEUE);
  job.mutable_waiting()->set_message("all workers are busy, and 3 jobs are ahead of it");
  job.mutable_waiting()->set_jobs_ahead(3);
  EXPECT_TRUE(HasLine(JobDetail(job, kRenderedAt), "waits for:    all workers are busy, and 3 jobs are ahead of it"));
}

TEST(JobDetail, NamesTheWorkersThatMayRunItAndWhatWasSaved) {
  v1::Job job;
  (*job.mutable_spec()->mutable_placement()->mutable_require())["gpu"] = "a100";
  (*job.mutable_spec()->mutable_placement()->mutable_prefer())["zone"] = "b";
  job.set_checkpoint_bytes(1536);
  const std::string text = JobDetail(job, kRenderedAt);
  EXPECT_TRUE(HasLine(text, "requires:     gpu=a100")) << text;
  EXPECT_TRUE(HasLine(text, "prefers:      zone=b")) << text;
  EXPECT_TRUE(HasLine(text, "checkpoint:   1.5 KiB")) << text;
}

}  // namespace
}  // namespace millrace::cli
