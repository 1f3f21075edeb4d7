#include "client/cli/jobs.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <utility>

#include "client/cli/follow.h"
#include "client/cli/job_report.h"
#include "client/cli/json.h"
#include "client/cli/progress.h"
#include "client/cli/render.h"
#include "client/words.h"

namespace millrace::cli {

ExitCode ListJobs(Session& session, const ListArguments& arguments) {
  const Result<std::string> filter = ToFilter(arguments.selection);
  if (!filter.ok()) return session.Fail(filter.status());
  constexpr int64_t kPage = 500;
  v1::ListJobsRequest request;
  request.set_filter(*filter);
  request.set_newest_first(!arguments.oldest_first);
  const bool full = arguments.full && session.json();
  request.set_view(full ? v1::JOB_VIEW_FULL : v1::JOB_VIEW_BASIC);
  const int64_t page = full ? 20 : kPage;  // A full job may carry two megabytes.
  request.set_page_size(static_cast<int32_t>(arguments.limit > 0 ? std::min(arguments.limit, page) : page));

  std::vector<v1::Job> jobs;
  int64_t count = 0;
  const Status status = session.client().List(
      std::move(request),
      [&](v1::Job job) {
        if (session.json()) {
          PrintLine(ToJson(job));
        } else {
          jobs.push_back(std::move(job));
        }
        return ++count != arguments.limit && !OutputFailed();
      },
      session.Call());
  if (!status.ok()) return session.Fail(status);
  if (session.json()) return count > 0 ? ExitCode::kOk : session.CheckNames(*filter);
  if (jobs.empty()) {
    PrintLine(filter->empty() ? "no jobs" : "no jobs match " + *filter);
    return session.CheckNames(*filter);
  }
  Print(JobTable(jobs, std::chrono::system_clock::now()));
  if (count == arguments.limit)
    std::fprintf(stderr, "the first %lld; --limit 0 shows all\n", static_cast<long long>(count));
  return ExitCode::kOk;
}

ExitCode GetJobs(Session& session, const std::vector<std::string>& ids, Part part) {
  ExitCode exit = ExitCode::kOk;
  for (size_t i = 0; i < ids.size(); ++i) {
    const v1::JobView view = part == Part::kAll ? v1::JOB_VIEW_FULL : v1::JOB_VIEW_RESULT;
    const Result<v1::Job> job = part == Part::kResult ? session.client().Get(ids[i], view, session.Call())
                                                      : session.client().GetWithoutResult(ids[i], view, session.Call());
    if (!job.ok()) {
      exit = Worst(exit, session.Fail(job.status()));
    } else if (part == Part::kLog) {
      PrintBytes(job->log_tail());
    } else if (part == Part::kResult) {
      PrintBytes(job->result());
    } else if (session.json()) {
      PrintLine(ToJson(*job));
    } else {
      if (i > 0) Print("\n");
      Print(JobDetail(*job, std::chrono::system_clock::now()));
    }
  }
  return exit;
}

ExitCode WaitJobs(Session& session, const std::vector<std::string>& ids) {
  ProgressBar progress("finishing", static_cast<int64_t>(ids.size()), ids.size() > 1);
  JobReport report(session.json(), true, progress);
  std::atomic<int64_t> done{0};
  const auto finished = [&](size_t index, const Result<v1::Job>& job) {
    SubmittedJob item;
    item.answer.set_id(ids[index]);
    if (job.ok()) {
      report.Finished(index, item, job);
    } else {
      report.Fail(session.Fail(job.status()));
    }
    progress.Set(done.fetch_add(1) + 1);
  };
  JobFollower follower(session.client(), finished, v1::JOB_VIEW_RESULT, session.stop());
  for (size_t i = 0; i < ids.size(); ++i) follower.Add(i, ids[i]);
  follower.WaitAll(session.TimeLeft());
  return report.exit_code();
}

ExitCode WatchJobs(Session& session, const std::string& id, const JobSelection& selection) {
  const Result<std::string> filter = ToFilter(selection);
  if (!filter.ok()) return session.Fail(filter.status());
  v1::WatchJobsRequest request;
  request.set_job_id(id);
  request.set_filter(*filter);
  request.set_include_log(!id.empty());
  // Events of a pool that does not exist would never come. Where we cannot ask for that, the watch itself says why.
  if (const ExitCode known = session.CheckNames(*filter); known == ExitCode::kNotFound) return known;
  v1::JobState last = v1::JOB_STATE_UNSPECIFIED;
  const Status status = session.client().Watch(
      request,
      [&](const v1::JobEvent& event) {
        if (event.event_case() == v1::JobEvent::kState) last = event.state();
        if (session.json()) {
          PrintLine(ToJson(event));
        } else {
          PrintLine(EventLine(event));
        }
        FlushOutput();
        return !OutputFailed();
      },
      session.Call(/*unlimited=*/true));
  if (!status.ok()) return session.Fail(status);
  return id.empty() || !client::IsTerminal(last) ? ExitCode::kOk : FromState(last);
}

}  // namespace millrace::cli
