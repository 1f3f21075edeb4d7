#include "client/admin/store_commands.h"

#include <chrono>
#include <cstdio>

#include "client/cli/json.h"
#include "client/cli/render.h"
#include "client/cli/table.h"
#include "rpc/convert.h"
#include "store/tools/inspect.h"
#include "store/tools/verify.h"

namespace millrace::admin {
namespace {

using namespace cli;  // NOLINT: this is the rest of it

constexpr size_t kFindingsShown = 20;
constexpr size_t kTextColumns = 500;

int64_t Signed(uint64_t count) { return static_cast<int64_t>(count); }

std::string JsonOf(const store::Inspection& seen) {
  JsonObject jobs;
  for (size_t state = 0; state < kJobStates; ++state) {
    jobs.Add(ToString(static_cast<JobState>(state)), seen.jobs[state]);
  }
  std::string shelves;
  for (const store::StoreReader::ShelfUse& shelf : seen.shelves) {
    shelves += (shelves.empty() ? "" : ",") + JsonObject()
                                                  .Add("name", shelf.name)
                                                  .Add("files", shelf.files)
                                                  .Add("bytes", shelf.bytes)
                                                  .Add("logged", shelf.logged)
                                                  .Take();
  }
  JsonObject out;
  out.Add("folder", seen.folder).Add("format", seen.format);
  out.Add("files", seen.disk.files).Add("bytes", seen.disk.bytes).Add("logBytes", seen.disk.log_bytes);
  out.AddRaw("jobs", jobs.Take()).Add("unreadable", seen.unreadable);
  out.Add("complete", seen.cut_short.ok());
  if (seen.oldest) {
    v1::Job job;
    job.set_id(seen.oldest->id.ToString());
    job.mutable_spec()->set_pool(seen.oldest->pool);
    job.mutable_spec()->set_kind(seen.oldest->kind);
    rpc::Fill(seen.oldest->created, job.mutable_create_time());
    out.AddRaw("oldestQueued", ToJson(job));
  }
  out.Add("requestIds", seen.request_ids).Add("spentRequestIds", seen.spent_request_ids);
  return out.AddRaw("shelves", "[" + shelves + "]").Take();
}

std::string ForPeople(const store::Inspection& seen, const std::string& folder) {
  std::string states;
  for (size_t state = 0; state < kJobStates; ++state) {
    if (seen.jobs[state] == 0) continue;
    states +=
        (states.empty() ? "" : ", ") + FormatCount(seen.jobs[state]) + " " + ToString(static_cast<JobState>(state));
  }
  Details details;
  details.Add("store", seen.folder);
  details.Add("format", std::to_string(seen.format));
  details.Add("on disk", FormatBytes(Signed(seen.disk.bytes)) + " in " + FormatCount(Signed(seen.disk.files)) +
                             " files, of these " + FormatBytes(Signed(seen.disk.log_bytes)) + " log");
  details.Add("jobs", FormatCount(seen.job_count()) + (states.empty() ? "" : ": " + states));
  if (seen.unreadable > 0) {
    details.Add("unreadable",
                FormatJobs(seen.unreadable) + "; what is wrong tells `millrace admin verify " + folder + "`");
  }
  if (seen.oldest) {
    details.Add("oldest queued", seen.oldest->id.ToString() + "  " +
                                     Ago(seen.oldest->created, std::chrono::system_clock::now()) + "  " +
                                     OneLine(seen.oldest->pool + "/" + seen.oldest->kind, kTextColumns));
  }
  details.Add("request ids", FormatCount(seen.request_ids) + " of these jobs, " + FormatCount(seen.spent_request_ids) +
                                 " of jobs that are forgotten");
  Table shelves({"SHELF", ">TABLES", ">BYTES", ">IN THE LOG ONLY"});
  for (const store::StoreReader::ShelfUse& shelf : seen.shelves) {
    shelves.Add({shelf.name, FormatCount(Signed(shelf.files)), FormatBytes(Signed(shelf.bytes)),
                 FormatCount(Signed(shelf.logged))});
  }
  return details.Take() + "\n" + shelves.Render();
}

ExitCode ShowJob(Session& session, const store::StoreReader& store, const std::string& id) {
  const Result<JobId> parsed = rpc::ParseJobId(id, "--job");
  if (!parsed.ok()) return session.Fail(parsed.status());
  const Result<JobSnapshot> job = store::ReadJob(store, *parsed);
  if (!job.ok()) return session.Fail(job.status());
  v1::Job message;
  rpc::Fill(*job, rpc::View::kFull, &message);
  if (session.json()) {
    PrintLine(ToJson(message));
  } else {
    Print(JobDetail(message, std::chrono::system_clock::now()));
  }
  return ExitCode::kOk;
}

std::string JsonOf(const store::VerifyReport& report) {
  JsonObject problems;
  for (size_t i = 0; i < store::kProblems; ++i) {
    problems.Add(ToString(static_cast<store::Problem>(i)), report.problems[i]);
  }
  std::string first;
  for (const store::Finding& finding : report.first) {
    first += (first.empty() ? "" : ",") + JsonObject()
                                              .Add("problem", ToString(finding.problem))
                                              .Add("shelf", finding.shelf)
                                              .Add("key", finding.key)
                                              .Add("what", finding.what)
                                              .Take();
  }
  return JsonObject()
      .Add("folder", report.folder)
      .Add("sound", report.problem_count() == 0)
      .Add("complete", !report.cut_short)
      .Add("files", report.files)
      .Add("records", report.records)
      .Add("jobs", report.jobs)
      .Add("spentRequestIds", report.spent_request_ids)
      .AddRaw("problems", problems.Take())
      .AddRaw("first", "[" + first + "]")
      .Take();
}

std::string ForPeople(const store::VerifyReport& report) {
  const std::string looked_at = FormatCount(report.records) + " records of " + FormatJobs(report.jobs) + " and " +
                                FormatCount(report.spent_request_ids) + " spent request ids in " + report.folder;
  if (report.problem_count() == 0) return "sound: " + looked_at + "\n";
  Table table({"PROBLEM", "SHELF", "KEY", "WHAT"});
  for (const store::Finding& finding : report.first) {
    table.Add({ToString(finding.problem), finding.shelf, OneLine(finding.key, kTextColumns),
               OneLine(finding.what, kTextColumns)});
  }
  std::string counts;
  for (size_t i = 0; i < store::kProblems; ++i) {
    if (report.problems[i] == 0) continue;
    counts += std::string(counts.empty() ? "" : ", ") + ToString(static_cast<store::Problem>(i)) + " " +
              FormatCount(report.problems[i]);
  }
  std::string text = table.Render();
  if (report.problem_count() > Signed(report.first.size())) text += "...\n";
  text += "\ndamaged: " + counts + "; looked at " + looked_at + "\n";
  if (report.cut_short) text += "Not all could be looked at, since a file cannot be read to its end.\n";
  return text + "Start the daemon on a backup that is sound; `millrace admin inspect` reads what is left here.\n";
}

}  // namespace

ExitCode InspectStore(Session& session, const InspectArguments& arguments) {
  const Result<std::unique_ptr<store::StoreReader>> store = store::StoreReader::Open(arguments.folder);
  if (!store.ok()) return session.Fail(store.status());
  if (!arguments.job.empty()) return ShowJob(session, **store, arguments.job);
  const store::Inspection seen = store::Inspect(**store);
  Print(session.json() ? JsonOf(seen) + "\n" : ForPeople(seen, arguments.folder));
  FlushOutput();
  return seen.cut_short.ok() ? ExitCode::kOk : session.Fail(seen.cut_short);
}

ExitCode VerifyStore(Session& session, const std::string& folder) {
  const Result<store::VerifyReport> report = store::Verify(folder, kFindingsShown);
  if (!report.ok()) return session.Fail(report.status());
  Print(session.json() ? JsonOf(*report) + "\n" : ForPeople(*report));
  return report->problem_count() == 0 ? ExitCode::kOk : ExitCode::kDamaged;
}

}  // namespace millrace::admin
