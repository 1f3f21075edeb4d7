// A server that answers as a test wants: each function is one method.
#pragma once

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "client/client.h"
#include "millrace/v1/job_service.grpc.pb.h"

namespace millrace::client::test {

using SubmitServerStream = grpc::ServerReaderWriter<v1::StreamSubmitResponse, v1::StreamSubmitRequest>;

class FakeServer final : public v1::JobService::Service {
 public:
  FakeServer() {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
  }
  ~FakeServer() override { server_->Shutdown(std::chrono::system_clock::now()); }

  std::unique_ptr<Client> Connect(ClientOptions options = {}) {
    auto client = Client::Connect("127.0.0.1:" + std::to_string(port_), std::move(options));
    return std::move(*client);
  }

  std::function<void(const grpc::ServerContext&, const std::string& method)> any;  // Before submit, watch, stream.
  std::function<grpc::Status(const v1::SubmitJobRequest&, v1::SubmitJobResponse*)> submit;
  std::function<grpc::Status(const v1::BatchSubmitJobsRequest&, v1::BatchSubmitJobsResponse*)> batch;
  std::function<grpc::Status(const v1::WaitJobRequest&, v1::Job*)> wait;
  std::function<grpc::Status(grpc::ServerContext*, const v1::WatchJobsRequest&, grpc::ServerWriter<v1::JobEvent>*)>
      watch;
  std::function<grpc::Status(SubmitServerStream*)> stream;
  std::function<grpc::Status(const v1::ListJobsRequest&, v1::ListJobsResponse*)> list;

 private:
  grpc::Status SubmitJob(grpc::ServerContext* context, const v1::SubmitJobRequest* request,
                         v1::SubmitJobResponse* response) override {
    if (any) any(*context, "submit");
    return submit(*request, response);
  }
  grpc::Status BatchSubmitJobs(grpc::ServerContext*, const v1::BatchSubmitJobsRequest* request,
                               v1::BatchSubmitJobsResponse* response) override {
    return batch(*request, response);
  }
  grpc::Status WaitJob(grpc::ServerContext*, const v1::WaitJobRequest* request, v1::Job* job) override {
    return wait(*request, job);
  }
  grpc::Status WatchJobs(grpc::ServerContext* context, const v1::WatchJobsRequest* request,
                         grpc::ServerWriter<v1::JobEvent>* writer) override {
    if (any) any(*context, "watch");
    return watch(context, *request, writer);
  }
  grpc::Status StreamSubmit(grpc::ServerContext* context, SubmitServerStream* s) override {
    if (any) any(*context, "stream");
    return stream(s);
  }
  grpc::Status ListJobs(grpc::ServerContext*, const v1::ListJobsRequest* request,
                        v1::ListJobsResponse* response) override {
    return list(*request, response);
  }

  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace millrace::client::test
