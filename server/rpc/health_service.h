// HealthService: grpc.health.v1. gRPC brings a service of its own, which reflection lists but cannot describe, so that
// tools which go by reflection, as grpcurl does, fail on it.
//
//   Names     Services that Set has named are known. Check of another is NOT_FOUND; Watch of another says
//             SERVICE_UNKNOWN and stays open.
//   Watch     Sends the newest state, not each one: a client that reads slowly misses states that did not last.
//   Threads   Any. The service outlives the server.
#pragma once

#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "grpc/health/v1/health.grpc.pb.h"
#include "rpc/unary_call.h"

namespace millrace::rpc {

namespace health = grpc::health::v1;

class HealthService final : public health::Health::WithRawCallbackMethod_Check<
                                health::Health::WithRawCallbackMethod_Watch<health::Health::Service>> {
 public:
  explicit HealthService(const Backend& backend) : backend_(backend) {}

  struct State {
    std::string service;  // "" is the whole server.
    bool serving;
  };
  // All at once, so that nobody sees half of a change.
  void Set(const std::vector<State>& states);

 private:
  class WatchCall;

  grpc::ServerUnaryReactor* Check(grpc::CallbackServerContext*, const grpc::ByteBuffer*, grpc::ByteBuffer*) override;
  grpc::ServerWriteReactor<grpc::ByteBuffer>* Watch(grpc::CallbackServerContext*, const grpc::ByteBuffer*) override;

  // The caller holds lock_.
  health::HealthCheckResponse::ServingStatus StatusOf(const std::string& service) const;

  const Backend& backend_;
  std::mutex lock_;  // Also guards the members of watches.
  std::map<std::string, bool> serving_;
  std::set<WatchCall*> watches_;
};

}  // namespace millrace::rpc
