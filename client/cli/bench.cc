#include "client/cli/bench.h"

#include <sys/utsname.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <optional>
#include <thread>

#include "base/units.h"
#include "base/version.h"
#include "client/cli/bench_done.h"
#include "client/cli/bench_load.h"
#include "client/cli/json.h"
#include "client/cli/progress.h"
#include "client/cli/table.h"
#include "client/cli/units.h"

namespace millrace::cli {
namespace {

using Connections = std::vector<std::unique_ptr<client::Client>>;

Status Bad(const std::string& text) { return InvalidArgument("BAD_ARGUMENT", text); }

Result<LoadOptions> MakeLoad(const BenchArguments& arguments) {
  LoadOptions load;
  if (arguments.mode == "unary") {
    load.mode = LoadMode::kUnary;
  } else if (arguments.mode == "batch") {
    load.mode = LoadMode::kBatch;
  } else if (arguments.mode != "stream") {
    return Bad("--mode: '" + arguments.mode + "' is not unary, stream or batch");
  }
  const auto payload = ParseBytes(arguments.payload_bytes);
  if (!payload || *payload > (int64_t{1} << 30))
    return Bad("--payload-bytes: '" + arguments.payload_bytes + "' is not a size like 100 or 4k");
  if (arguments.on_full != "wait" && arguments.on_full != "reject")
    return Bad("--on-full: '" + arguments.on_full + "' is not wait or reject");
  if (arguments.jobs < 1 || arguments.jobs > 1'000'000'000) return Bad("--jobs takes 1 to 1,000,000,000");
  if (arguments.window < 1 || arguments.window > 1'000'000) return Bad("--window takes 1 to 1,000,000");
  if (arguments.connections < 1 || arguments.connections > 1000) return Bad("--connections takes 1 to 1,000");
  if (arguments.batch < 1 || arguments.batch > 1000) return Bad("--batch takes 1 to 1,000, what BatchSubmitJobs takes");
  if (!(arguments.rate >= 0) || arguments.rate > 1e9)
    return Bad("--rate takes jobs a second, 0 for as fast as answers come");

  load.jobs = arguments.jobs;
  load.window = arguments.window;
  load.batch = arguments.batch;
  load.rate = arguments.rate;
  v1::JobSpec& spec = *load.request.mutable_spec();
  spec.set_kind(arguments.kind);
  spec.set_pool(arguments.pool);
  spec.set_payload(std::string(static_cast<size_t>(*payload), 'x'));
  if (arguments.request_ids) {  // About as long as the ids of a client that repeats calls.
    load.request_id_prefix =
        "bench-" + std::to_string(std::chrono::steady_clock::now().time_since_epoch().count()) + "-";
  }
  load.request.set_on_full(arguments.on_full == "wait" ? v1::ON_FULL_WAIT : v1::ON_FULL_REJECT);
  return load;
}

Result<Connections> Connect(const std::string& address, int count) {
  Connections connections;
  for (int i = 0; i < count; ++i) {
    // No repeats, so that each call has one answer. No request_id unless it is asked for, since the server has to
    // remember it.
    auto connection = client::Client::Connect(address, {.max_attempts = 1, .own_connection = true});
    if (!connection.ok()) return connection.status();
    connections.push_back(std::move(*connection));
  }
  return connections;
}

double PerSecond(int64_t count, nanoseconds time) {
  return time.count() > 0 ? static_cast<double>(count) / Seconds(time) : 0;
}

std::string LatencyJson(const LatencyHistogram& latency) {
  return JsonObject()
      .Add("count", latency.count())
      .Add("p50", Seconds(latency.Percentile(0.5)))
      .Add("p99", Seconds(latency.Percentile(0.99)))
      .Add("p999", Seconds(latency.Percentile(0.999)))
      .Add("max", Seconds(latency.Max()))
      .Add("mean", Seconds(latency.Mean()))
      .Take();
}

std::vector<std::string> LatencyRow(const std::string& name, const LatencyHistogram& latency) {
  return {name,
          FormatDuration(latency.Percentile(0.5)),
          FormatDuration(latency.Percentile(0.99)),
          FormatDuration(latency.Percentile(0.999)),
          FormatDuration(latency.Max()),
          FormatDuration(latency.Mean()),
          FormatCount(latency.count())};
}

std::string Machine() {
  utsname name{};
  uname(&name);
  return "millrace " + std::string(Version()) + ", " + name.sysname + " " + name.release + " " + name.machine + ", " +
         std::to_string(std::thread::hardware_concurrency()) + " processors";
}

std::string Method(const BenchArguments& a) {
  std::string text = a.mode + ", " + std::to_string(a.connections) +
                     (a.connections == 1 ? " connection" : " connections") + " with " + FormatCount(a.window) +
                     " unanswered each";
  if (a.mode == "batch") text += ", batches of " + FormatCount(a.batch);
  if (a.rate > 0) return text + ", open loop at " + FormatCount(static_cast<int64_t>(a.rate)) + " jobs/s";
  return text + ", closed loop";
}

struct Figures {
  const LoadResult& load;
  const DoneResult* done;  // nullptr with --floor.
  nanoseconds accept_time;
  nanoseconds done_time;
  int64_t done_jobs;
};

void PrintJson(const BenchArguments& a, const Figures& f) {
  JsonObject refused;
  for (const auto& [reason, count] : f.load.refused) refused.Add(reason, count);
  JsonObject object;
  object.Add("machine", Machine()).Add("mode", a.mode).Add("kind", a.kind).Add("jobs", a.jobs);
  object.Add("connections", a.connections).Add("window", a.window).Add("batch", a.batch).Add("rate", a.rate);
  object.Add("payloadBytes", *ParseBytes(a.payload_bytes)).Add("floor", a.floor);
  object.Add("durability", v1::Durability_Name(f.load.durability));
  object.Add("accepted", f.load.accepted).AddRaw("refused", refused.Take());
  object.Add("acceptedSeconds", Seconds(f.accept_time))
      .Add("acceptedPerSecond", PerSecond(f.load.accepted, f.accept_time));
  object.AddRaw("submitToAckSeconds", LatencyJson(f.load.latency));
  if (f.done) {
    object.Add("donePerSecond", PerSecond(f.done_jobs, f.done_time));
    object.AddRaw("submitToDoneSeconds", LatencyJson(f.done->latency));
    object.Add("sampledFailed", f.done->failed).Add("sampledUnknown", f.done->unknown);
    object.Add("clockOffsetSeconds", static_cast<double>(f.done->clock_offset_ns) / 1e9);
  }
  PrintLine(object.Take());
}

void PrintTable(const BenchArguments& a, const Figures& f) {
  PrintLine(Machine());
  PrintLine(FormatCount(a.jobs) + " jobs of kind " + a.kind + ", payload " + FormatBytes(*ParseBytes(a.payload_bytes)) +
            ", " + Method(a));
  if (f.load.durability != v1::DURABILITY_UNSPECIFIED)
    PrintLine("acknowledgement: " + v1::Durability_Name(f.load.durability));
  PrintLine("");
  Table table({"", ">P50", ">P99", ">P99.9", ">MAX", ">MEAN", ">JOBS"});
  table.Add(LatencyRow("submit to ack", f.load.latency));
  if (f.done) table.Add(LatencyRow("submit to done", f.done->latency));
  Print(table.Render());
  PrintLine("");
  PrintLine("accepted  " + FormatCount(static_cast<int64_t>(PerSecond(f.load.accepted, f.accept_time))) + " jobs/s  (" +
            FormatCount(f.load.accepted) + " in " + FormatDuration(f.accept_time) + ")");
  if (f.done && f.done->latency.count() > 0) {
    PrintLine("done      " + FormatCount(static_cast<int64_t>(PerSecond(f.done_jobs, f.done_time))) +
              " jobs/s  (until the last sampled job had finished)");
  }
  for (const auto& [reason, count] : f.load.refused)
    PrintLine("refused   " + FormatCount(count) + " " + Printable(reason));
  if (f.done && f.done->failed > 0) PrintLine("failed    " + FormatCount(f.done->failed) + " of the sampled jobs");
  if (f.done && f.done->unknown > 0) PrintLine("not known " + FormatCount(f.done->unknown) + " of the sampled jobs");
}

}  // namespace

ExitCode RunBench(Session& session, const BenchArguments& arguments) {
  Result<LoadOptions> load = MakeLoad(arguments);
  if (!load.ok()) return session.Fail(load.status());
  load->stop = session.stop();
  Result<Connections> connections = Connect(session.address(), arguments.connections);
  if (!connections.ok()) return session.Fail(connections.status());

  const int64_t warmup = arguments.warmup >= 0 ? arguments.warmup : std::min<int64_t>(arguments.jobs / 10, 10'000);
  if (warmup > 0) {
    LoadOptions warm = *load;
    warm.jobs = warmup;
    warm.rate = 0;
    DoneSampler sampler(session.client(), warmup, 1, session.stop());
    const auto result = RunLoad(*connections, warm, [&](const Acknowledged& job) {
      if (!arguments.floor) sampler.OnAcknowledged(job);
    });
    if (result->accepted == 0) return session.FailSubmit(result->first_error, load->request.spec());
    if (!arguments.floor) (void)sampler.Collect(session.TimeLeft());
  }

  std::optional<DoneSampler> sampler;
  if (!arguments.floor) sampler.emplace(session.client(), arguments.jobs, arguments.samples, session.stop());
  std::unique_ptr<LoadResult> result;
  {
    ProgressBar progress("submitting", arguments.jobs);
    std::atomic<int64_t> acknowledged{0};
    result = RunLoad(*connections, *load, [&](const Acknowledged& job) {
      if (sampler) sampler->OnAcknowledged(job);
      // Only now and then, so that the lock of the progress bar is not what is measured.
      if (const int64_t count = acknowledged.fetch_add(1, std::memory_order_relaxed) + 1; count % 1024 == 0)
        progress.Set(count);
    });
  }
  if (result->accepted == 0) return session.FailSubmit(result->first_error, load->request.spec());
  std::unique_ptr<DoneResult> done;
  if (sampler) done = sampler->Collect(session.TimeLeft());

  Figures figures{*result, done.get(), result->end - result->start, nanoseconds(0), result->accepted};
  if (done && done->last_finish_ns > 0)
    figures.done_time = nanoseconds(done->last_finish_ns - sampler->WallOf(result->start));
  if (session.json()) {
    PrintJson(arguments, figures);
  } else {
    PrintTable(arguments, figures);
  }
  if (session.interrupted()) return ExitCode::kInterrupted;
  if (!result->first_error.ok() && arguments.on_full == "wait")
    return session.FailSubmit(result->first_error, load->request.spec());
  return done && done->failed > 0 ? ExitCode::kJobFailed : ExitCode::kOk;
}

}  // namespace millrace::cli
