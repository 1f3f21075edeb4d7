#include <CLI/CLI.hpp>

#include "client/cli/commands.h"
#include "client/cli/run.h"
#include "client/cli/submit.h"
#include "client/cli/whole_number.h"

namespace millrace::cli {
namespace {

void AddJobOptions(CLI::App* sub, SubmitArguments& a) {
  sub->add_option("kind", a.kind, "What to run; `millrace pools list --json` shows the kinds")->required();
  sub->add_option("--pool", a.pool, "Default: the pool that the kind belongs to");
  sub->add_option("--payload", a.payload, "Input of the job, as text");
  sub->add_option("--file", a.files, "Input of the job from a file; - is stdin");
  sub->add_option("--band", a.band, "critical, high, normal (default) or low");
  sub->add_option("--delay", a.delay, "Run after this time");
  sub->add_option("--run-at", a.run_at, "Run at this time, e.g. 2026-01-31T12:00:00Z");
  sub->add_option("--run-timeout", a.run_timeout, "Of each attempt (--timeout is of this command)");
  sub->add_option("--deadline", a.deadline, "Of the whole job: a time, or a duration from now");
  sub->add_option("--max-attempts", a.max_attempts, "Attempts in all, 1 to 1000")->transform(Whole(1, 1000));
  sub->add_flag("--once", a.once, "Never start the job a second time, whatever happens");
  sub->add_option("--label", a.labels, "NAME=VALUE, for filters; may be repeated")->allow_extra_args(false);
  sub->add_option("--require", a.require, "NAME=VALUE: only workers with this label run it; may be repeated")
      ->allow_extra_args(false);
  sub->add_option("--prefer", a.prefer, "NAME=VALUE: workers with this label get it before others; may be repeated")
      ->allow_extra_args(false);
  sub->add_option("--request-id", a.request_id, "The same id and content again give the first job, not a second one");
  sub->add_option("--unique-key", a.unique_key,
                  "No second job of this pool and kind while one has the key; gives that one");
  sub->add_option("--unique-scope", a.unique_scope,
                  "Of --unique-key: until the job has ended (unfinished, default) or starts (queued)");
  sub->add_flag("--unique-reject", a.unique_reject,
                "Of --unique-key: refuse the submit (exit code 8) while it is taken");
  sub->add_option("--on-full", a.on_full, "A full pool: reject (default for one job) or wait (default for many)");
}

}  // namespace

void AddSubmitCommands(Menu& menu) {
  auto& many = menu.Keep<SubmitArguments>();
  CLI::App* submit = menu.Add(nullptr, "submit", "Submit a job, or one for each file",
                              [&many](Session& s) { return RunSubmit(s, many); });
  AddJobOptions(submit, many);
  submit->add_option("--files-from", many.files_from, "A job for each file named in this file, one a line; - is stdin");
  submit->add_option("--count", many.count, "Submit the same job so many times")->transform(Whole(1, 1'000'000'000));
  submit->add_option("--window", many.window, "Unanswered submits at once, when there are many")
      ->transform(Whole(1, 100'000));
  submit->add_flag("--wait", many.wait,
                   "Wait for the end; print a line with state and result for each job as it finishes");
  submit->footer(
      "Prints the id of each job. With --json a line of JSON for each: index, file, id, state; with --wait also "
      "attempts, seconds,\n"
      "resultText (or resultBase64), error. A job that is refused has state REJECTED, reason and error; the others go "
      "on.");

  auto& one = menu.Keep<SubmitArguments>();
  CLI::App* run = menu.Add(nullptr, "run", "Submit a job, follow its log, print its result, exit with its outcome",
                           [&one](Session& s) { return RunRun(s, one); });
  AddJobOptions(run, one);
  run->add_flag("--cancel-on-interrupt", one.cancel_on_interrupt,
                "Ctrl-C cancels the job; otherwise it goes on without us");
  run->footer(
      "The log goes to stderr, the result to stdout. Exits 0 succeeded, 1 failed, 7 cancelled, expired or "
      "quarantined.");
}

}  // namespace millrace::cli
