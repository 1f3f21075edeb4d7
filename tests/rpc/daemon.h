// A whole daemon but for its process: runtime, dispatcher and gRPC server on a port of its own, and a client's stubs.
//
// Kinds: "echo" returns its payload; "hold" runs until Release or its cancel; "talk" reports progress, logs its payload
// and then holds; "stubborn" does so and runs until Release whoever cancels it; "fail" fails for good, and so does
// "complain", whose error is its payload.
#pragma once

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <future>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "dispatch/dispatcher.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "millrace/v1/admin_service.grpc.pb.h"
#include "millrace/v1/job_service.grpc.pb.h"
#include "millrace/v1/pool_service.grpc.pb.h"
#include "millrace/v1/worker_service.grpc.pb.h"
#include "rpc/server.h"
#include "runners/native.h"
#include "runners/remote.h"
#include "runtime/park.h"
#include "runtime/runtime.h"
#include "store/memory_journal.h"
#include "sync/select.h"

namespace millrace::test {

// Waits for what other threads bring about; a test that waits in vain ends by its time limit.
template <typename Condition>
void Eventually(Condition&& condition) {
  while (!condition()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

struct DaemonOptions {
  std::vector<dispatch::PoolOptions> pools = {{.name = "default", .workers = 2, .capacity_jobs = 4}};
  dispatch::DispatcherOptions dispatcher = {};
  rpc::ServerOptions server = {};
  dispatch::Journal* journal = nullptr;  // nullptr: the daemon's own, in memory.
  dispatch::PoolMemory* pool_memory = nullptr;
};

class Daemon {
  // Before what is built on it.
  rt::Runtime runtime_;
  SystemClock clock_;
  store::MemoryJournal journal_;
  runners::NativeRunner runner_;
  runners::RemoteRunner remote_{"remote"};  // For a pool with this runner, which has this name.
  sync::Channel<sync::Nothing> gate_{100'000};
  std::promise<void> started_, drained_;
  rt::Parker drain_, end_;
  bool drain_asked_ = false;
  rpc::ServerOptions server_options_;
  std::thread thread_;

 public:
  explicit Daemon(DaemonOptions options = {}) : runtime_({.procs = 2}) {
    using dispatch::AttemptContext;
    using dispatch::AttemptOutcome;
    Register("echo", [](AttemptContext& a) { return AttemptOutcome::Succeeded(std::string(PayloadOf(a.spec()))); });
    Register("trace", [](AttemptContext& a) {
      const TraceContext trace = a.spec().trace ? *a.spec().trace : TraceContext{};
      return AttemptOutcome::Succeeded(trace.traceparent + " " + trace.tracestate + " " + trace.baggage);
    });
    Register("hold", [this](AttemptContext& a) { return Hold(a); });
    Register("talk", [this](AttemptContext& a) {
      a.SetProgress(0.5, "half way");
      a.Log(PayloadOf(a.spec()));
      return Hold(a);
    });
    Register("stubborn", [this](AttemptContext& a) {
      a.Log(PayloadOf(a.spec()));
      sync::Select(sync::Receive(gate_, [] {}));
      return AttemptOutcome::Succeeded("");
    });
    Register("complain", [](AttemptContext& a) {
      AttemptOutcome outcome = AttemptOutcome::Failed(std::string(PayloadOf(a.spec())));
      outcome.do_not_retry = true;
      return outcome;
    });
    Register("fail", [](AttemptContext&) {
      AttemptOutcome outcome = AttemptOutcome::Failed("no luck \xff");
      outcome.do_not_retry = true;
      return outcome;
    });
    dispatcher = std::make_unique<dispatch::Dispatcher>(
        dispatch::Dispatcher::Dependencies{.runtime = runtime_,
                                           .clock = clock_,
                                           .journal = options.journal ? *options.journal : journal_,
                                           .runners = RunnersFor(options.pools),
                                           .pool_memory = options.pool_memory},
        options.dispatcher);
    for (dispatch::PoolOptions& pool : options.pools) Must(dispatcher->AddPool(std::move(pool)));
    thread_ = std::thread([this] {
      runtime_.Run([this] {
        Must(dispatcher->Start());
        started_.set_value();
        drain_.Wait(rt::WaitReason::kExternal);
        dispatcher->Stop(Nanos(0));
        drained_.set_value();
        end_.Wait(rt::WaitReason::kExternal);
      });
    });
    started_.get_future().wait();
    server_options_ = options.server;
    server_options_.address = "127.0.0.1:0";
    StartServer();
    channel = grpc::CreateChannel(server->address(), grpc::InsecureChannelCredentials());
    jobs = v1::JobService::NewStub(channel);
    pools = v1::PoolService::NewStub(channel);
    admin = v1::AdminService::NewStub(channel);
    workers = v1::WorkerService::NewStub(channel);
  }

  ~Daemon() {
    Drain();
    server->Stop(std::chrono::seconds(10));
    server.reset();
    end_.Wake();
    thread_.join();
    dispatcher.reset();
  }

  rt::Runtime& runtime() { return runtime_; }

  // The same port again.
  void RestartServer() {
    server_options_.address = server->address();
    server->Stop(std::chrono::seconds(10));
    server.reset();
    StartServer();
  }

  // The dispatcher's part of a shutdown.
  void Drain() {
    if (std::exchange(drain_asked_, true)) return;
    drain_.Wake();
    drained_.get_future().wait();
  }

  // Lets `count` held jobs go on.
  void Release(int count = 1) {
    for (int i = 0; i < count; ++i) ASSERT_EQ(gate_.TrySend(sync::Nothing()), sync::TrySendResult::kSent);
  }

  // ---- Calls that must succeed
  std::string Submit(const std::string& kind, const std::string& payload = "", const std::string& pool = "") {
    v1::SubmitJobRequest request;
    request.mutable_spec()->set_kind(kind);
    request.mutable_spec()->set_payload(payload);
    request.mutable_spec()->set_pool(pool);
    v1::SubmitJobResponse response;
    grpc::ClientContext context;
    Must(jobs->SubmitJob(&context, request, &response));
    return response.id();
  }
  v1::Job Wait(const std::string& id) {
    v1::WaitJobRequest request;
    request.set_id(id);
    v1::Job job;
    grpc::ClientContext context;
    Must(jobs->WaitJob(&context, request, &job));
    return job;
  }
  v1::Job Get(const std::string& id) {
    v1::GetJobRequest request;
    request.set_id(id);
    v1::Job job;
    grpc::ClientContext context;
    Must(jobs->GetJob(&context, request, &job));
    return job;
  }
  dispatch::PoolStatus Pool(const std::string& name = "default") { return *dispatcher->GetPool(name); }
  void Pause(const std::string& name = "default") { Must(dispatcher->Pause(name).status()); }
  void Resume(const std::string& name = "default") { Must(dispatcher->Resume(name).status()); }

  static void Must(const Status& status) { MR_CHECK(status.ok(), "%s", status.ToString().c_str()); }
  static void Must(const grpc::Status& status) {
    MR_CHECK(status.ok(), "%d: %s", static_cast<int>(status.error_code()), status.error_message().c_str());
  }

  rpc::CallStats stats;
  std::unique_ptr<dispatch::Dispatcher> dispatcher;
  std::unique_ptr<rpc::Server> server;
  std::shared_ptr<grpc::Channel> channel;
  std::unique_ptr<v1::JobService::Stub> jobs;
  std::unique_ptr<v1::PoolService::Stub> pools;
  std::unique_ptr<v1::AdminService::Stub> admin;
  std::unique_ptr<v1::WorkerService::Stub> workers;

 private:
  // Where there is a runner that takes any kind, none is unknown.
  std::vector<dispatch::Runner*> RunnersFor(const std::vector<dispatch::PoolOptions>& given) {
    std::vector<dispatch::Runner*> runners = {&runner_};
    const auto leases = [](const dispatch::PoolOptions& pool) { return pool.runner == runners::RemoteRunner::kName; };
    if (std::any_of(given.begin(), given.end(), leases)) runners.push_back(&remote_);
    return runners;
  }

  void StartServer() {
    auto started = rpc::Server::Start(runtime_, *dispatcher, stats, server_options_);
    Must(started.status());
    server = *std::move(started);
  }

  void Register(std::string name, runners::NativeRunner::Handler handler) {
    Must(runner_.Register({.name = std::move(name)}, std::move(handler)));
  }

  dispatch::AttemptOutcome Hold(dispatch::AttemptContext& attempt) {
    sync::Select(sync::Receive(gate_, [] {}), sync::Cancelled(attempt.cancel(), [] {}));
    return dispatch::AttemptOutcome::Succeeded(std::string(PayloadOf(attempt.spec())));
  }
};

// What a client reads from an error.
struct ErrorSeen {
  grpc::StatusCode code = grpc::StatusCode::OK;
  std::string message, reason, domain, field;
  std::map<std::string, std::string> metadata;
  bool retry = false;
};

inline ErrorSeen Decode(const google::rpc::Status& status) {
  ErrorSeen seen;
  seen.code = static_cast<grpc::StatusCode>(status.code());
  seen.message = status.message();
  for (const auto& detail : status.details()) {
    google::rpc::ErrorInfo info;
    google::rpc::BadRequest bad;
    if (detail.UnpackTo(&info)) {
      seen.reason = info.reason();
      seen.domain = info.domain();
      seen.metadata = {info.metadata().begin(), info.metadata().end()};
    } else if (detail.UnpackTo(&bad)) {
      seen.field = bad.field_violations(0).field();
    } else {
      seen.retry = detail.Is<google::rpc::RetryInfo>();
    }
  }
  return seen;
}

inline ErrorSeen Decode(const grpc::Status& status) {
  google::rpc::Status details;
  EXPECT_TRUE(details.ParseFromString(status.error_details()));
  ErrorSeen seen = Decode(details);
  EXPECT_TRUE(status.error_details().empty() || seen.code == status.error_code());
  seen.code = status.error_code();
  return seen;
}

// "INVALID_ARGUMENT JOB_ID_MALFORMED id": what a test compares.
inline std::string Brief(const ErrorSeen& seen) {
  static const char* const kNames[] = {
      "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
      "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
      "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
      "DATA_LOSS", "UNAUTHENTICATED"};
  std::string text = kNames[seen.code];
  for (const std::string& part : {seen.reason, seen.field}) {
    if (!part.empty()) text += " " + part;
  }
  return text;
}
inline std::string Brief(const grpc::Status& status) { return Brief(Decode(status)); }

// What the trailers of a call that has ended say that its answer is worth: "fsync". Empty: nothing.
inline std::string DurabilityNamed(const grpc::ClientContext& context) {
  std::string named;
  for (const auto& [key, value] : context.GetServerTrailingMetadata()) {
    if (key == "millrace-durability") named += std::string(value.data(), value.size());
  }
  return named;
}

}  // namespace millrace::test
