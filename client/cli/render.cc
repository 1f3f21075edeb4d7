#include "client/cli/render.h"

#include <cstdio>
#include <ctime>
#include <string_view>

#include "client/cli/json.h"
#include "client/cli/output.h"
#include "client/cli/table.h"
#include "client/client.h"
#include "client/words.h"

namespace millrace::cli {
namespace {

constexpr size_t kTextColumns = 72;

template <typename... Args>
std::string Format(const char* format, Args... args) {
  char text[128];
  std::snprintf(text, sizeof text, format, args...);
  return text;
}

std::string BytesForPeople(std::string_view bytes, size_t columns) {
  return IsUtf8(bytes) ? OneLine(bytes, columns)
                       : "(" + FormatBytes(static_cast<int64_t>(bytes.size())) + " of binary data)";
}

std::string Took(const v1::Job& job, WallNanos now) {
  if (job.has_finish_time()) return FormatDuration(FromProto(job.finish_time()) - FromProto(job.create_time()));
  if (job.state() == v1::JOB_STATE_SCHEDULED && job.has_due_time()) return "due " + Ago(FromProto(job.due_time()), now);
  return "";
}

std::string WaitsFor(const v1::Waiting& waiting) {
  // Where it only waits for its turn, the message has the number.
  const bool said = waiting.jobs_ahead() == 0 || waiting.reason() == v1::Waiting::REASON_QUEUE;
  return (waiting.message().empty() ? client::Word(waiting.reason()) : waiting.message()) +
         (said ? "" : "  (" + FormatJobs(waiting.jobs_ahead()) + " before it)");
}

}  // namespace

std::string Ago(WallNanos time, WallNanos now) {
  return time <= now ? FormatDuration(now - time) + " ago" : "in " + FormatDuration(time - now);
}

std::string Clock(WallNanos time) {
  const auto nanos = time.time_since_epoch().count();
  const std::time_t seconds = nanos / 1'000'000'000;
  std::tm utc;
  gmtime_r(&seconds, &utc);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &utc);
  return text + Format(".%03dZ", static_cast<int>(nanos / 1'000'000 % 1000));
}

std::string JobTable(const std::vector<v1::Job>& jobs, WallNanos now) {
  Table table({"ID", "STATE", "POOL", "KIND", "BAND", ">ATTEMPTS", ">CREATED", ">TOOK", "ERROR"});
  for (const v1::Job& job : jobs) {
    table.Add({job.id(), client::Word(job.state()) + (job.cancel_requested() ? " (cancelling)" : ""), job.spec().pool(),
               job.spec().kind(), client::Word(job.spec().band()), std::to_string(job.attempts()),
               Ago(FromProto(job.create_time()), now), Took(job, now), OneLine(job.error(), kTextColumns)});
  }
  return table.Render();
}

std::string JobDetail(const v1::Job& job, WallNanos now) {
  const v1::JobSpec& spec = job.spec();
  Details details;
  details.Add("id", job.id());
  details.Add("state", client::Word(job.state()) + (job.cancel_requested() ? " (cancel requested)" : ""));
  if (job.has_waiting()) details.Add("waits for", WaitsFor(job.waiting()));
  details.Add("pool", spec.pool());
  details.Add("kind", spec.kind());
  details.Add("band", client::Word(spec.band()));
  details.Add("created", Clock(FromProto(job.create_time())) + "  " + Ago(FromProto(job.create_time()), now));
  if (job.has_due_time())
    details.Add("due", Clock(FromProto(job.due_time())) + "  " + Ago(FromProto(job.due_time()), now));
  if (job.has_finish_time()) {
    details.Add("finished", Clock(FromProto(job.finish_time())) + "  after " + Took(job, now));
  }
  if (spec.has_run_timeout()) details.Add("run timeout", FormatDuration(FromProto(spec.run_timeout())));
  if (spec.has_deadline()) details.Add("deadline", Clock(FromProto(spec.deadline())));
  const int max_attempts = spec.retry().max_attempts();
  details.Add("attempts", std::to_string(job.attempts()) +
                              (max_attempts > 0 ? " of " + std::to_string(max_attempts) : "") +
                              (job.losses() > 0 ? ", lost " + std::to_string(job.losses()) : ""));
  if (spec.has_unique_key()) {
    const bool queued = spec.unique_key().scope() == v1::UniqueKey::SCOPE_WHILE_QUEUED;
    details.Add("unique key", spec.unique_key().key() + (queued ? "  (while queued)" : "  (while unfinished)"));
  }
  for (const auto& [name, value] : spec.labels()) details.Add("label", name + "=" + value);
  for (const auto& [name, value] : spec.placement().require()) details.Add("requires", name + "=" + value);
  for (const auto& [name, value] : spec.placement().prefer()) details.Add("prefers", name + "=" + value);
  if (spec.has_trace()) {
    details.Add("trace", spec.trace().traceparent());
    details.Add("tracestate", OneLine(spec.trace().tracestate(), kTextColumns));
    details.Add("baggage", OneLine(spec.trace().baggage(), kTextColumns));
  }
  if (job.has_progress()) {
    details.Add("progress",
                Format("%.0f%%  ", job.progress().fraction() * 100) + OneLine(job.progress().message(), kTextColumns));
  }
  details.Add("error", job.error());
  if (!spec.payload().empty()) {
    details.Add("payload", FormatBytes(static_cast<int64_t>(spec.payload().size())) + "  " +
                               BytesForPeople(spec.payload(), kTextColumns));
  }
  if (client::LeavesOutResult(job)) {
    details.Add("result", FormatBytes(job.result_bytes()) + "  (print it with --result)");
  } else if (!job.result().empty()) {
    details.Add("result", FormatBytes(static_cast<int64_t>(job.result().size())) + "  " +
                              BytesForPeople(job.result(), kTextColumns));
  }
  if (job.checkpoint_bytes() > 0) details.Add("checkpoint", FormatBytes(job.checkpoint_bytes()));
  if (job.log_bytes() > 0) details.Add("log", FormatBytes(job.log_bytes()) + "  (show it with --log)");
  std::string text = details.Take();
  if (job.attempt_history_size() == 0) return text;

  Table table({">ATTEMPT", "RESULT", "WORKER", ">QUEUED", ">RUN", ">CPU", ">LOST", ">EXIT", "ERROR"});
  for (const v1::Attempt& attempt : job.attempt_history()) {
    const v1::AttemptTimings& t = attempt.timings();
    const bool running = attempt.result() == v1::ATTEMPT_RESULT_UNSPECIFIED;
    table.Add({std::to_string(attempt.number()), running ? "RUNNING" : client::Word(attempt.result()), attempt.worker(),
               FormatDuration(FromProto(t.queued())), FormatDuration(FromProto(t.run())),
               FormatDuration(FromProto(t.cpu())),
               FormatDuration(FromProto(t.runnable()) + FromProto(t.blocked_inside())),
               std::to_string(attempt.exit_code()), OneLine(attempt.error(), kTextColumns)});
  }
  return text + "\n" + table.Render();
}

std::string JobLine(const v1::Job& job, const std::string& file) {
  std::string line = Format("%-26s  %-11s", job.id().c_str(), client::Word(job.state()).c_str());
  if (!file.empty()) line += "  " + OneLine(file, 200);
  std::string outcome =
      job.state() == v1::JOB_STATE_SUCCEEDED ? BytesForPeople(job.result(), 80) : OneLine(job.error(), 120);
  if (client::LeavesOutResult(job)) outcome = FormatBytes(job.result_bytes()) + "  (print it with jobs get --result)";
  if (!outcome.empty()) line += "  " + outcome;
  line.erase(line.find_last_not_of(' ') + 1);
  return Printable(line);
}

std::string EventLine(const v1::JobEvent& event) {
  std::string line = Clock(FromProto(event.event_time()));
  if (event.event_case() == v1::JobEvent::kGapEvents) {
    return line +
           (event.gap_events() > 0 ? "  (" + FormatCount(event.gap_events()) + " events missed)" : "  (events missed)");
  }
  line += "  " + event.job_id() + "  ";
  switch (event.event_case()) {
    case v1::JobEvent::kState:
      line += Format("%-11s", client::Word(event.state()).c_str());
      break;
    case v1::JobEvent::kProgress:
      line += Format("%-11s", Format("%.0f%%", event.progress().fraction() * 100).c_str());
      break;
    default:
      line += Format("%-11s", "log");
      break;
  }
  line += "  " + event.pool() + "/" + event.kind();
  if (event.attempt() > 0) line += "  attempt " + std::to_string(event.attempt());
  if (event.has_progress() && !event.progress().message().empty())
    line += "  " + OneLine(event.progress().message(), kTextColumns);
  if (event.has_log_chunk()) line += "  " + BytesForPeople(event.log_chunk(), 120);
  if (!event.error().empty()) line += "  " + OneLine(event.error(), 120);
  return Printable(line);
}

std::string PoolTable(const std::vector<v1::Pool>& pools, WallNanos now) {
  Table table({"POOL", "STATE", "RUNNER", ">BUSY", ">WORKERS", ">QUEUED", ">CAPACITY", ">BYTES", ">SCHEDULED",
               ">OLDEST", ">SPEEDUP", ">EFFICIENCY", ">UTILIZATION"});
  for (const v1::Pool& pool : pools) {
    table.Add({pool.name(), client::Word(pool.state()), pool.runner(), std::to_string(pool.workers_busy()),
               std::to_string(pool.workers()), FormatCount(pool.queued_jobs()),
               pool.capacity_jobs() == 0 ? "rendezvous" : FormatCount(pool.capacity_jobs()),
               FormatBytes(pool.queued_bytes()), FormatCount(pool.scheduled_jobs()),
               pool.has_oldest_queued_time() ? FormatDuration(now - FromProto(pool.oldest_queued_time())) : "-",
               Format("%.2f", pool.efficiency().speedup()), Format("%.0f%%", pool.efficiency().efficiency() * 100),
               Format("%.0f%%", pool.efficiency().utilization() * 100)});
  }
  return table.Render();
}

std::string PoolDetail(const v1::Pool& pool, WallNanos now) {
  Details details;
  details.Add("pool", pool.name());
  details.Add("state", client::Word(pool.state()));
  details.Add("runner", pool.runner());
  details.Add("workers", std::to_string(pool.workers_busy()) + " of " + std::to_string(pool.workers()) + " busy");
  std::string bands;
  for (const v1::BandDepth& band : pool.bands())
    bands += "  " + client::Word(band.band()) + " " + FormatCount(band.queued_jobs());
  details.Add("queued", FormatCount(pool.queued_jobs()) +
                            (pool.capacity_jobs() == 0 ? std::string(" (rendezvous)")
                                                       : " of " + FormatCount(pool.capacity_jobs())) +
                            " jobs" + (bands.empty() ? "" : " " + bands));
  details.Add("bytes", FormatBytes(pool.queued_bytes()) + " of " + FormatBytes(pool.capacity_bytes()));
  details.Add("scheduled", FormatCount(pool.scheduled_jobs()));
  if (pool.has_oldest_queued_time()) details.Add("oldest", "queued " + Ago(FromProto(pool.oldest_queued_time()), now));
  if (pool.waiting_submits() > 0) details.Add("waiting", FormatCount(pool.waiting_submits()) + " submits for room");
  std::string kinds;
  for (const std::string& kind : pool.kinds()) kinds += (kinds.empty() ? "" : " ") + kind;
  details.Add("kinds", kinds);
  const v1::Efficiency& e = pool.efficiency();
  details.Add("efficiency", Format("%.0f%%  speedup %.2f  utilization %.0f%%", e.efficiency() * 100, e.speedup(),
                                   e.utilization() * 100) +
                                "  over " + FormatDuration(FromProto(e.window())));
  details.Add("time", "useful " + FormatDuration(FromProto(e.useful())) + ", lost waiting for a processor " +
                          FormatDuration(FromProto(e.lost_runnable())) + ", lost on locks and channels " +
                          FormatDuration(FromProto(e.lost_blocked())));
  return details.Take();
}

}  // namespace millrace::cli
