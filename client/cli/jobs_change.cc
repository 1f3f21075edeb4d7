#include "client/cli/jobs_change.h"

#include <unistd.h>

#include <cstdio>

#include "client/cli/json.h"
#include "client/cli/render.h"
#include "client/words.h"

namespace millrace::cli {
namespace {

struct Words {
  const char* verb;
  const char* done;
};

Words WordsOf(client::Bulk verb) {
  switch (verb) {
    case client::Bulk::kCancel:
      return {"cancel", "cancelled or asked to stop"};
    case client::Bulk::kRetry:
      return {"retry", "put back"};
    case client::Bulk::kDelete:
      break;
  }
  return {"delete", "deleted"};
}

std::string CountsJson(const client::BulkCounts& counts) {
  return JsonObject().Add("matched", counts.matched).Add("changed", counts.changed).Take();
}

bool Confirmed(int64_t matched, const char* verb) {
  std::fprintf(stderr, "%s %s? [y/N] ", verb, FormatJobs(matched).c_str());
  char line[16];
  return std::fgets(line, sizeof line, stdin) != nullptr && (line[0] == 'y' || line[0] == 'Y');
}

ExitCode ChangeOne(Session& session, client::Bulk verb, const std::string& id, const std::string& reason) {
  if (verb == client::Bulk::kDelete) {
    const Status status = session.client().Delete(id, session.Call());
    if (!status.ok()) return session.Fail(status);
    PrintLine(session.json() ? JsonObject().Add("id", id).Add("deleted", true).Take() : id + "  deleted");
    return ExitCode::kOk;
  }
  const Result<v1::Job> job = verb == client::Bulk::kCancel ? session.client().Cancel(id, reason, session.Call())
                                                            : session.client().Retry(id, session.Call());
  if (!job.ok()) return session.Fail(job.status());
  const bool asked = job->state() == v1::JOB_STATE_RUNNING && job->cancel_requested();
  PrintLine(session.json() ? ToJson(*job) : id + "  " + client::Word(job->state()) + (asked ? ", asked to stop" : ""));
  return ExitCode::kOk;
}

}  // namespace

ExitCode ChangeJobs(Session& session, client::Bulk verb, const ChangeArguments& arguments) {
  const Words words = WordsOf(verb);
  if (arguments.ids.empty() == arguments.selection.empty()) {
    return session.Fail(InvalidArgument(
        "BAD_ARGUMENT",
        std::string("jobs ") + words.verb + " takes either ids or a selection such as --state or --filter"));
  }
  if (!arguments.ids.empty()) {
    ExitCode exit = ExitCode::kOk;
    for (const std::string& id : arguments.ids) exit = Worst(exit, ChangeOne(session, verb, id, arguments.reason));
    return exit;
  }

  const Result<std::string> filter = ToFilter(arguments.selection);
  if (!filter.ok()) return session.Fail(filter.status());
  client::BulkRequest request{.filter = *filter, .reason = arguments.reason};
  if (!arguments.yes || arguments.count_only) {
    request.validate_only = true;
    const Result<client::BulkCounts> count = session.client().ChangeAll(verb, request, session.Call());
    if (!count.ok()) return session.Fail(count.status());
    if (arguments.count_only || count->matched == 0) {
      PrintLine(session.json() ? CountsJson(*count) : FormatJobs(count->matched) + " matching " + *filter);
      return count->matched > 0 ? ExitCode::kOk : session.CheckNames(*filter);
    }
    if (!isatty(STDIN_FILENO)) {
      return session.Fail(InvalidArgument("NOT_CONFIRMED", FormatJobs(count->matched) + " matching " + *filter +
                                                               "; say --yes to " + words.verb + " them"));
    }
    if (!Confirmed(count->matched, words.verb)) return ExitCode::kUsage;
    request.validate_only = false;
  }
  const Result<client::BulkCounts> changed = session.client().ChangeAll(verb, request, session.Call());
  if (!changed.ok()) return session.Fail(changed.status());
  PrintLine(session.json() ? CountsJson(*changed)
                           : FormatCount(changed->changed) + " of " + FormatJobs(changed->matched) + " " + words.done);
  if (!changed->first_error.ok()) return session.Fail(changed->first_error);
  return changed->matched > 0 ? ExitCode::kOk : session.CheckNames(*filter);
}

}  // namespace millrace::cli
