#include "config/bindings.h"

#include <algorithm>
#include <climits>
#include <iterator>

#include "job/retry.h"

namespace millrace::config {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Nanos kYear = hours(24 * 366);
constexpr int64_t kTebibyte = int64_t{1} << 40;
constexpr int64_t kJobsMax = 1'000'000'000;

}  // namespace

ConfigBinding::ConfigBinding(Config* config) {
  server.Listen("grpc_address", &config->grpc_address);
  server.Listen("http_address", &config->http.address);
  server.Integer("connections_max", &config->connections_max, 0, 1'000'000);
  server.Budget("call_bytes_max", &config->call_bytes_max, 1 << 20, kTebibyte);
  server.Boolean("insecure", &config->insecure);
  server.Choice(
      "store", {"auto", "memory", "rocksdb"}, [config](size_t i) { config->store = static_cast<StoreKind>(i); },
      [config] { return static_cast<size_t>(config->store); });
  server.Text("data_dir", &config->data_dir);
  constexpr Durability kAcks[] = {Durability::kFsync, Durability::kInterval, Durability::kNone};
  server.Choice(
      "ack", {"fsync", "interval", "none"}, [config, kAcks](size_t i) { config->ack = kAcks[i]; },
      [config, kAcks] {
        return static_cast<size_t>(std::find(std::begin(kAcks), std::end(kAcks), config->ack) - std::begin(kAcks));
      });
  server.Duration("ack_interval", &config->ack_interval, milliseconds(1), seconds(60));
  server.Duration("drain_timeout", &config->drain_timeout, Nanos(0), hours(24));

  log.Choice(
      "level", {"debug", "info", "warning", "error"},
      [config](size_t i) { config->log_level = static_cast<LogLevel>(i); },
      [config] { return static_cast<size_t>(config->log_level); });
  log.Choice(
      "format", {"text", "json"}, [config](size_t i) { config->log_format = static_cast<LogFormat>(i); },
      [config] { return static_cast<size_t>(config->log_format); });

  runtime.Integer("procs", &config->runtime.procs, 0, rt::kMaxProcs);
  runtime.Size("stack_bytes", &config->runtime.stack_bytes, 16 << 10, 1 << 30);
  runtime.Duration("report_blocked_longer", &config->runtime.report_blocked_longer, Nanos(0), hours(24));

  dispatch::DispatcherOptions& options = config->jobs;
  jobs.Size("payload_bytes_max", &options.payload_bytes_max, 1, 64 << 20);
  jobs.Budget("process_bytes_max", &options.process_bytes_max, 1 << 20, kTebibyte);
  jobs.Budget("hot_bytes_max", &options.hot_bytes_max, 0, kTebibyte);
  jobs.Budget("waiting_bytes_max", &options.waiting_bytes_max, 0, kTebibyte);
  jobs.Budget("request_ids_bytes_max", &options.request_ids_bytes_max, 0, kTebibyte);
  jobs.Integer("batch_jobs_max", &options.batch_jobs_max, 1, 100'000);
  jobs.Duration("finished_age_max", &options.finished_age_max, Nanos(0), kYear);
  jobs.Integer("finished_jobs_max", &options.finished_jobs_max, 0, kJobsMax);
  jobs.Budget("finished_bytes_max", &options.finished_bytes_max, 0, kTebibyte);
  jobs.Duration("finished_age_min", &options.finished_age_min, Nanos(0), kYear);
  jobs.Duration("dead_letter_age_max", &options.dead_letter_age_max, Nanos(0), 10 * kYear);
  jobs.Integer("dead_letter_jobs_max", &options.dead_letter_jobs_max, 0, kJobsMax);
  jobs.Budget("dead_letter_bytes_max", &options.dead_letter_bytes_max, 0, kTebibyte);
  jobs.Integer("losses_max", &options.losses_max, 1, 1000);
  jobs.Integer("events_kept", &options.events_kept, 1, 100'000'000);
}

Section* ConfigBinding::Find(std::string_view section) {
  for (Section* each : {&server, &log, &runtime, &jobs}) {
    if (each->path() == section) return each;
  }
  return nullptr;
}

PoolBinding::PoolBinding(dispatch::PoolOptions* pool) : section("pool." + TomlKey(pool->name)) {
  section.Text("runner", &pool->runner);
  section.Integer("workers", &pool->workers, 1, dispatch::kPoolWorkersMax);
  section.Integer("capacity", &pool->capacity_jobs, 0, dispatch::kPoolCapacityMax);
  section.Size("capacity_bytes", &pool->capacity_bytes, 1, kTebibyte);
}

KindBinding::KindBinding(ExecKind* kind)
    : section("kind." + TomlKey(kind->options.name)),
      limits(section.path() + ".limits"),
      retry(section.path() + ".retry") {
  section.Text("pool", &kind->options.pool);
  section.TextList("exec", &kind->exec.argv);
  section.TextMap("env", &kind->exec.env);
  section.Text("cwd", &kind->exec.directory);
  section.Duration("timeout", &kind->options.run_timeout, milliseconds(1), kYear);
  section.Duration("grace", &kind->exec.grace, Nanos(0), hours(1));
  section.IntegerList("no_retry_exit_codes", &kind->exec.no_retry_exit_codes, 1, 255);

  io::ProcessLimits& limit = kind->exec.limits;
  limits.Integer("cpu_seconds", &limit.cpu_seconds, 1, INT_MAX);
  limits.Size("memory", &limit.address_space_bytes, 1 << 20, kTebibyte);
  limits.Size("file_size", &limit.file_bytes, 0, kTebibyte);
  limits.Integer("open_files", &limit.open_files, 8, 1 << 20);
  limits.Integer("processes", &limit.processes, 1, 1 << 22);
  section.Table("limits", &limits);

  RetryOverrides& overrides = kind->options.retry;
  retry.Integer("max_attempts", &overrides.max_attempts, 1, kMaxAttemptsLimit);
  retry.Duration("initial_backoff", &overrides.initial_backoff, Nanos(0), kYear);
  retry.Duration("max_backoff", &overrides.max_backoff, Nanos(0), kYear);
  retry.Number("multiplier", &overrides.multiplier, 1, kMultiplierLimit);
  section.Table("retry", &retry);
}

}  // namespace millrace::config
