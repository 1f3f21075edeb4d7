#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "client/cli/commands.h"
#include "client/cli/explain.h"
#include "client/cli/jobs.h"
#include "client/cli/jobs_change.h"
#include "client/cli/whole_number.h"

namespace millrace::cli {
namespace {

void AddSelection(CLI::App* sub, JobSelection& s) {
  sub->add_option("--filter", s.filter, "e.g. 'state = FAILED AND create_time >= \"2026-01-01T00:00:00Z\"'");
  sub->add_option("--state", s.state, "scheduled, queued, running, succeeded, failed, cancelled, expired, quarantined");
  sub->add_option("--pool", s.pool, "Of this pool");
  sub->add_option("--kind", s.kind, "Of this kind");
  sub->add_option("--band", s.band, "critical, high, normal or low");
  sub->add_option("--label", s.labels, "NAME=VALUE; may be repeated")->allow_extra_args(false);
}

void AddList(Menu& menu, CLI::App* jobs) {
  auto& a = menu.Keep<ListArguments>();
  CLI::App* list = menu.Add(jobs, "list", "Jobs, newest first", [&a](Session& s) { return ListJobs(s, a); });
  AddSelection(list, a.selection);
  list->add_option("--limit", a.limit, "How many; 0 is all")->transform(Whole(0, 1'000'000'000))->capture_default_str();
  list->add_flag("--oldest-first", a.oldest_first);
  list->add_flag("--full", a.full, "With --json: payload, result, log and attempts too");
}

void AddGet(Menu& menu, CLI::App* jobs) {
  struct Arguments {
    std::vector<std::string> ids;
    bool log = false, result = false;
  };
  auto& a = menu.Keep<Arguments>();
  CLI::App* get = menu.Add(jobs, "get", "All about a job", [&a](Session& s) {
    return GetJobs(s, a.ids, a.log ? Part::kLog : a.result ? Part::kResult : Part::kAll);
  });
  get->add_option("id", a.ids)->required();
  CLI::Option* log = get->add_flag("--log", a.log, "Only the end of its log");
  get->add_flag("--result", a.result, "Only its result, as it is")->excludes(log);
}

void AddExplain(Menu& menu, CLI::App* jobs) {
  auto& id = menu.Keep<std::string>();
  menu.Add(jobs, "explain", "Why a job waits, where it runs, or how it ended",
           [&id](Session& s) { return ExplainJob(s, id); })
      ->add_option("id", id)
      ->required();
}

void AddWait(Menu& menu, CLI::App* jobs) {
  auto& ids = menu.Keep<std::vector<std::string>>();
  CLI::App* wait = menu.Add(jobs, "wait", "Wait for jobs to end; exit with the worst outcome",
                            [&ids](Session& s) { return WaitJobs(s, ids); });
  wait->add_option("id", ids)->required();
}

void AddWatch(Menu& menu, CLI::App* jobs) {
  struct Arguments {
    std::string id;
    JobSelection selection;
  };
  auto& a = menu.Keep<Arguments>();
  CLI::App* watch = menu.Add(jobs, "watch", "Show what happens to a job until it ends, or to all of a selection",
                             [&a](Session& s) { return WatchJobs(s, a.id, a.selection); });
  watch->add_option("id", a.id);
  AddSelection(watch, a.selection);
}

void AddChange(Menu& menu, CLI::App* jobs, const char* name, const char* about, client::Bulk verb) {
  auto& a = menu.Keep<ChangeArguments>();
  CLI::App* sub = menu.Add(jobs, name, about, [&a, verb](Session& s) { return ChangeJobs(s, verb, a); });
  sub->add_option("id", a.ids, "Jobs, one by one; or select them by the options below");
  AddSelection(sub, a.selection);
  sub->add_flag("--yes,-y", a.yes, "Do not ask before changing a selection");
  sub->add_flag("--count-only", a.count_only, "Only say how many match");
  if (verb == client::Bulk::kCancel) sub->add_option("--reason", a.reason, "Kept as the job's error");
}

}  // namespace

void AddJobsCommands(Menu& menu) {
  CLI::App* jobs = menu.AddGroup("jobs", "Look at jobs, cancel, retry and delete them");
  AddList(menu, jobs);
  AddGet(menu, jobs);
  AddExplain(menu, jobs);
  AddWait(menu, jobs);
  AddWatch(menu, jobs);
  AddChange(menu, jobs, "cancel", "Stop jobs: queued ones at once, running ones are asked to", client::Bulk::kCancel);
  AddChange(menu, jobs, "retry", "Put jobs that ended without success back into their queue", client::Bulk::kRetry);
  AddChange(menu, jobs, "delete", "Forget jobs that have ended", client::Bulk::kDelete);
}

}  // namespace millrace::cli
