#include "config/bindings.h"

#include <algorithm>
#include <iterator>
#include <variant>

#include "base/check.h"
#include "config/exec_kind.h"
#include "config/kind_schema.h"
#include "job/retry.h"

namespace millrace::config {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Nanos kYear = hours(24 * 366);
constexpr int64_t kTebibyte = int64_t{1} << 40;
constexpr int64_t kJobsMax = 1'000'000'000;

void BindServer(Config* config, Section* section) {
  section->Listen("grpc_address", &config->grpc_address);
  section->Listen("http_address", &config->http.address);
  section->Integer("connections_max", &config->connections_max, 0, 1'000'000);
  section->Budget("call_bytes_max", &config->call_bytes_max, 1 << 20, kTebibyte);
  section->Boolean("insecure", &config->insecure);
  section->Choice(
      "store", {"auto", "memory", "rocksdb"}, [config](size_t i) { config->store = static_cast<StoreKind>(i); },
      [config] { return static_cast<size_t>(config->store); });
  section->Text("data_dir", &config->data_dir);
  static constexpr Durability kAcks[] = {Durability::kFsync, Durability::kInterval, Durability::kNone};
  section->Choice(
      "ack", {"fsync", "interval", "none"}, [config](size_t i) { config->ack = kAcks[i]; },
      [config] {
        return static_cast<size_t>(std::find(std::begin(kAcks), std::end(kAcks), config->ack) - std::begin(kAcks));
      });
  section->Duration("ack_interval", &config->ack_interval, milliseconds(1), seconds(60));
  section->Duration("drain_timeout", &config->drain_timeout, Nanos(0), hours(24));
}

void BindLog(Config* config, Section* section) {
  section->Choice(
      "level", {"debug", "info", "warning", "error"},
      [config](size_t i) { config->log_level = static_cast<LogLevel>(i); },
      [config] { return static_cast<size_t>(config->log_level); });
  section->Choice(
      "format", {"text", "json"}, [config](size_t i) { config->log_format = static_cast<LogFormat>(i); },
      [config] { return static_cast<size_t>(config->log_format); });
}

void BindRuntime(Config* config, Section* section) {
  section->Integer("procs", &config->runtime.procs, 0, rt::kMaxProcs);
  section->Size("stack_bytes", &config->runtime.stack_bytes, 16 << 10, 1 << 30);
  section->Duration("report_blocked_longer", &config->runtime.report_blocked_longer, Nanos(0), hours(24));
}

void BindJobs(Config* config, Section* section) {
  dispatch::DispatcherOptions& options = config->jobs;
  section->Size("payload_bytes_max", &options.payload_bytes_max, 1, 64 << 20);
  section->Size("result_bytes_max", &options.result_bytes_max, kResultBytesMax, 64 << 20);
  section->Budget("process_bytes_max", &options.process_bytes_max, 1 << 20, kTebibyte);
  section->Budget("hot_bytes_max", &options.hot_bytes_max, 0, kTebibyte);
  section->Budget("waiting_bytes_max", &options.waiting_bytes_max, 0, kTebibyte);
  section->Budget("request_ids_bytes_max", &options.request_ids_bytes_max, 0, kTebibyte);
  section->Integer("batch_jobs_max", &options.batch_jobs_max, 1, 100'000);
  section->Duration("finished_age_max", &options.finished_age_max, Nanos(0), kYear);
  section->Integer("finished_jobs_max", &options.finished_jobs_max, 0, kJobsMax);
  section->Budget("finished_bytes_max", &options.finished_bytes_max, 0, kTebibyte);
  section->Duration("finished_age_min", &options.finished_age_min, Nanos(0), kYear);
  section->Duration("dead_letter_age_max", &options.dead_letter_age_max, Nanos(0), 10 * kYear);
  section->Integer("dead_letter_jobs_max", &options.dead_letter_jobs_max, 0, kJobsMax);
  section->Budget("dead_letter_bytes_max", &options.dead_letter_bytes_max, 0, kTebibyte);
  section->Integer("losses_max", &options.losses_max, 1, 1000);
  section->Integer("events_kept", &options.events_kept, 1, 100'000'000);
}

void BindWorkers(Config* config, Section* section) {
  dispatch::LeaseOptions& options = config->jobs.leases;
  section->Duration("lease", &options.lease, seconds(1), hours(24));
  section->Duration("accept_within", &options.accept_within, milliseconds(100), hours(1));
  section->Duration("resume_grace", &options.resume_grace, Nanos(0), hours(1));
  section->Duration("finish_within", &options.finish_within, milliseconds(100), hours(24));
}

struct ModuleSection {
  const char* name;
  void (*bind)(Config* config, Section* section);
};
// In the order in which they are printed.
constexpr ModuleSection kSections[] = {
    {"server", BindServer}, {"log", BindLog}, {"runtime", BindRuntime}, {"jobs", BindJobs}, {"workers", BindWorkers}};

}  // namespace

ConfigBinding::ConfigBinding(Config* config) {
  for (const ModuleSection& module : kSections) {
    module.bind(config, sections_.emplace_back(std::make_unique<Section>(module.name)).get());
  }
}

Section* ConfigBinding::Find(std::string_view section) {
  auto found =
      std::find_if(sections_.begin(), sections_.end(), [&](const auto& each) { return each->path() == section; });
  return found == sections_.end() ? nullptr : found->get();
}

const Section& ConfigBinding::Get(std::string_view section) {
  const Section* found = Find(section);
  MR_CHECK(found != nullptr, "no section [%s]", std::string(section).c_str());
  return *found;
}

PoolBinding::PoolBinding(dispatch::PoolOptions* pool) : section("pool." + TomlKey(pool->name)) {
  section.Text("runner", &pool->runner);
  section.Integer("workers", &pool->workers, 1, dispatch::kPoolWorkersMax);
  section.Integer("capacity", &pool->capacity_jobs, 0, dispatch::kPoolCapacityMax);
  section.Size("capacity_bytes", &pool->capacity_bytes, 1, kTebibyte);
}

KindBinding::KindBinding(KindConfig* kind)
    : section("kind." + TomlKey(kind->options.name)), retry(section.path() + ".retry") {
  section.Text("pool", &kind->options.pool);
  std::visit([this](auto& options) { schema = std::make_shared<KindSchemaOf<decltype(options)>>(&options, &section); },
             kind->runs);
  section.Duration("timeout", &kind->options.run_timeout, milliseconds(1), kYear);

  RetryOverrides& overrides = kind->options.retry;
  retry.Integer("max_attempts", &overrides.max_attempts, 1, kMaxAttemptsLimit);
  retry.Duration("initial_backoff", &overrides.initial_backoff, Nanos(0), kYear);
  retry.Duration("max_backoff", &overrides.max_backoff, Nanos(0), kYear);
  retry.Number("multiplier", &overrides.multiplier, 1, kMultiplierLimit);
  section.Table("retry", &retry);
}

void ForEachSection(Config* config, const std::function<void(const Section&)>& visit) {
  const ConfigBinding binding(config);
  for (const auto& section : binding.sections()) visit(*section);
  for (dispatch::PoolOptions& pool : config->pools) visit(PoolBinding(&pool).section);
  for (KindConfig& kind : config->kinds) visit(KindBinding(&kind).section);
}

}  // namespace millrace::config
