#include "rpc/server.h"

#include <absl/synchronization/mutex.h>
#include <google/protobuf/stubs/logging.h>
#include <grpc/support/log.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <algorithm>
#include <cinttypes>
#include <climits>
#include <mutex>

#include "base/address.h"
#include "base/log.h"
#include "base/log_limit.h"
#include "rpc/admin_service.h"
#include "rpc/convert.h"
#include "rpc/health_service.h"
#include "rpc/job_service.h"
#include "rpc/pool_service.h"
#include "rpc/worker_service.h"

namespace millrace::rpc {
namespace {

// Strangers can make gRPC complain as often as they like.
void LogFromGrpc(gpr_log_func_args* line) {
  if (line->severity != GPR_LOG_SEVERITY_ERROR) return;
  static LogLimit limit(10, std::chrono::minutes(1));
  uint64_t left_out = 0;
  if (!limit.Admit(std::chrono::steady_clock::now(), &left_out)) return;
  if (left_out > 0) LogWarning("grpc: %" PRIu64 " more lines in the time before were left out", left_out);
  LogWarning("grpc: %.1000s", line->message);
}

// A client that sends garbage gets an error; one that sends much of it should not fill the log.
void LogFromProtobuf(google::protobuf::LogLevel level, const char*, int, const std::string& message) {
  level >= google::protobuf::LOGLEVEL_FATAL ? LogError("protobuf: %s", message.c_str())
                                            : LogDebug("protobuf: %s", message.c_str());
}

// Applies to every server and channel of the process made from now on.
void PrepareLibrary() {
  static std::once_flag once;
  std::call_once(once, [] {
    // Abseil as Debian builds it watches the order of gRPC's locks, and ends the process where it expects a deadlock.
    // It is wrong at times: it knows locks by their address, and memory is used again.
    absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
    gpr_set_log_function(LogFromGrpc);
    google::protobuf::SetLogHandler(LogFromProtobuf);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  });
}

// gRPC's own limit of metadata, as a multiple of ours. Beyond ours a call is refused; beyond gRPC's the connection ends
// with all calls on it. So the second is so far away that no client reaches it by mistake.
constexpr size_t kHardMetadataLimit = 64;

int Milliseconds(std::chrono::milliseconds duration) {
  return static_cast<int>(std::clamp<int64_t>(duration.count(), 1, INT_MAX));
}

}  // namespace

struct Server::State {
  State(rt::Runtime& runtime, dispatch::Dispatcher& dispatcher, CallStats& stats, Durability durability,
        const ServerOptions& options)
      : unsent(options.answer_time_max),
        budget(options.call_bytes_max),
        lasting(LastingBytes(options.call_bytes_max), &budget),
        backend{.runtime = runtime,
                .dispatcher = dispatcher,
                .stats = stats,
                .open_calls = open_calls,
                .unsent = unsent,
                .budget = budget,
                .lasting = lasting,
                .reads = reads,
                .changes = changes,
                .metadata_bytes_max = options.metadata_bytes_max,
                .door = options.door,
                .durability = durability,
                .durability_word = WordFor(durability)},
        jobs(backend),
        pools(backend),
        workers(backend, options.sync_sessions_max),
        admin(backend, options.backups),
        health(backend) {}

  // The caller holds health_lock.
  void TellHealth() {
    const bool pools_served = serving && reachable;
    const bool jobs_served = pools_served && accepting;
    health.Set({{"", jobs_served},
                {v1::JobService::service_full_name(), jobs_served},
                {v1::PoolService::service_full_name(), pools_served},
                {v1::WorkerService::service_full_name(), pools_served},
                {v1::AdminService::service_full_name(), pools_served}});
  }

  void Set(bool State::*what, bool value) {
    std::lock_guard guard(health_lock);
    this->*what = value;
    TellHealth();
  }

  OpenCalls open_calls;
  Unsent unsent;
  Budget budget, lasting;
  sync::Semaphore reads{kReadsAtOnce}, changes{kChangesAtOnce};
  Backend backend;
  JobService jobs;
  PoolService pools;
  WorkerService workers;
  AdminService admin;
  HealthService health;
  std::string address;
  std::mutex health_lock;  // Guards the three, and the order in which health hears of them.
  bool serving = false, accepting = true, reachable = true;
  std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> acceptor;
  std::unique_ptr<grpc::Server> server;  // Destroyed before what it calls.
  std::unique_ptr<Listener> listener;    // Last: hands its connections to the server.
};

Result<std::unique_ptr<Server>> Server::Start(rt::Runtime& runtime, dispatch::Dispatcher& dispatcher, CallStats& stats,
                                              const ServerOptions& options) {
  Result<Address> address = ParseAddress(options.address);
  if (!address.ok()) return address.status();
  PrepareLibrary();

  auto state = std::make_unique<State>(runtime, dispatcher, stats, dispatcher.Stats().durability, options);
  auto listener = Listener::Open(
      *address, {.setting = "--grpc-address",
                 .connections_max = options.connections_max,
                 .connections_per_address_max = options.connections_per_address_max,
                 .send_timeout = options.keepalive_timeout,
                 .on_health = [state = state.get()](const Status& now) { state->Set(&State::reachable, now.ok()); }});
  if (!listener.ok()) return listener.status();

  grpc::ServerBuilder builder;
  // Connections that are handed over need a completion queue that is polled. The service of reflection, which is the
  // only one without callbacks, has one.
  state->acceptor = builder.experimental().AddExternalConnectionAcceptor(
      grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD, grpc::InsecureServerCredentials());
  builder.RegisterService(&state->jobs);
  builder.RegisterService(&state->pools);
  builder.RegisterService(&state->workers);
  builder.RegisterService(&state->admin);
  builder.RegisterService(&state->health);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, options.streams_per_connection_max);
  builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE,
                             static_cast<int>(kHardMetadataLimit * options.metadata_bytes_max));
  builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, Milliseconds(options.handshake_timeout));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, Milliseconds(options.keepalive_time));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, Milliseconds(options.keepalive_timeout));
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                             Milliseconds(options.client_ping_interval_min));
  // A client with an open but idle connection may ping, too.
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  const size_t message_bytes_max = std::min(options.message_bytes_max, options.call_bytes_max / 2);
  builder.SetMaxReceiveMessageSize(static_cast<int>(std::min<size_t>(message_bytes_max, INT_MAX)));
  // A megabyte of zeros in gzip is a gigabyte in memory before any limit is looked at.
  for (const grpc_compression_algorithm each : {GRPC_COMPRESS_DEFLATE, GRPC_COMPRESS_GZIP}) {
    builder.SetCompressionAlgorithmSupportStatus(each, false);
  }
  // The memory of requests that are not complete yet is counted by gRPC. Near this limit it reads them more slowly, and
  // then ends some of them. It is twice our own budget, since connections and their buffers count as well.
  grpc::ResourceQuota quota("millrace");
  builder.SetResourceQuota(quota.Resize(2 * options.call_bytes_max));
  state->server = builder.BuildAndStart();
  if (state->server == nullptr) {
    return Internal("GRPC_DID_NOT_START", "gRPC could not start; the lines of the log before this one say why");
  }

  MR_RETURN_IF_ERROR(state->unsent.Start());
  state->address = (*listener)->address().ToString();
  state->listener = *std::move(listener);
  std::unique_ptr<Server> server(new Server(std::move(state)));
  server->SetServing(true);
  MR_RETURN_IF_ERROR(server->state_->listener->Start([acceptor = server->state_->acceptor.get()](int fd) {
    grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters connection;
    connection.fd = fd;
    acceptor->HandleNewConnection(&connection);
  }));
  return server;
}

Server::Server(std::unique_ptr<State> state) : state_(std::move(state)) {}

Server::~Server() { Stop(std::chrono::milliseconds(0)); }

int Server::port() const { return state_->listener->address().port; }

const std::string& Server::address() const { return state_->address; }

void Server::SetServing(bool serving) { state_->Set(&State::serving, serving); }

void Server::SetAccepting(bool accepting) { state_->Set(&State::accepting, accepting); }

Status Server::Reachable() const { return state_->listener->Health(); }

ServerStats Server::Stats() const { return {state_->listener->Stats(), state_->budget.used(), state_->budget.limit()}; }

void Server::Stop(std::chrono::milliseconds grace) {
  if (state_->server == nullptr) return;
  state_->listener->Stop();
  state_->open_calls.Close();
  state_->server->Shutdown(Later(WallTime(std::chrono::system_clock::now()), AnyDuration(grace)));
  state_->server->Wait();
  state_->server.reset();
  state_->workers.Close();
  state_->unsent.Stop();
}

}  // namespace millrace::rpc
