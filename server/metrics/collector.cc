#include "metrics/collector.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <chrono>
#include <initializer_list>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "base/units.h"
#include "base/version.h"
#include "metrics/names.h"

namespace millrace::metrics {
namespace {

// The families of one scrape, in the order in which they begin.
class Page {
 public:
  // The series that are added next belong to this metric.
  void Begin(const Metric& metric) {
    current_ = &metric;
    prometheus::MetricFamily family;
    family.name = metric.name;
    family.help = metric.help;
    family.type = metric.type == kCounter ? prometheus::MetricType::Counter
                  : metric.type == kGauge ? prometheus::MetricType::Gauge
                                          : prometheus::MetricType::Histogram;
    families_.push_back(std::move(family));
  }

  // `labels` are values, in the order of the names in the metric.
  template <typename Number>
  void Add(std::initializer_list<std::string_view> labels, Number value) {
    prometheus::ClientMetric& series = AddSeries(labels);
    (current_->type == kCounter ? series.counter.value : series.gauge.value) = static_cast<double>(value);
  }

  void Add(std::initializer_list<std::string_view> labels, const HistogramSnapshot& histogram) {
    prometheus::ClientMetric& series = AddSeries(labels);
    uint64_t total = 0;
    for (size_t i = 0; i < histogram.bounds.size(); ++i) {
      total += histogram.counts[i];
      series.histogram.bucket.push_back({total, histogram.bounds[i]});
    }
    // The count is the sum of the buckets, so that it is never below a bucket while others observe.
    series.histogram.sample_count = total + (histogram.counts.empty() ? 0 : histogram.counts.back());
    series.histogram.sample_sum = histogram.sum;
  }

  template <typename Value>
  void Single(const Metric& metric, const Value& value) {
    Begin(metric);
    Add({}, value);
  }

  // Without a value the metric is there, but it has no series.
  template <typename Number>
  void Single(const Metric& metric, const std::optional<Number>& value) {
    Begin(metric);
    if (value) Add({}, *value);
  }

  std::string Text() const { return prometheus::TextSerializer().Serialize(families_); }

 private:
  prometheus::ClientMetric& AddSeries(std::initializer_list<std::string_view> labels) {
    prometheus::ClientMetric& series = families_.back().metric.emplace_back();
    std::string_view names = current_->labels;
    for (std::string_view value : labels) {
      size_t comma = names.find(',');
      series.label.push_back({std::string(names.substr(0, comma)), std::string(value)});
      names = comma == std::string_view::npos ? std::string_view() : names.substr(comma + 1);
    }
    return series;
  }

  const Metric* current_ = nullptr;
  std::vector<prometheus::MetricFamily> families_;
};

template <typename Value>
void AddPools(Page* page, const Metric& metric, const std::vector<dispatch::PoolStats>& pools, Value value) {
  page->Begin(metric);
  for (const auto& pool : pools) page->Add({pool.status.name}, value(pool));
}

// `add` is called with the pool's name and each of its kinds.
template <typename F>
void AddKinds(Page* page, const Metric& metric, const std::vector<dispatch::PoolStats>& pools, F add) {
  page->Begin(metric);
  for (const auto& pool : pools) {
    for (const auto& kind : pool.kinds) add(pool.status.name, kind);
  }
}

void AddPoolGauges(Page* page, const std::vector<dispatch::PoolStats>& pools) {
  using Pool = dispatch::PoolStats;
  page->Begin(kPoolQueueJobs);
  for (const Pool& pool : pools) {
    for (size_t band = 0; band < kBands; ++band) {
      page->Add({pool.status.name, Label(static_cast<Band>(band))}, pool.status.bands[band]);
    }
  }
  AddPools(page, kPoolQueueBytes, pools, [](const Pool& pool) { return pool.status.queued_bytes; });
  AddPools(page, kPoolCapacityJobs, pools, [](const Pool& pool) { return pool.status.capacity_jobs; });
  AddPools(page, kPoolCapacityBytes, pools, [](const Pool& pool) { return pool.status.capacity_bytes; });
  AddPools(page, kPoolScheduledJobs, pools, [](const Pool& pool) { return pool.status.scheduled_jobs; });
  AddPools(page, kPoolWaitingSubmits, pools, [](const Pool& pool) { return pool.status.waiting_submits; });
  AddPools(page, kPoolWorkers, pools, [](const Pool& pool) { return pool.status.workers; });
  AddPools(page, kPoolWorkersBusy, pools, [](const Pool& pool) { return pool.status.workers_busy; });
  page->Begin(kPoolState);
  constexpr std::pair<dispatch::PoolState, const char*> kStates[] = {{dispatch::PoolState::kActive, "active"},
                                                                     {dispatch::PoolState::kPaused, "paused"},
                                                                     {dispatch::PoolState::kDraining, "draining"},
                                                                     {dispatch::PoolState::kDrained, "drained"},
                                                                     {dispatch::PoolState::kMissing, "missing"}};
  for (const Pool& pool : pools) {
    for (const auto& [state, label] : kStates) page->Add({pool.status.name, label}, pool.status.state == state ? 1 : 0);
  }
  AddPools(page, kOldestQueuedAge, pools,
           [](const Pool& pool) { return Seconds(pool.status.oldest_queued_age.value_or(Nanos(0))); });

  AddPools(page, kPoolSpeedup, pools, [](const Pool& pool) { return pool.status.efficiency.speedup; });
  AddPools(page, kPoolEfficiency, pools, [](const Pool& pool) { return pool.status.efficiency.efficiency; });
  AddPools(page, kPoolUtilization, pools, [](const Pool& pool) { return pool.status.efficiency.utilization; });
  AddPools(page, kPoolUsefulSeconds, pools, [](const Pool& pool) { return Seconds(pool.work.useful); });
  page->Begin(kPoolLostSeconds);
  for (const Pool& pool : pools) {
    page->Add({pool.status.name, "runnable"}, Seconds(pool.work.lost_runnable));
    page->Add({pool.status.name, "blocked"}, Seconds(pool.work.lost_blocked));
  }
}

void AddJobs(Page* page, const dispatch::DispatchStats& stats) {
  page->Begin(kJobsSubmitted);
  for (const auto& pool : stats.pools) {
    for (size_t i = 0; i < dispatch::kSubmitResults; ++i) {
      page->Add({pool.status.name, Label(static_cast<dispatch::SubmitResult>(i))}, pool.submitted[i]);
    }
  }
  page->Single(kJobsUnroutable, stats.unknown_pool);
  AddKinds(page, kJobsFinished, stats.pools, [&](const auto& pool, const auto& kind) {
    for (size_t i = 0; i < kJobStates; ++i) {
      auto state = static_cast<JobState>(i);
      if (IsTerminal(state)) page->Add({pool, kind.kind, Label(state)}, kind.finished[i]);
    }
  });
  AddKinds(page, kJobAttempts, stats.pools, [&](const auto& pool, const auto& kind) {
    for (size_t i = 0; i < dispatch::kAttemptResults; ++i) {
      auto result = static_cast<AttemptResult>(i);
      if (result != AttemptResult::kRunning) page->Add({pool, kind.kind, Label(result)}, kind.attempts[i]);
    }
  });
  AddPools(page, kStartsRefused, stats.pools, [](const auto& pool) { return pool.starts_refused; });
  AddPools(page, kJobWait, stats.pools, [](const auto& pool) { return pool.wait_seconds; });
  AddKinds(page, kJobRun, stats.pools, [&](const auto& pool, const auto& kind) {
    page->Add({pool, kind.kind}, kind.run_seconds);
  });

  page->Begin(kJobs);
  for (size_t i = 0; i < kJobStates; ++i) page->Add({Label(static_cast<JobState>(i))}, stats.jobs[i]);
  page->Single(kRemoteWorkers, stats.remote_workers);
  page->Single(kLateResults, stats.late_results);
  page->Single(kDeadLetterJobs, stats.dead_letter_jobs);
  page->Begin(kJobsTrimmed);
  page->Add({"finished"}, stats.trimmed_finished);
  page->Add({"dead_letter"}, stats.trimmed_dead_letters);
  page->Single(kMissingPoolJobs, stats.missing_pool_jobs);
  page->Single(kPayloadBytes, stats.process_bytes);
  page->Single(kPayloadCapacityBytes, stats.process_bytes_max);
  page->Single(kRequestIds, stats.request_ids);
  page->Single(kRequestIdsDropped, stats.request_ids_dropped);
  page->Single(kWaitingBytes, stats.waiting_bytes);
  page->Single(kDraining, stats.draining ? 1 : 0);
  page->Begin(kStoreInfo);
  page->Add({stats.durability == Durability::kFsync      ? "fsync"
             : stats.durability == Durability::kInterval ? "interval"
                                                         : "none"},
            1);
  page->Single(kStoreCommit, stats.journal.commit_seconds);
  page->Single(kStoreFsync, stats.journal.fsync_seconds);
  page->Single(kStoreBatch, stats.journal.batch_records);
  page->Begin(kStoreErrors);
  page->Add({"open"}, stats.journal.open_errors);
  page->Add({"write"}, stats.journal.write_errors);
  page->Add({"sync"}, stats.journal.sync_errors);
  page->Add({"background"}, stats.journal.background_errors);
  page->Add({"read"}, stats.journal.read_errors);
  page->Single(kStoreFailing, stats.journal.failing ? 1 : 0);
}

void AddScheduler(Page* page, const rt::RuntimeStats& stats) {
  page->Begin(kSwitches);
  page->Add({"voluntary"}, stats.switches_voluntary);
  page->Add({"preempted"}, stats.switches_preempted);
  page->Add({"handoff"}, stats.switches_handoff);
  page->Single(kSwitchSeconds, stats.switch_seconds);
  page->Single(kSteals, stats.steals);
  page->Single(kStolenFibers, stats.fibers_stolen);
  page->Single(kProcs, stats.procs);
  page->Single(kIdleProcs, stats.procs_idle);
  page->Begin(kMachines);
  page->Add({"running"}, std::max(0, stats.machines - stats.machines_spinning - stats.machines_idle));
  page->Add({"spinning"}, stats.machines_spinning);
  page->Add({"idle"}, stats.machines_idle);
  page->Single(kMachineWakeups, stats.machine_wakeups);
  page->Begin(kFibers);
  page->Add({"running"}, stats.fibers_running);
  page->Add({"runnable"}, stats.fibers_runnable);
  page->Add({"parked"}, stats.fibers_parked);
  page->Single(kFibersStarted, stats.fibers_started);
  page->Single(kRunQueueFibers, stats.fibers_runnable);

  HistogramSnapshot wait;
  for (int64_t nanos : rt::kWaitBucketNanos) wait.bounds.push_back(static_cast<double>(nanos) / 1e9);
  wait.counts.assign(stats.wait_buckets.begin(), stats.wait_buckets.end());
  wait.sum = stats.wait_seconds_sum;
  page->Single(kSchedulerWait, wait);
  page->Single(kTimersFired, stats.timers_fired);
}

void AddCalls(Page* page, const rpc::CallStats& calls) {
  page->Begin(kGrpcRequests);
  for (const rpc::MethodInfo& method : rpc::kMethodTable) {
    for (int c = 0; c < rpc::kStatusCodes && method.counted; ++c) {
      const auto code = static_cast<StatusCode>(c);
      page->Add({method.name, ToString(code)}, calls.Requests(method.method, code));
    }
  }
  page->Begin(kGrpcSeconds);
  for (const rpc::MethodInfo& method : rpc::kMethodTable) {
    if (method.counted) page->Add({method.name}, calls.Seconds(method.method));
  }
}

void AddServer(Page* page, const rpc::ServerStats& stats) {
  page->Single(kGrpcConnections, stats.connections.open);
  page->Single(kGrpcConnectionsAccepted, stats.connections.accepted);
  page->Single(kGrpcConnectionsRefused, stats.connections.refused);
  page->Single(kGrpcAcceptShortages, stats.connections.shortages);
  page->Single(kGrpcCallBytes, stats.call_bytes);
  page->Single(kGrpcCallBytesMax, stats.call_bytes_max);
}

void AddProcess(Page* page, const ProcessStats& process) {
  page->Begin(kBuildInfo);
  page->Add({Version(), "gcc " __VERSION__}, 1);
  page->Single(kProcessCpu, process.cpu_seconds);
  page->Single(kProcessResident, process.resident_bytes);
  page->Single(kProcessVirtual, process.virtual_bytes);
  page->Single(kProcessOpenFds, process.open_fds);
  page->Single(kProcessMaxFds, process.max_fds);
  page->Single(kProcessStart, process.start_seconds);
}

}  // namespace

std::string Collector::Text() {
  Page page;
  const dispatch::DispatchStats dispatch = sources_.dispatch();
  AddPoolGauges(&page, dispatch.pools);
  AddJobs(&page, dispatch);
  AddScheduler(&page, sources_.runtime());
  AddCalls(&page, *sources_.calls);
  AddServer(&page, sources_.server ? sources_.server() : rpc::ServerStats());
  AddProcess(&page, process_.Read());
  return page.Text();
}

}  // namespace millrace::metrics
