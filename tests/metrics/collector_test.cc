#include "metrics/collector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/resource.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>

#include "metrics/names.h"
#include "metrics/process_stats.h"

namespace millrace::metrics {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

HistogramSnapshot Empty() { return {.bounds = {0.001, 1}, .counts = {0, 0, 0}}; }

dispatch::PoolStats Pool(const std::string& name) {
  dispatch::PoolStats pool;
  pool.status.name = name;
  pool.status.workers = 4;
  pool.wait_seconds = Empty();
  pool.kinds.push_back({.kind = "resize", .run_seconds = Empty()});
  return pool;
}

struct CollectorTest : ::testing::Test {
  std::string Text() {
    return Collector({.dispatch = [this] { return dispatch; }, .runtime = [this] { return runtime; }, .calls = &calls})
        .Text();
  }

  dispatch::DispatchStats dispatch;
  rt::RuntimeStats runtime;
  rpc::CallStats calls;
};

TEST_F(CollectorTest, ShowsEveryMetricOfTheListAndNoOtherFromTheStart) {
  dispatch.pools = {Pool("default")};
  std::string text = Text();

  std::set<std::string> listed, shown;
  for (const Metric* metric : kAll) listed.insert(metric->name);
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string hash, type, name;
    words >> hash >> type >> name;
    if (hash == "#" && type == "TYPE") shown.insert(name);
  }
  EXPECT_EQ(shown, listed);
  EXPECT_EQ(std::size(kAll), listed.size()) << "a metric is listed twice";

  for (const Metric* metric : kAll) {
    std::string series = std::string("\n") + metric->name;
    if (metric->type == kHistogram) series += "_count";
    series += *metric->labels != '\0' ? "{" : " ";
    EXPECT_THAT(text, HasSubstr(series));
    EXPECT_THAT(text, HasSubstr("# HELP " + std::string(metric->name) + " " + metric->help + "\n"));
  }
}

TEST_F(CollectorTest, GivesEachSeriesItsLabelsAndValue) {
  dispatch::PoolStats pool = Pool("thumbs");
  pool.status.bands = {0, 3, 0, 1};
  pool.status.state = dispatch::PoolState::kPaused;
  pool.status.oldest_queued_age = std::chrono::milliseconds(7500);
  pool.work.lost_blocked = std::chrono::milliseconds(1500);
  pool.submitted[static_cast<size_t>(dispatch::SubmitResult::kQueueFull)] = 7;
  pool.kinds[0].finished[static_cast<size_t>(JobState::kQuarantined)] = 2;
  pool.kinds[0].attempts[static_cast<size_t>(AttemptResult::kTimedOut)] = 5;
  pool.kinds[0].run_seconds = {.bounds = {0.001, 1}, .counts = {2, 3, 4}, .sum = 40.5};
  pool.kinds.push_back({.kind = "other", .run_seconds = Empty()});
  dispatch.pools = {Pool("default"), pool};
  dispatch.durability = Durability::kInterval;
  dispatch.journal.write_errors = 3;
  dispatch.journal.failing = true;
  runtime.switches_handoff = 12;
  runtime.wait_buckets[0] = 1;
  runtime.wait_buckets.back() = 2;
  calls.Answered(rpc::Method::kSubmitJob, StatusCode::kResourceExhausted, 0.5);

  std::string text = Text();
  for (const char* line : {
           "millrace_pool_queue_jobs{pool=\"thumbs\",band=\"high\"} 3\n",
           "millrace_pool_queue_jobs{pool=\"default\",band=\"critical\"} 0\n",
           "millrace_pool_workers{pool=\"thumbs\"} 4\n",
           "millrace_pool_state{pool=\"thumbs\",state=\"paused\"} 1\n",
           "millrace_pool_state{pool=\"thumbs\",state=\"active\"} 0\n",
           "millrace_pool_oldest_queued_age_seconds{pool=\"thumbs\"} 7.5\n",
           "millrace_pool_oldest_queued_age_seconds{pool=\"default\"} 0\n",
           "millrace_pool_lost_seconds_total{pool=\"thumbs\",reason=\"blocked\"} 1.5\n",
           "millrace_jobs_submitted_total{pool=\"thumbs\",result=\"queue_full\"} 7\n",
           "millrace_jobs_finished_total{pool=\"thumbs\",kind=\"resize\",outcome=\"quarantined\"} 2\n",
           "millrace_jobs_finished_total{pool=\"thumbs\",kind=\"other\",outcome=\"quarantined\"} 0\n",
           "millrace_job_attempts_total{pool=\"thumbs\",kind=\"resize\",result=\"timed_out\"} 5\n",
           "millrace_job_run_seconds_bucket{pool=\"thumbs\",kind=\"resize\",le=\"0.001\"} 2\n",
           "millrace_job_run_seconds_bucket{pool=\"thumbs\",kind=\"resize\",le=\"1\"} 5\n",
           "millrace_job_run_seconds_bucket{pool=\"thumbs\",kind=\"resize\",le=\"+Inf\"} 9\n",
           "millrace_job_run_seconds_sum{pool=\"thumbs\",kind=\"resize\"} 40.5\n",
           "millrace_store_info{durability=\"interval\"} 1\n",
           "millrace_store_errors_total{op=\"write\"} 3\n",
           "millrace_store_failing 1\n",
           "millrace_scheduler_context_switches_total{kind=\"handoff\"} 12\n",
           "millrace_scheduler_wait_seconds_bucket{le=\"1e-06\"} 1\n",
           "millrace_scheduler_wait_seconds_bucket{le=\"+Inf\"} 3\n",
           "millrace_grpc_requests_total{method=\"JobService/SubmitJob\",code=\"RESOURCE_EXHAUSTED\"} 1\n",
           "millrace_grpc_request_seconds_count{method=\"JobService/SubmitJob\"} 1\n",
       }) {
    EXPECT_THAT(text, HasSubstr(line));
  }
  EXPECT_THAT(text, Not(HasSubstr("state=\"running\",pool")));
  EXPECT_THAT(text, Not(HasSubstr("result=\"running\"")));
}

TEST_F(CollectorTest, SatisfiesPromtool) {
  if (std::system("command -v promtool >/dev/null") != 0)
    GTEST_SKIP() << "promtool (package prometheus) is not installed";
  dispatch.pools = {Pool("default"), Pool("thumbs")};
  std::string path = ::testing::TempDir() + "/millrace_metrics_test.txt";
  std::ofstream(path) << Text();
  FILE* promtool = popen(("promtool check metrics < " + path + " 2>&1").c_str(), "r");
  std::string verdict;
  for (int c; (c = fgetc(promtool)) != EOF;) verdict += static_cast<char>(c);
  EXPECT_EQ(pclose(promtool), 0) << verdict;
  EXPECT_EQ(verdict, "");
  remove(path.c_str());
}

TEST(ProcessStats, AreThoseOfThisProcess) {
  ProcessReader reader;
  ProcessStats stats = reader.Read();
  EXPECT_GT(stats.resident_bytes, 1 << 20);
  EXPECT_GT(stats.virtual_bytes, stats.resident_bytes);
  EXPECT_GE(stats.open_fds, 3);
  EXPECT_GT(stats.max_fds, stats.open_fds);
  EXPECT_GT(stats.start_seconds, 1.6e9);

  FILE* file = fopen("/dev/null", "r");
  EXPECT_EQ(reader.Read().open_fds, *stats.open_fds + 1);
  fclose(file);
}

// Just when somebody is woken by them.
TEST(ProcessStats, AreThereWhenNoDescriptorIsLeft) {
  ProcessReader reader;
  rlimit limit{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  const rlimit none{.rlim_cur = 0, .rlim_max = limit.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  const ProcessStats stats = reader.Read();
  const ProcessStats late = ProcessReader().Read();
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
  EXPECT_GT(stats.open_fds.value_or(0), 2);
  EXPECT_GT(stats.resident_bytes.value_or(0), 1 << 20);
  EXPECT_GT(stats.start_seconds.value_or(0), 1.6e9);
  EXPECT_EQ(stats.max_fds, 0);
  EXPECT_FALSE(late.open_fds.has_value()) << "no number is better than a wrong one";
  EXPECT_FALSE(late.resident_bytes.has_value());
  EXPECT_FALSE(late.start_seconds.has_value());
}

}  // namespace
}  // namespace millrace::metrics
