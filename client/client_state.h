// What a Client holds of gRPC: the channel, the stubs and how a call is prepared. For the library's own files.
#pragma once

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>

#include "base/clock.h"
#include "client/client.h"
#include "millrace/v1/admin_service.grpc.pb.h"
#include "millrace/v1/job_service.grpc.pb.h"
#include "millrace/v1/pool_service.grpc.pb.h"
#include "millrace/v1/worker_service.grpc.pb.h"

namespace millrace::client {

inline constexpr int kReceiveBytesMax = 64 << 20;  // As much as the server takes at most.

// 32 hexadecimal digits.
std::string RandomId();
// Of every channel of the library.
grpc::ChannelArguments ArgumentsOf(const ClientOptions& options);

struct Client::State {
  std::string address;
  ClientOptions options;
  std::shared_ptr<grpc::Channel> channel;
  std::unique_ptr<v1::JobService::Stub> jobs;
  std::unique_ptr<v1::PoolService::Stub> pools;
  std::unique_ptr<v1::WorkerService::Stub> workers;
  std::unique_ptr<v1::AdminService::Stub> admin;

  std::atomic<bool> reached{false};  // A call was answered.

  // Async calls under way; the destructor of Client waits until there are none.
  std::mutex mutex;
  std::condition_variable idle;
  int async_calls = 0;

  // Prepares the context of any call. A negative deadline: none.
  void Begin(grpc::ClientContext& context, std::chrono::milliseconds deadline) const {
    if (deadline.count() >= 0)
      context.set_deadline(Later(WallTime(std::chrono::system_clock::now()), AnyDuration(deadline)));
    for (const auto& [name, value] : options.metadata) context.AddMetadata(name, value);
  }
  // Prepares the context of a unary call: the server refuses answers larger than the client takes (job.proto, JobView).
  void Prepare(grpc::ClientContext& context, const CallOptions& call) const {
    Begin(context, call.deadline.value_or(options.deadline));
    context.AddMetadata("millrace-receive-bytes-max", std::to_string(kReceiveBytesMax));
  }
};

}  // namespace millrace::client
