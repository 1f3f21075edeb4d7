#include "daemon.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cinttypes>
#include <cstring>
#include <future>
#include <memory>
#include <string>
#include <system_error>
#include <thread>
#include <variant>

#include "base/clock.h"
#include "base/log.h"
#include "base/open_files.h"
#include "base/units.h"
#include "base/version.h"
#include "dispatch/dispatcher.h"
#include "end_signals.h"
#include "io/process.h"
#include "io/process_tree.h"
#include "metrics/collector.h"
#include "pages/routes.h"
#include "process_mark.h"
#include "rpc/server.h"
#include "runners/builtin.h"
#include "runners/exec.h"
#include "runners/native.h"
#include "runners/remote.h"
#include "runtime/park.h"
#include "runtime/runtime.h"
#include "store/store.h"
#include "web/pages.h"
#include "web/server.h"

namespace millrace {
namespace {

// For calls in flight when everything they wait for has been answered.
constexpr auto kRpcGrace = std::chrono::seconds(2);

// What the log of a start tells one by one: pools, and kinds of a pool.
constexpr size_t kListedMax = 50;

// For processes that an earlier daemon left and that are killed: those that hang in the kernel are not waited for.
constexpr auto kLeftoversPatience = std::chrono::seconds(10);

// Half of the descriptors that are left when all else has its own; the other half is for what comes later: files of the
// store, programs that jobs start, /metrics.
int ConnectionsMax(const config::Config& config) {
  if (config.connections_max > 0) return config.connections_max;
  return static_cast<int>(std::clamp<int64_t>(OpenFilesLeft() / 2, 4, 10'000));
}

Result<std::unique_ptr<store::Store>> OpenStore(const config::Config& config) {
  const bool in_memory = config.store == config::StoreKind::kMemory;
  return store::OpenStore({.engine = in_memory ? store::Engine::kMemory : store::Engine::kRocks,
                           .data_dir = config.data_dir,
                           .journal = {.durability = config.ack, .interval = config.ack_interval},
                           .buffer_bytes = config.store_buffer_bytes});
}

// No process of an earlier attempt lives when the next one starts.
void EndLeftovers(const std::string& mark) {
  const size_t left = io::EndMarked(mark, kLeftoversPatience);
  if (left > 0) {
    LogWarning(
        "%zu processes that jobs of an earlier daemon started do not end when they are killed; their jobs run again",
        left);
  }
}

class Daemon {
 public:
  Daemon(const config::Config& config, std::unique_ptr<store::Store> store, ProcessMark mark, EndSignals& signals)
      : config_(config),
        signals_(signals),
        store_(std::move(store)),
        mark_(std::move(mark)),
        runtime_(config.runtime),
        process_host_({.adopt = true, .mark = mark_.text()}),
        exec_(process_host_),
        remote_(RemoteOf(config)),
        dispatcher_({runtime_, clock_, store_->journal(), Runners(), store_->pool_memory(),
                     [this](const Status& status) { LoseStore(status); }},
                    config.jobs),
        collector_({.dispatch = [this] { return dispatcher_.Stats(); },
                    .runtime = [this] { return runtime_.Stats(); },
                    .calls = &calls_,
                    .server = [this] { return rpc_->Stats(); }}) {}

  ~Daemon() {
    if (fibers_.joinable()) fibers_.join();
  }

  int Run() {
    if (Status status = Start(); !status.ok()) {
      LogError("cannot start: %s", status.message().c_str());
      Stop(Nanos(0));
      return kExitNotStarted;
    }
    LogStarted();
    AwaitSignal();
    if (!store_lost_.load()) return Stop(config_.drain_timeout);
    Stop(Nanos(0));  // What ends from now on cannot be written down.
    return kExitStoreLost;
  }

 private:
  static std::optional<runners::RemoteRunner> RemoteOf(const config::Config& config) {
    // Jobs that name no pool go there, where nothing of the daemon knows their kind.
    const dispatch::PoolOptions* home = nullptr;
    for (const dispatch::PoolOptions& pool : config.pools) {
      if (pool.runner != runners::RemoteRunner::kName) continue;
      if (home == nullptr || pool.name == dispatch::kDefaultPool) home = &pool;
    }
    if (home == nullptr) return std::nullopt;
    return std::optional<runners::RemoteRunner>(std::in_place, home->name);
  }

  // The last one knows every kind.
  std::vector<dispatch::Runner*> Runners() {
    std::vector<dispatch::Runner*> runners = {&native_, &exec_};
    if (remote_) runners.push_back(&*remote_);
    return runners;
  }

  Status Start() {
    MR_RETURN_IF_ERROR(runners::RegisterBuiltins(native_));
    for (const auto& kind : config_.kinds) {
      dispatch::KindOptions options = kind.options;
      if (options.pool.empty()) options.pool = "default";
      MR_RETURN_IF_ERROR(exec_.Register(std::move(options), std::get<runners::ExecOptions>(kind.runs)));
    }
    for (const auto& pool : config_.pools) MR_RETURN_IF_ERROR(dispatcher_.AddPool(pool));

    std::promise<Status> started;
    fibers_ = std::thread([this, &started] {
      runtime_.Run({.name = "main", .urgent = true}, [this, &started] { MainFiber(&started); });
    });
    MR_RETURN_IF_ERROR(started.get_future().get());
    dispatching_ = true;

    const int connections_max = ConnectionsMax(config_);
    auto rpc = rpc::Server::Start(runtime_, dispatcher_, calls_,
                                  {.address = config_.grpc_address.ToString(),
                                   .message_bytes_max = std::max(rpc::ServerOptions().message_bytes_max,
                                                                 config_.jobs.payload_bytes_max + (1 << 20)),
                                   .connections_max = connections_max,
                                   .connections_per_address_max = connections_max / 2,
                                   .call_bytes_max = static_cast<size_t>(config_.call_bytes_max),
                                   .backups = store_->backups()});
    MR_RETURN_IF_ERROR(rpc.status());
    rpc_ = std::move(rpc).value();
    store_->WatchHealth([this](const Status& health) { rpc_->SetAccepting(health.ok()); });

    auto web = web::Server::Start(config_.http, pages::MakeRoutes(PageSources()));
    MR_RETURN_IF_ERROR(web.status());
    web_ = std::move(web).value();
    return OkStatus();
  }

  pages::Sources PageSources() {
    return {.grpc_address = rpc_->address(),
            .store = store_->Name(),
            .health = [this] { return HealthNow(); },
            .processors = [this] { return runtime_.procs(); },
            .pools = [this] { return dispatcher_.Pools(); },
            .metrics =
                [this] {
                  return web::Response{.content_type = metrics::Collector::kContentType, .body = collector_.Text()};
                }};
  }

  pages::Health HealthNow() const {
    if (draining_.load()) return {.draining = true};  // rpc_ is not asked while it stops.
    return {.store = store_->Health(), .reachable = rpc_->Reachable()};
  }

  // The fiber whose end ends the runtime. It waits for the other side of the daemon, which is a plain thread.
  void MainFiber(std::promise<Status>* started) {
    Status status = dispatcher_.Start();
    const bool ok = status.ok();
    started->set_value(std::move(status));
    if (!ok) return;
    drain_.Wait(rt::WaitReason::kExternal);
    report_ = dispatcher_.Stop(grace_);
    drained_.store(true);
    drained_.notify_all();
    end_.Wait(rt::WaitReason::kExternal);
  }

  void LogStarted() {
    if (config_.insecure && !(config_.grpc_address.IsLoopback() && config_.http.address.IsLoopback())) {
      LogWarning(
          "other machines can connect, and there is no authentication: whoever reaches this port can submit and see "
          "jobs");
    }
    if (!store_->OutlivesProcess())
      LogWarning("jobs are kept in memory and are gone when this process ends; --data-dir DIR keeps them");
    LogRecovered();
    const std::vector<dispatch::PoolStatus> pools = dispatcher_.Pools();
    for (size_t i = 0; i < std::min(pools.size(), kListedMax); ++i) {
      const dispatch::PoolStatus& pool = pools[i];
      std::string kinds;
      for (size_t k = 0; k < std::min(pool.kinds.size(), kListedMax); ++k)
        kinds += (k == 0 ? "" : ", ") + pool.kinds[k];
      if (pool.kinds.size() > kListedMax) kinds += " and " + std::to_string(pool.kinds.size() - kListedMax) + " more";
      LogInfo("pool '%s': %s, %d workers, room for %" PRId64 " jobs and %s; kinds: %s", pool.name.c_str(),
              pool.runner.c_str(), pool.workers, pool.capacity_jobs, FormatSize(pool.capacity_bytes).c_str(),
              kinds.empty() ? "none" : kinds.c_str());
    }
    if (pools.size() > kListedMax)
      LogInfo("and %zu more pools; `millrace pools list` shows all", pools.size() - kListedMax);
    LogInfo("millraced %s is ready: gRPC on %s, HTTP on %s, store %s, %zu pools, %d processors", Version(),
            rpc_->address().c_str(), web_->address().ToString().c_str(), store_->Name().c_str(), config_.pools.size(),
            runtime_.procs());
  }

  void LogRecovered() {
    if (!store_->OutlivesProcess()) return;
    const dispatch::DispatchStats stats = dispatcher_.Stats();
    auto count = [&](JobState state) { return stats.jobs[static_cast<size_t>(state)]; };
    int64_t ended = 0;
    for (int state = 0; state < kJobStates; ++state) {
      if (IsTerminal(static_cast<JobState>(state))) ended += stats.jobs[static_cast<size_t>(state)];
    }
    LogInfo("found in the store: %" PRId64 " queued or running, %" PRId64 " scheduled, %" PRId64 " finished jobs",
            count(JobState::kQueued) + count(JobState::kRunning), count(JobState::kScheduled), ended);
  }

  void AwaitSignal() {
    const int signal = signals_.Await();
    if (signal == 0) return;  // LoseStore
    int busy = 0;
    for (const auto& pool : dispatcher_.Pools()) busy += pool.workers_busy;
    LogInfo("SIG%s: draining, up to %s for %d running jobs; a second signal ends at once", sigabbrev_np(signal),
            FormatDuration(config_.drain_timeout).c_str(), busy);
  }

  // On any thread.
  void LoseStore(const Status& status) {
    LogError("%s; this daemon ends", status.message().c_str());
    store_lost_.store(true);
    signals_.Wake();
  }

  // In the order that rpc/server.h asks for: health, dispatcher, gRPC. Also what is left of a start that failed.
  int Stop(Nanos grace) {
    draining_.store(true);
    if (rpc_ != nullptr) rpc_->SetServing(false);
    if (dispatching_) {
      grace_ = grace;
      drain_.Wake();
      drained_.wait(false);
    }
    const bool was_serving = web_ != nullptr;
    store_->WatchHealth({});
    if (rpc_ != nullptr) rpc_->Stop(kRpcGrace);
    web_.reset();
    process_host_.Stop();
    if (dispatching_) end_.Wake();
    if (fibers_.joinable()) fibers_.join();
    // Only what follows from a commit is still appended: a start that was taken back. All of that is committed, and
    // whoever waits for it answered, before the dispatcher goes.
    store_->Stop();
    if (was_serving) {
      if (report_.queued > 0 && !store_->OutlivesProcess())
        LogWarning("%" PRId64 " jobs are gone with the memory store", report_.queued);
      LogInfo("drained: %" PRId64 " finished, %" PRId64 " handed back, %" PRId64 " left queued", report_.finished,
              report_.released, report_.queued);
    }
    return kExitDrained;
  }

  const config::Config& config_;
  EndSignals& signals_;

  // In the order of the tree; each knows those above it only.
  SystemClock clock_;
  const std::unique_ptr<store::Store> store_;
  ProcessMark mark_;
  rt::Runtime runtime_;
  io::ProcessHost process_host_;
  runners::NativeRunner native_;
  runners::ExecRunner exec_;
  std::optional<runners::RemoteRunner> remote_;  // Where a pool asks for it: else a kind that nobody knows is refused.
  dispatch::Dispatcher dispatcher_;
  rpc::CallStats calls_;
  std::unique_ptr<rpc::Server> rpc_;
  metrics::Collector collector_;
  std::unique_ptr<web::Server> web_;

  std::thread fibers_;
  bool dispatching_ = false;
  std::atomic<bool> draining_{false};
  std::atomic<bool> drained_{false};  // The dispatcher has stopped.
  std::atomic<bool> store_lost_{false};
  // Between Stop and the main fiber: Stop writes grace_ before drain_ is woken, the fiber report_ before drained_.
  rt::Parker drain_, end_;
  Nanos grace_{0};
  dispatch::Dispatcher::DrainReport report_;
};

}  // namespace

namespace {

int OpenAndRun(const config::Config& config, EndSignals& signals) {
  Result<std::unique_ptr<store::Store>> store = OpenStore(config);
  if (!store.ok()) {
    LogError("cannot start: %s", store.status().message().c_str());
    return kExitNotStarted;
  }
  Result<ProcessMark> mark = ProcessMark::Open(config.data_dir);
  if (!mark.ok()) {
    LogError("cannot start: %s", mark.status().message().c_str());
    return kExitNotStarted;
  }
  if (mark->kept()) EndLeftovers(mark->text());
  return Daemon(config, *std::move(store), *std::move(mark), signals).Run();
}

}  // namespace

int RunDaemon(const config::Config& config, Signals& signals) {
  try {
    EndSignals end(signals);
    return OpenAndRun(config, end);
  } catch (const std::system_error& error) {
    // A thread that could not be had for one of the parts; nothing starts one later on the way of this thread.
    LogError("cannot start: %s; see the limits of this user, its service or container (nproc, pids, memory)",
             error.what());
    return kExitNotStarted;
  }
}

}  // namespace millrace
