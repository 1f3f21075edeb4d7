#include "client/cli/job_report.h"

#include <cstdio>

#include "base/units.h"
#include "client/cli/json.h"
#include "client/cli/output.h"
#include "client/cli/render.h"
#include "client/client.h"
#include "client/words.h"

namespace millrace::cli {
namespace {

JsonObject Start(size_t index, const std::string& file) {
  JsonObject object;
  object.Add("index", index);
  if (!file.empty()) object.Add("file", file);
  return object;
}

JsonObject Members(size_t index, const SubmittedJob& item, v1::JobState state) {
  JsonObject object = Start(index, item.file);
  object.Add("id", item.answer.id()).Add("state", client::Word(state));
  if (item.answer.existing()) object.Add("existing", true);
  object.Add("durability", v1::Durability_Name(item.answer.durability()));
  return object;
}

}  // namespace

void JobReport::Count(const std::string& what, ExitCode code) {
  std::lock_guard lock(mutex_);
  ++counts_[what];
  exit_ = Worst(exit_, code);
}

void JobReport::Accepted(size_t index, const SubmittedJob& item) {
  if (waits_) return;
  Count("accepted", ExitCode::kOk);
  if (json_) return progress_.PrintLine(Members(index, item, item.answer.state()).Take());
  progress_.PrintLine(item.answer.id() + (item.file.empty() ? "" : "  " + Printable(item.file)));
}

void JobReport::Refused(size_t index, const std::string& file, const Status& status) {
  Count("REJECTED", FromStatus(status));
  if (json_) {
    JsonObject object = Start(index, file);
    object.Add("state", "REJECTED").Add("reason", status.reason()).Add("error", status.message());
    return progress_.PrintLine(object.Take());
  }
  progress_.Hide();
  // "cannot read secret: Permission denied" names it already.
  const bool named = file.empty() || status.message().find(file) != std::string::npos;
  const std::string text = (named ? "" : file + ": ") + status.message();
  std::fprintf(stderr, "millrace: %s\n", PrintableLines(text).c_str());
}

void JobReport::Finished(size_t index, const SubmittedJob& item, const Result<v1::Job>& job) {
  if (!job.ok()) {
    const bool forgotten = job.status().code() == StatusCode::kNotFound;
    Count(forgotten ? "forgotten" : "not known", FromStatus(job.status()));
    JsonObject object = Members(index, item, v1::JOB_STATE_UNSPECIFIED);
    object.Add("reason", job.status().reason()).Add("error", job.status().message());
    return progress_.PrintLine(json_ ? object.Take()
                                     : item.answer.id() + (forgotten ? "  forgotten: " : "  not known: ") +
                                           Printable(job.status().message()));
  }
  Count(client::Word(job->state()), FromState(job->state()));
  if (!json_) return progress_.PrintLine(JobLine(*job, item.file));
  JsonObject object = Members(index, item, job->state());
  object.Add("attempts", job->attempts());
  object.Add("seconds", Seconds(FromProto(job->finish_time()) - FromProto(job->create_time())));
  if (job->state() == v1::JOB_STATE_SUCCEEDED) {
    if (client::LeavesOutResult(*job)) {
      object.Add("resultBytes", job->result_bytes());
    } else {
      object.AddBytes("result", job->result());
    }
  }
  if (!job->error().empty()) object.Add("error", job->error());
  progress_.PrintLine(object.Take());
}

void JobReport::Fail(ExitCode code) {
  std::lock_guard lock(mutex_);
  exit_ = Worst(exit_, code);
}

ExitCode JobReport::exit_code() const {
  std::lock_guard lock(mutex_);
  return exit_;
}

std::string JobReport::Summary() const {
  std::lock_guard lock(mutex_);
  std::string text;
  int64_t total = 0;
  for (const auto& [state, count] : counts_) {
    total += count;
    text += (text.empty() ? " " : ", ") + state + " " + FormatCount(count);
  }
  return FormatJobs(total) + ":" + text;
}

}  // namespace millrace::cli
