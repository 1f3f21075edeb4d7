#include "client/cli/explain.h"

#include "client/cli/json.h"
#include "client/cli/render.h"
#include "client/cli/table.h"
#include "client/words.h"

namespace millrace::cli {
namespace {

constexpr size_t kErrorColumns = 240;

std::string Sentence(std::string text) {
  for (const char* end : {".", "!", "?", "…"}) {
    if (text.ends_with(end)) return text;
  }
  return text + ".";
}

std::string TimeAndAge(const google::protobuf::Timestamp& time, WallNanos now) {
  return Clock(FromProto(time)) + " (" + Ago(FromProto(time), now) + ")";
}

std::string WhyItWaits(const v1::Job& job, WallNanos now) {
  const v1::Waiting& waiting = job.waiting();
  std::string text = " is " + client::Word(job.state());
  if (!waiting.message().empty()) {
    text += ": " + Sentence(waiting.message());
  } else if (job.has_waiting()) {
    text += ": it waits for " + Sentence(client::Word(waiting.reason()));
  } else {
    text += " in pool " + job.spec().pool() + "; the daemon names nothing that it waits for.";
  }
  // Where it only waits for its turn, the message has the number.
  if (waiting.jobs_ahead() > 0 && waiting.reason() != v1::Waiting::REASON_QUEUE) {
    text += " " + FormatJobs(waiting.jobs_ahead()) + (waiting.jobs_ahead() == 1 ? " is" : " are") + " before it.";
  }
  if (job.state() == v1::JOB_STATE_SCHEDULED && job.has_due_time()) {
    text += " It is due at " + TimeAndAge(job.due_time(), now) + ".";
  }
  return text;
}

std::string WhereItRuns(const v1::Job& job, WallNanos now) {
  std::string text = " is RUNNING";
  if (job.attempt_history_size() > 0) {
    const v1::Attempt& attempt = job.attempt_history(job.attempt_history_size() - 1);
    text += ": attempt " + std::to_string(attempt.number()) + ", on worker " + attempt.worker();
    if (attempt.has_start_time()) text += ", since " + TimeAndAge(attempt.start_time(), now);
  }
  return text + "." + (job.cancel_requested() ? " It was asked to stop, and has not stopped yet." : "");
}

std::string HowItEnded(const v1::Job& job, WallNanos now) {
  std::string text = " has ended: " + client::Word(job.state());
  if (job.has_finish_time()) text += " at " + TimeAndAge(job.finish_time(), now);
  text += ", after " + std::to_string(job.attempts()) + (job.attempts() == 1 ? " attempt." : " attempts.");
  if (!job.error().empty()) text += " Its error: " + Sentence(OneLine(job.error(), kErrorColumns));
  if (job.state() != v1::JOB_STATE_SUCCEEDED) {
    text += " `millrace jobs retry " + job.id() + "` puts it back into its queue.";
  }
  return text;
}

}  // namespace

std::string Explanation(const v1::Job& job, WallNanos now) {
  std::string text = "job " + job.id();
  if (client::IsTerminal(job.state())) {
    text += HowItEnded(job, now);
  } else if (job.state() == v1::JOB_STATE_RUNNING) {
    text += WhereItRuns(job, now);
  } else {
    text += WhyItWaits(job, now);
  }
  return Printable(text);
}

ExitCode ExplainJob(Session& session, const std::string& id) {
  const Result<v1::Job> job = session.client().GetWithoutResult(id, v1::JOB_VIEW_RESULT, session.Call());
  if (!job.ok()) return session.Fail(job.status());
  if (session.json()) {
    PrintLine(job->has_waiting() ? ToJson(job->waiting()) : ToJson(*job));
  } else {
    PrintLine(Explanation(*job, std::chrono::system_clock::now()));
  }
  return ExitCode::kOk;
}

}  // namespace millrace::cli
