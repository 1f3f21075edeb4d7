#include "client/cli/command_line.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <functional>
#include <sstream>
#include <string>
#include <vector>

#include "base/suggest.h"
#include "base/version.h"
#include "client/cli/admin.h"
#include "client/cli/bench.h"
#include "client/cli/jobs.h"
#include "client/cli/pools.h"
#include "client/cli/session.h"
#include "client/cli/submit.h"

namespace millrace::cli {
namespace {

constexpr char kAbout[] =
    "Submit jobs to Millrace, look at them, change their fate; take care of its store.\n"
    "Times are written 500ms, 30s, 5m, 2h or 1d; sizes 512, 64k or 1MiB.";

// What the arguments of every command are parsed into, and the command that was chosen.
struct Parsed {
  GlobalOptions global;
  SubmitArguments submit;
  ListArguments list;
  JobSelection watch_selection;
  ChangeArguments change;
  ResizeArguments resize;
  InspectArguments inspect;
  BenchArguments bench;
  std::vector<std::string> ids;
  std::string id, pool, folder;
  bool show_log = false, show_result = false;

  std::function<ExitCode(Session&)> command;
};

// A subcommand that is the whole of a command: choosing it sets what runs.
CLI::App* Leaf(CLI::App* parent, Parsed& parsed, const char* name, const char* about,
               std::function<ExitCode(Session&)> run) {
  CLI::App* sub = parent->add_subcommand(name, about);
  sub->callback([&parsed, run = std::move(run)] { parsed.command = run; });
  return sub;
}

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
  sub->add_option("--max-attempts", a.max_attempts, "Attempts in all, 1 to 1000");
  sub->add_flag("--once", a.once, "Never start the job a second time, whatever happens");
  sub->add_option("--label", a.labels, "NAME=VALUE, for filters; may be repeated")->allow_extra_args(false);
  sub->add_option("--request-id", a.request_id, "The same id and content again give the first job, not a second one");
  sub->add_option("--unique-key", a.unique_key,
                  "No second job of this pool and kind while one has the key; gives that one");
  sub->add_option("--unique-scope", a.unique_scope,
                  "Of --unique-key: until the job has ended (unfinished, default) or starts (queued)");
  sub->add_flag("--unique-reject", a.unique_reject,
                "Of --unique-key: refuse the submit (exit code 8) while it is taken");
  sub->add_option("--on-full", a.on_full, "A full pool: reject (default for one job) or wait (default for many)");
}

void AddSelection(CLI::App* sub, JobSelection& s) {
  sub->add_option("--filter", s.filter, "e.g. 'state = FAILED AND create_time >= \"2026-01-01T00:00:00Z\"'");
  sub->add_option("--state", s.state, "scheduled, queued, running, succeeded, failed, cancelled, expired, quarantined");
  sub->add_option("--pool", s.pool, "Of this pool");
  sub->add_option("--kind", s.kind, "Of this kind");
  sub->add_option("--band", s.band, "critical, high, normal or low");
  sub->add_option("--label", s.labels, "NAME=VALUE; may be repeated")->allow_extra_args(false);
}

void AddSubmit(CLI::App& app, Parsed& p) {
  CLI::App* submit = Leaf(&app, p, "submit", "Submit a job, or one for each file",
                          [&p](Session& s) { return RunSubmit(s, p.submit); });
  AddJobOptions(submit, p.submit);
  submit->add_option("--files-from", p.submit.files_from,
                     "A job for each file named in this file, one a line; - is stdin");
  submit->add_option("--count", p.submit.count, "Submit the same job so many times");
  submit->add_option("--window", p.submit.window, "Unanswered submits at once, when there are many")
      ->check(CLI::Range(1, 100'000));
  submit->add_flag("--wait", p.submit.wait,
                   "Wait for the end; print a line with state and result for each job as it finishes");
  submit->footer(
      "Prints the id of each job. With --json a line of JSON for each: index, file, id, state; with --wait also "
      "attempts, seconds,\n"
      "resultText (or resultBase64), error. A job that is refused has state REJECTED, reason and error; the others go "
      "on.");

  CLI::App* run = Leaf(&app, p, "run", "Submit a job, follow its log, print its result, exit with its outcome",
                       [&p](Session& s) { return RunRun(s, p.submit); });
  AddJobOptions(run, p.submit);
  run->add_flag("--cancel-on-interrupt", p.submit.cancel_on_interrupt,
                "Ctrl-C cancels the job; otherwise it goes on without us");
  run->footer(
      "The log goes to stderr, the result to stdout. Exits 0 succeeded, 1 failed, 7 cancelled, expired or "
      "quarantined.");
}

void AddChange(CLI::App* jobs, Parsed& p, const char* name, const char* about, client::Bulk verb) {
  CLI::App* sub = Leaf(jobs, p, name, about, [&p, verb](Session& s) { return ChangeJobs(s, verb, p.change); });
  sub->add_option("id", p.change.ids, "Jobs, one by one; or select them by the options below");
  AddSelection(sub, p.change.selection);
  sub->add_flag("--yes,-y", p.change.yes, "Do not ask before changing a selection");
  sub->add_flag("--count-only", p.change.count_only, "Only say how many match");
  if (verb == client::Bulk::kCancel) sub->add_option("--reason", p.change.reason, "Kept as the job's error");
}

void AddJobs(CLI::App& app, Parsed& p) {
  CLI::App* jobs = app.add_subcommand("jobs", "Look at jobs, cancel, retry and delete them");
  jobs->require_subcommand(1);
  CLI::App* list = Leaf(jobs, p, "list", "Jobs, newest first", [&p](Session& s) { return ListJobs(s, p.list); });
  AddSelection(list, p.list.selection);
  list->add_option("--limit", p.list.limit, "How many; 0 is all")->check(CLI::NonNegativeNumber)->capture_default_str();
  list->add_flag("--oldest-first", p.list.oldest_first);
  list->add_flag("--full", p.list.full, "With --json: payload, result, log and attempts too");

  CLI::App* get = Leaf(jobs, p, "get", "All about a job", [&p](Session& s) {
    return GetJobs(s, p.ids, p.show_log ? Part::kLog : p.show_result ? Part::kResult : Part::kAll);
  });
  get->add_option("id", p.ids)->required();
  CLI::Option* log = get->add_flag("--log", p.show_log, "Only the end of its log");
  get->add_flag("--result", p.show_result, "Only its result, as it is")->excludes(log);

  CLI::App* wait = Leaf(jobs, p, "wait", "Wait for jobs to end; exit with the worst outcome",
                        [&p](Session& s) { return WaitJobs(s, p.ids); });
  wait->add_option("id", p.ids)->required();

  CLI::App* watch = Leaf(jobs, p, "watch", "Show what happens to a job until it ends, or to all of a selection",
                         [&p](Session& s) { return WatchJobs(s, p.id, p.watch_selection); });
  watch->add_option("id", p.id);
  AddSelection(watch, p.watch_selection);

  AddChange(jobs, p, "cancel", "Stop jobs: queued ones at once, running ones are asked to", client::Bulk::kCancel);
  AddChange(jobs, p, "retry", "Put jobs that ended without success back into their queue", client::Bulk::kRetry);
  AddChange(jobs, p, "delete", "Forget jobs that have ended", client::Bulk::kDelete);
}

void AddPools(CLI::App& app, Parsed& p) {
  CLI::App* pools = app.add_subcommand("pools", "Look at worker pools, resize, pause and drain them");
  pools->require_subcommand(1);
  Leaf(pools, p, "list", "All pools", [](Session& s) { return ListPools(s); });
  const auto named = [&](const char* name, const char* about, std::function<ExitCode(Session&)> run) {
    CLI::App* sub = Leaf(pools, p, name, about, std::move(run));
    sub->add_option("name", p.pool)->required();
    return sub;
  };
  const auto change = [&p](client::PoolVerb verb) {
    return [&p, verb](Session& s) { return ChangePool(s, verb, p.pool); };
  };
  named("get", "All about a pool", [&p](Session& s) { return GetPool(s, p.pool); });
  named("pause", "Accept jobs up to the capacity, start none; outlives a restart of a daemon with a data folder",
        change(client::PoolVerb::kPause));
  named("resume", "Undo pause and drain", change(client::PoolVerb::kResume));
  named("drain", "Refuse new jobs, also after a restart, and wait until the others are done, an hour at most",
        change(client::PoolVerb::kDrain));
  CLI::App* resize =
      named("resize", "Change the number of workers and the capacity, until the daemon is restarted", [&p](Session& s) {
        p.resize.name = p.pool;
        return ResizePool(s, p.resize);
      });
  resize->add_option("--workers", p.resize.workers, "1 to 10,000");
  resize->add_option("--capacity-jobs", p.resize.capacity_jobs, "Queued jobs at most");
  resize->add_option("--capacity-bytes", p.resize.capacity_bytes, "Their payload at most, e.g. 256MiB");
}

void AddAdmin(CLI::App& app, Parsed& p, const StoreCommands& store) {
  CLI::App* admin = app.add_subcommand("admin", "Back up the daemon's store; look at a stopped one and check it");
  admin->require_subcommand(1);
  CLI::App* backup = Leaf(admin, p, "backup", "Copy the store of the running daemon, which goes on meanwhile",
                          [&p](Session& s) { return Backup(s, p.folder); });
  backup->add_option("folder", p.folder, "On the daemon's machine; not there yet, or empty")->required();
  backup->footer(
      "The copy holds everything that was acknowledged before: jobs, results, request ids. It appears when all of it "
      "is on the\n"
      "disk, readable by the daemon's user only. `millraced --data-dir FOLDER` goes on from there. On "
      "the file\n"
      "system of the store large files are linked, not copied.");

  CLI::App* inspect = Leaf(admin, p, "inspect", "What a store holds: jobs by state, the oldest, sizes, one job",
                           [&p, &store](Session& s) { return store.inspect(s, p.inspect); });
  inspect->add_option("folder", p.inspect.folder, "The daemon's --data-dir, or a backup")->required();
  inspect->add_option("--job", p.inspect.job, "Only this job; with --json as `jobs get` prints it");
  inspect->footer("No daemon may run on it, and none is asked. Nothing in the folder is changed.");

  CLI::App* verify = Leaf(admin, p, "verify", "Check every file, record and key of a store",
                          [&p, &store](Session& s) { return store.verify(s, p.folder); });
  verify->add_option("folder", p.folder, "The daemon's --data-dir, or a backup")->required();
  verify->footer(
      "No daemon may run on it. Nothing in the folder is changed. Exits 0 sound, 1 damaged; otherwise it could not be "
      "checked.\n"
      "Problems: file (cannot be read, or its checksum differs), key (is no job id), record (is not what was written), "
      "no_state,\n"
      "no_spec, no_payload, no_ended, no_request (a part of a job that is not there), no_job (a part of none), "
      "two_states\n"
      "(lives and has ended), wrong_shelf (a job that ended among the live, or the other way round), mismatch (two "
      "parts of a job\n"
      "contradict each other).");
}

void AddBench(CLI::App& app, Parsed& p) {
  BenchArguments& a = p.bench;
  CLI::App* bench = Leaf(&app, p, "bench", "Measure how fast jobs are taken and finished",
                         [&p](Session& s) { return RunBench(s, p.bench); });
  bench->add_option("--jobs", a.jobs)->capture_default_str();
  bench->add_option("--mode", a.mode, "stream, unary or batch")->capture_default_str();
  bench->add_option("--window", a.window, "Unanswered jobs of each connection")->capture_default_str();
  bench->add_option("--connections", a.connections)->capture_default_str();
  bench->add_option("--batch", a.batch, "Jobs of one call in batch mode")->capture_default_str();
  bench->add_option("--rate", a.rate,
                    "Open loop: so many jobs a second, measured from when each is due; 0: closed loop");
  bench->add_option("--kind", a.kind)->capture_default_str();
  bench->add_option("--pool", a.pool);
  bench->add_option("--payload-bytes", a.payload_bytes)->capture_default_str();
  bench->add_flag("--request-ids", a.request_ids, "An id for each job, as clients that repeat calls send");
  bench->add_option("--on-full", a.on_full, "wait or reject")->capture_default_str();
  bench->add_option("--warmup", a.warmup, "Jobs before, not measured; default a tenth, 10,000 at most");
  bench->add_option("--samples", a.samples, "Jobs whose finish is looked up")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  bench->add_flag("--floor", a.floor, "The server is grpc_floor, which runs nothing: measure answers only");
  bench->footer(
      "submit to ack: from the send (closed loop) or from when the job was due (open loop) to the answer.\n"
      "submit to done: of a sample of jobs, from the same start to the server's finish time, its clock corrected by "
      "what the samples\n"
      "show. Nothing is sent for it during runs of up to 50,000 jobs; longer ones ask as they go, since old jobs are "
      "forgotten.");
}

// An empty value is what a variable that is not set leaves behind: `--pool "$POOL"`. It is no selection, no key and no file, and to go
// on as if the option were not there would delete the jobs of all pools. Only a payload and a reason may well be empty.
void RefuseEmptyValues(CLI::App& app) {
  for (CLI::Option* option : app.get_options()) {
    const std::string name = option->get_name();
    if (option->get_expected_max() == 0 || name == "--payload" || name == "--reason") continue;
    option->check([](const std::string& value) { return value.empty() ? std::string("is empty") : std::string(); });
  }
  for (CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; })) RefuseEmptyValues(*sub);
}

// "millrace jobs list" for `list`, or for `get jobs`, whose words stand the wrong way round: the whole commands that have the word at
// their end.
std::string WholeCommands(const CLI::App& app, const std::string& word) {
  std::string text;
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; })) {
    for (const CLI::App* leaf : sub->get_subcommands([](const CLI::App*) { return true; })) {
      if (leaf->get_name() != word) continue;
      text += (text.empty() ? "'" : " or '") + sub->get_name() + " " + word + "'";
    }
  }
  return text;
}

// What is wrong with the arguments, the nearest word for one that no command knows, and where to read on.
std::string Explain(const CLI::App& app, const CLI::ParseError& error) {
  const CLI::App* deepest = &app;
  std::string path = "millrace";
  while (!deepest->get_subcommands().empty()) {
    deepest = deepest->get_subcommands().back();
    path += " " + deepest->get_name();
  }
  std::string text = error.what();
  if (const std::vector<std::string> rest = app.remaining(true); !rest.empty()) {
    std::vector<std::string> known;
    for (const CLI::App* sub : deepest->get_subcommands([](const CLI::App*) { return true; }))
      known.push_back(sub->get_name());
    for (const CLI::App* at : {deepest, &app}) {
      for (const CLI::Option* option : at->get_options()) {
        for (const std::string& name : option->get_lnames()) known.push_back("--" + name);
      }
    }
    const std::string word = rest[0].substr(0, rest[0].find('='));
    const std::string nearest = Nearest(word, known);
    text = std::string(word.starts_with('-') ? "unknown option '" : "unknown word '") + word + "'";
    if (const std::string whole = deepest == &app ? WholeCommands(app, word) : ""; !whole.empty()) {
      text += ", did you mean " + whole + "?";
    } else if (nearest == word) {
      text += " in this place, did you mean '" + deepest->get_name() + " " + word + "'?";
    } else if (!nearest.empty()) {
      text += ", did you mean '" + nearest + "'?";
    }
  }
  return text + "\n  " + path + " --help lists what there is";
}

}  // namespace

ExitCode RunCommandLine(int argc, char** argv, Interrupt& interrupt, const StoreCommands& store) {
  Parsed parsed;
  CLI::App app(kAbout, "millrace");
  app.require_subcommand(1);
  app.fallthrough();  // Options of all commands may stand after the command.
  app.set_version_flag("--version", std::string("millrace ") + Version());
  app.add_option("--address", parsed.global.address, "Where millraced listens; the port may be left out")
      ->envname("MILLRACE_ADDRESS")
      ->capture_default_str();
  app.add_flag("--json", parsed.global.json, "JSON for programs: one document, or one a line");
  app.add_option("--timeout", parsed.global.timeout,
                 "Of this command; default 30s for what is answered at once, none for waiting");
  app.footer(kExitCodeHelp);
  AddSubmit(app, parsed);
  AddJobs(app, parsed);
  AddPools(app, parsed);
  AddAdmin(app, parsed, store);
  AddBench(app, parsed);
  RefuseEmptyValues(app);

  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& help) {
    std::ostringstream text;
    app.exit(help, text);
    Print(text.str());
    return FinishOutput() ? ExitCode::kOk : ExitCode::kInternal;
  } catch (const CLI::ParseError& error) {
    std::fprintf(stderr, "millrace: %s\n", PrintableLines(Explain(app, error)).c_str());
    return ExitCode::kUsage;
  }

  Session session(parsed.global, interrupt);
  if (const Status opened = session.Open(); !opened.ok()) return session.Fail(opened);
  const ExitCode code = parsed.command(session);
  return FinishOutput() ? code : ExitCode::kInternal;
}

}  // namespace millrace::cli
