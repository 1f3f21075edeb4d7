// A worker of the library, and a daemon that answers it as each test wants.
#pragma once

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "client/worker.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "tests/client/team.h"

namespace millrace::client::test {

using PayloadWriter = grpc::ServerWriter<v1::ReadPayloadResponse>;
using ResultReader = grpc::ServerReader<v1::WriteResultRequest>;

// A daemon of one worker. It welcomes it, gives it `leases` when it comes first, acknowledges ends, and notes what it
// hears.
class ScriptedDaemon final : public v1::WorkerService::Service {
 public:
  ScriptedDaemon() {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
  }
  ~ScriptedDaemon() override { Stop(); }
  // From then on none of the functions below is called.
  void Stop() { server_->Shutdown(std::chrono::system_clock::now()); }

  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  v1::Lease& AddLease(const std::string& kind) {
    v1::Lease& lease = leases.emplace_back();
    lease.set_kind(kind);
    lease.mutable_ref()->set_job_id("job " + std::to_string(leases.size()));
    lease.mutable_ref()->set_token(leases.size());
    return lease;
  }
  // Looks at the notes below.
  template <typename Look>
  auto Seen(Look look) {
    std::lock_guard guard(mutex_);
    return look();
  }

  std::vector<v1::Lease> leases;
  std::vector<std::string> capabilities = {"payload_ref", "checkpoint", "costs"};
  // Adds to the answer; false: the stream is cut.
  std::function<bool(const v1::WorkRequest&, v1::WorkResponse*)> hear = [](auto&, auto*) { return true; };
  std::function<grpc::Status(const v1::AttemptRef&, PayloadWriter*)> read_payload;
  int64_t result_bytes_max = int64_t{64} << 20;
  std::function<grpc::Status(ResultReader*)> write_result;

  v1::WorkerHello hello;  // The newest.
  int hellos = 0;
  size_t largest_bytes = 0;                         // The size of a message.
  std::vector<int64_t> credits;                     // Those of the first stream.
  std::vector<std::string> saved;                   // Checkpoints, as they came.
  std::map<std::string, std::string> saved_by;      // The newest of each job.
  std::map<std::string, v1::AttemptEnd> ended;      // By job.
  std::map<std::string, std::string> saved_at_end;  // The same, when the job ended.

 private:
  grpc::Status Work(grpc::ServerContext*,
                    grpc::ServerReaderWriter<v1::WorkResponse, v1::WorkRequest>* stream) override {
    v1::WorkRequest request;
    while (stream->Read(&request)) {
      v1::WorkResponse response;
      {
        std::lock_guard guard(mutex_);
        Note(request, &response);
        if (!hear(request, &response)) return {grpc::StatusCode::UNAVAILABLE, "cut"};
      }
      if (response.ByteSizeLong() > 0) stream->Write(response);
    }
    return grpc::Status::OK;
  }

  void Note(const v1::WorkRequest& request, v1::WorkResponse* response) {
    largest_bytes = std::max(largest_bytes, request.ByteSizeLong());
    if (request.has_hello()) {
      hello = request.hello();
      response->mutable_welcome()->mutable_heartbeat_interval()->set_seconds(600);
      response->mutable_welcome()->mutable_lease()->set_seconds(3600);
      response->mutable_welcome()->set_server_version("0.9.1");
      response->mutable_welcome()->set_result_bytes_max(result_bytes_max);
      for (const std::string& each : capabilities) response->mutable_welcome()->add_capabilities(each);
      if (++hellos == 1) response->mutable_leases()->Add(leases.begin(), leases.end());
    }
    if (request.has_credit() && hellos == 1) credits.push_back(request.credit().slots_granted_total());
    for (const v1::AttemptOutput& output : request.outputs()) {
      if (!output.has_checkpoint()) continue;
      saved.push_back(output.checkpoint());
      saved_by[output.ref().job_id()] = output.checkpoint();
    }
    for (const v1::AttemptEnd& end : request.ended()) {
      ended[end.ref().job_id()] = end;
      saved_at_end[end.ref().job_id()] = saved_by[end.ref().job_id()];
      *response->add_acked() = end.ref();
    }
  }

  grpc::Status ReadPayload(grpc::ServerContext*, const v1::ReadPayloadRequest* request,
                           PayloadWriter* writer) override {
    return read_payload(request->ref(), writer);
  }

  grpc::Status WriteResult(grpc::ServerContext*, ResultReader* reader, v1::WriteResultResponse*) override {
    return write_result(reader);
  }

  std::mutex mutex_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

inline grpc::Status WithReason(grpc::StatusCode code, const std::string& reason, const std::string& message) {
  google::rpc::ErrorInfo info;
  info.set_reason(reason);
  info.set_domain("millrace");
  google::rpc::Status details;
  details.set_code(code);
  details.set_message(message);
  details.add_details()->PackFrom(info);
  return {code, message, details.SerializeAsString()};
}

class WorkerAttempt : public testing::Test {
 protected:
  ~WorkerAttempt() override { End(); }
  void Start(WorkerOptions options, const std::function<void(Worker&)>& handlers) {
    client = *Client::Connect(daemon.address(), {.own_connection = true});
    worker = std::make_unique<Worker>(*client, std::move(options));
    handlers(*worker);
    thread_ = std::jthread([this](std::stop_token stop) { EXPECT_TRUE(worker->Run(stop).ok()); });
  }
  // Before what the functions of the test refer to is gone.
  void End() {
    if (!thread_.joinable()) return;
    thread_.request_stop();
    thread_.join();
    daemon.Stop();
  }
  void AwaitEnds(size_t count) {
    millrace::test::Eventually([&] { return daemon.Seen([&] { return daemon.ended.size() == count; }); });
  }
  std::string ErrorOfEnd(const std::string& job) {
    return daemon.Seen([&] { return daemon.ended.at(job).failure().error(); });
  }

  ScriptedDaemon daemon;
  std::unique_ptr<Client> client;
  std::unique_ptr<Worker> worker;

 private:
  std::jthread thread_;
};

}  // namespace millrace::client::test
