#include "client/cli/run.h"

#include <unistd.h>

#include <cstdio>
#include <utility>

#include "client/cli/json.h"
#include "client/words.h"

namespace millrace::cli {
namespace {

// What the job logged before the watch began is in its log tail and in no event. So it is shown at the end.
void ShowMissedLog(const v1::Job& job, int64_t shown) {
  if (shown == 0) {
    PrintBytes(job.log_tail(), stderr);
  } else if (shown < job.log_bytes()) {
    std::fprintf(stderr, "millrace: %lld bytes of the log came before this watch: millrace jobs get %s --log\n",
                 static_cast<long long>(job.log_bytes() - shown), job.id().c_str());
  }
}

void ShowResult(const v1::Job& job) {
  PrintBytes(job.result());
  const bool open_line = !job.result().empty() && !job.result().ends_with('\n');
  if (open_line && isatty(STDOUT_FILENO)) Print("\n");
}

ExitCode Abandon(Session& session, const std::string& id, bool cancel, const Status& why) {
  if (!cancel) {
    std::fprintf(stderr,
                 "\nmillrace: job %s goes on without us\n  wait for it: millrace jobs wait %s\n  stop it:     millrace "
                 "jobs cancel %s\n",
                 id.c_str(), id.c_str(), id.c_str());
  } else {
    // Without the stop token of the session, which has been asked to stop.
    const Result<v1::Job> cancelled = session.client().Cancel(id, "interrupted at the command line", {});
    if (!cancelled.ok()) return session.Fail(cancelled.status());
    std::fprintf(stderr, "\nmillrace: job %s is asked to stop\n", id.c_str());
  }
  return session.Fail(why);
}

}  // namespace

ExitCode RunRun(Session& session, const SubmitArguments& arguments) {
  Result<v1::SubmitJobRequest> request = MakeRequest(arguments);
  if (!request.ok()) return session.Fail(request.status());
  if (arguments.many())
    return session.Fail(InvalidArgument("BAD_ARGUMENT", "run takes one job; `millrace submit --wait` takes many"));
  if (!arguments.files.empty()) {
    Result<std::string> bytes = ReadFile(arguments.files[0]);
    if (!bytes.ok()) return session.Fail(bytes.status());
    request->mutable_spec()->set_payload(std::move(*bytes));
  }
  const v1::JobSpec spec = request->spec();
  const Result<v1::SubmitJobResponse> accepted = session.client().Submit(std::move(*request), session.Call());
  if (!accepted.ok()) return session.FailSubmit(accepted.status(), spec);
  const std::string& id = accepted->id();
  WarnOfUnreadInput(arguments);

  v1::WatchJobsRequest watch;
  watch.set_job_id(id);
  watch.set_include_log(true);
  int64_t shown = 0;
  const Status watched = session.client().Watch(
      watch,
      [&](const v1::JobEvent& event) {
        if (event.has_log_chunk()) {
          PrintBytes(event.log_chunk(), stderr);
          shown += static_cast<int64_t>(event.log_chunk().size());
        }
        return true;
      },
      session.Call(/*unlimited=*/true));
  if (watched.code() == StatusCode::kNotFound) return session.FailWait(watched, *accepted);
  if (!watched.ok()) return Abandon(session, id, arguments.cancel_on_interrupt && session.interrupted(), watched);

  const Result<v1::Job> job = session.client().Get(id, v1::JOB_VIEW_RESULT, session.Call());
  if (!job.ok()) return session.FailWait(job.status(), *accepted);
  ShowMissedLog(*job, shown);
  if (session.json()) {
    PrintLine(ToJson(*job));
  } else {
    ShowResult(*job);
  }
  if (job->state() != v1::JOB_STATE_SUCCEEDED) {
    std::fprintf(stderr, "millrace: job %s %s%s%s\n", id.c_str(), client::Word(job->state()).c_str(),
                 job->error().empty() ? "" : ": ", PrintableLines(job->error()).c_str());
  }
  return FromState(job->state());
}

}  // namespace millrace::cli
