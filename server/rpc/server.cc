#include "rpc/server.h"

#include <google/protobuf/stubs/logging.h>
#include <grpc/support/log.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <mutex>

#include "base/address.h"
#include "base/log.h"
#include "rpc/admin_service.h"
#include "rpc/convert.h"
#include "rpc/job_service.h"
#include "rpc/pool_service.h"

namespace millrace::rpc {
namespace {

void LogFromGrpc(gpr_log_func_args* line) {
  if (line->severity == GPR_LOG_SEVERITY_ERROR) LogWarning("grpc: %s", line->message);
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
    gpr_set_log_function(LogFromGrpc);
    google::protobuf::SetLogHandler(LogFromProtobuf);
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  });
}

Status CannotListen(const std::string& address, const std::string& why) {
  return Unavailable("CANNOT_LISTEN", "cannot listen on " + address + ": " + why +
                                          "; stop what uses it or choose another --grpc-address")
      .With("address", address);
}

// gRPC says that a port could not be bound, but not why; so we bind it once ourselves, as gRPC will.
Status TryBind(const Address& address) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  if (const int error = getaddrinfo(address.host.c_str(), std::to_string(address.port).c_str(), &hints, &found);
      error != 0) {
    return CannotListen(address.ToString(), gai_strerror(error));
  }
  int error = 0;
  const int socket_fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  if (socket_fd < 0 || setsockopt(socket_fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
      bind(socket_fd, found->ai_addr, found->ai_addrlen) != 0 || listen(socket_fd, 1) != 0) {
    error = errno;
  }
  if (socket_fd >= 0) close(socket_fd);
  freeaddrinfo(found);
  return error == 0 ? OkStatus() : CannotListen(address.ToString(), std::strerror(error));
}

int Milliseconds(std::chrono::milliseconds duration) {
  return static_cast<int>(std::clamp<int64_t>(duration.count(), 1, INT_MAX));
}

}  // namespace

struct Server::State {
  State(rt::Runtime& runtime, dispatch::Dispatcher& dispatcher, CallStats& stats, Durability durability,
        dispatch::Backups* backups)
      : backend{runtime, dispatcher, stats, open_calls, durability, WordFor(durability)},
        jobs(backend),
        pools(backend),
        admin(backend, backups) {}

  OpenCalls open_calls;
  Backend backend;
  JobService jobs;
  PoolService pools;
  AdminService admin;
  std::string address;
  int port = 0;
  std::mutex health_lock;  // Of the two, and of the order in which gRPC hears of them.
  bool serving = false, accepting = true;
  std::unique_ptr<grpc::Server> server;  // Last: dies before what it calls.
};

Result<std::unique_ptr<Server>> Server::Start(rt::Runtime& runtime, dispatch::Dispatcher& dispatcher, CallStats& stats,
                                              const ServerOptions& options) {
  Result<Address> address = ParseAddress(options.address);
  if (!address.ok()) return address.status();
  PrepareLibrary();
  if (address->port != 0) MR_RETURN_IF_ERROR(TryBind(*address));

  auto state = std::make_unique<State>(runtime, dispatcher, stats, dispatcher.Stats().durability, options.backups);
  grpc::ServerBuilder builder;
  builder.AddListeningPort(options.address, grpc::InsecureServerCredentials(), &state->port);
  builder.RegisterService(&state->jobs);
  builder.RegisterService(&state->pools);
  builder.RegisterService(&state->admin);
  // Otherwise a second daemon on the same port would start happily and take half of the connections.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, options.streams_per_connection_max);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, Milliseconds(options.keepalive_time));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, Milliseconds(options.keepalive_timeout));
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                             Milliseconds(options.client_ping_interval_min));
  // A client with an open but idle connection may ping, too.
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.SetMaxReceiveMessageSize(static_cast<int>(std::min<size_t>(options.message_bytes_max, INT_MAX)));
  state->server = builder.BuildAndStart();
  if (state->server == nullptr || state->port == 0) return CannotListen(options.address, "gRPC could not bind it");

  state->address = Address{address->host, static_cast<uint16_t>(state->port)}.ToString();
  std::unique_ptr<Server> server(new Server(std::move(state)));
  server->SetServing(true);
  return server;
}

Server::Server(std::unique_ptr<State> state) : state_(std::move(state)) {}

Server::~Server() { Stop(std::chrono::milliseconds(0)); }

int Server::port() const { return state_->port; }

const std::string& Server::address() const { return state_->address; }

void Server::SetServing(bool serving) {
  std::lock_guard guard(state_->health_lock);
  state_->serving = serving;
  TellHealth();
}

void Server::SetAccepting(bool accepting) {
  std::lock_guard guard(state_->health_lock);
  state_->accepting = accepting;
  TellHealth();
}

void Server::TellHealth() {
  grpc::HealthCheckServiceInterface* health = state_->server->GetHealthCheckService();
  const bool jobs = state_->serving && state_->accepting;
  health->SetServingStatus("", jobs);
  health->SetServingStatus(v1::JobService::service_full_name(), jobs);
  health->SetServingStatus(v1::PoolService::service_full_name(), state_->serving);
  health->SetServingStatus(v1::AdminService::service_full_name(), state_->serving);
}

void Server::Stop(std::chrono::milliseconds grace) {
  if (state_->server == nullptr) return;
  state_->open_calls.Close();
  state_->server->Shutdown(Later(WallTime(std::chrono::system_clock::now()), AnyDuration(grace)));
  state_->server->Wait();
  state_->server.reset();
}

}  // namespace millrace::rpc
