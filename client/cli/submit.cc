#include "client/cli/submit.h"

#include <utility>

#include "client/cli/job_report.h"
#include "client/cli/progress.h"
#include "client/cli/submit_many.h"

namespace millrace::cli {
namespace {

ExitCode SubmitOne(Session& session, const SubmitArguments& arguments, v1::SubmitJobRequest request) {
  SubmittedJob item;
  if (!arguments.files.empty()) {
    item.file = arguments.files[0];
    Result<std::string> bytes = ReadFile(item.file);
    if (!bytes.ok()) return session.Fail(bytes.status());
    request.mutable_spec()->set_payload(std::move(*bytes));
  }
  const v1::JobSpec spec = request.spec();
  Result<v1::SubmitJobResponse> answer = session.client().Submit(std::move(request), session.Call());
  if (!answer.ok()) return session.FailSubmit(answer.status(), spec);
  item.answer = std::move(*answer);

  ProgressBar none("", 0, false);
  JobReport report(session.json(), arguments.wait, none);
  report.Accepted(0, item);
  WarnOfUnreadInput(arguments);
  if (!arguments.wait) return ExitCode::kOk;
  const Result<v1::Job> job = session.client().Wait(item.answer.id(), session.TimeLeft(), session.Call());
  if (!job.ok()) return session.FailWait(job.status(), item.answer);
  report.Finished(0, item, job);
  return report.exit_code();
}

}  // namespace

ExitCode RunSubmit(Session& session, const SubmitArguments& arguments) {
  Result<v1::SubmitJobRequest> request = MakeRequest(arguments);
  if (!request.ok()) return session.Fail(request.status());
  if (!arguments.many()) return SubmitOne(session, arguments, std::move(*request));
  const Result<std::vector<std::string>> files = FilesOf(arguments);
  if (!files.ok()) return session.Fail(files.status());
  return SubmitMany(session, arguments, *request, *files);
}

}  // namespace millrace::cli
