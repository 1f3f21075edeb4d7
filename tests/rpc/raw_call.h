// Calls by name with hand-made bytes: the protos of health and reflection are not installed with gRPC.
#pragma once

#include <grpcpp/generic/generic_stub.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/rpc/daemon.h"

namespace millrace::test {

inline grpc::Status RawCall(Daemon& d, const std::string& method, const std::string& request, std::string* response,
                            grpc::ClientContext* context) {
  grpc::GenericStub stub(d.channel);
  grpc::CompletionQueue queue;
  const grpc::Slice slice(request);
  const grpc::ByteBuffer bytes(&slice, 1);
  auto call = stub.PrepareUnaryCall(context, method, bytes, &queue);
  call->StartCall();
  grpc::ByteBuffer answer;
  grpc::Status status;
  call->Finish(&answer, &status, &queue);
  void* tag = nullptr;
  bool ok = false;
  EXPECT_TRUE(queue.Next(&tag, &ok));
  std::vector<grpc::Slice> slices;
  if (status.ok() && answer.Dump(&slices).ok()) {
    for (const grpc::Slice& part : slices) response->append(reinterpret_cast<const char*>(part.begin()), part.size());
  }
  queue.Shutdown();
  return status;
}
inline grpc::Status RawCall(Daemon& d, const std::string& method, const std::string& request, std::string* response) {
  grpc::ClientContext context;
  return RawCall(d, method, request, response, &context);
}

// A call of any kind whose client writes what bytes it likes, and reads only when it is told to. One step at a time.
class RawStream {
 public:
  using Metadata = std::vector<std::pair<std::string, std::string>>;
  RawStream(const std::shared_ptr<grpc::Channel>& channel, const std::string& method, const Metadata& metadata = {})
      : stub_(channel) {
    for (const auto& [name, value] : metadata) context.AddMetadata(name, value);
    call_ = stub_.PrepareCall(&context, method, &queue_);
    call_->StartCall(nullptr);
    Step();
  }
  ~RawStream() {
    context.TryCancel();
    queue_.Shutdown();
    void* tag = nullptr;
    bool ok = false;
    while (queue_.Next(&tag, &ok)) {
    }
  }
  bool Write(const std::string& message) {
    const grpc::Slice slice(message);
    call_->Write(grpc::ByteBuffer(&slice, 1), nullptr);
    return Step();
  }
  bool WritesDone() {
    call_->WritesDone(nullptr);
    return Step();
  }
  bool Read(std::string* message) {
    grpc::ByteBuffer bytes;
    call_->Read(&bytes, nullptr);
    if (!Step()) return false;
    std::vector<grpc::Slice> slices;
    if (!bytes.Dump(&slices).ok()) return false;
    message->clear();
    for (const grpc::Slice& part : slices) message->append(reinterpret_cast<const char*>(part.begin()), part.size());
    return true;
  }
  // When everything was read, or the call has failed.
  grpc::Status Finish() {
    grpc::Status status;
    call_->Finish(&status, nullptr);
    Step();
    return status;
  }

  grpc::ClientContext context;

 private:
  bool Step() {
    void* tag = nullptr;
    bool ok = false;
    EXPECT_TRUE(queue_.Next(&tag, &ok));
    return ok;
  }

  grpc::GenericStub stub_;
  grpc::CompletionQueue queue_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> call_;
};

// A connection of its own whose client takes 64 KiB of an answer that nobody asks it for, and never more.
inline std::shared_ptr<grpc::Channel> NarrowChannel(Daemon& d) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  arguments.SetInt(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, 64 << 10);
  return grpc::CreateCustomChannel(d.server->address(), grpc::InsecureChannelCredentials(), arguments);
}

// grpc.health.v1: field 1 of the request is the service, field 1 of the response the status.
inline std::string Health(Daemon& d, const std::string& service) {
  std::string request, response;
  if (!service.empty()) request = "\x0a" + std::string(1, static_cast<char>(service.size())) + service;
  const grpc::Status status = RawCall(d, "/grpc.health.v1.Health/Check", request, &response);
  if (!status.ok()) return "error " + std::to_string(status.error_code());
  return response == "\x08\x01" ? "SERVING" : response == "\x08\x02" ? "NOT_SERVING" : "?";
}

}  // namespace millrace::test
