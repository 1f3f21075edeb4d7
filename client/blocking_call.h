// The parts of the blocking calls of a Client. For the library's own .cc files that have methods of Client.
#pragma once

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <stop_token>

#include "base/status.h"
#include "client/client_state.h"
#include "client/errors.h"

namespace millrace::client {

template <typename Stub, typename Request, typename Response>
Result<Response> Call(Client::State& state, Stub& stub,
                      grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                      grpc::ClientContext& context, const Request& request, const std::stop_token& stop) {
  std::stop_callback cancel(stop, [&context] { context.TryCancel(); });
  Response response;
  const grpc::Status status = (stub.*method)(&context, request, &response);
  if (!status.ok()) return FromGrpc(status, state.address, stop.stop_requested());
  state.reached = true;
  return response;
}

// In a method of Client: a call of one method with its own context; an expression of type Result<Response>.
#define MR_CALL(stub, Service, Method, request, call)                                               \
  [&] {                                                                                             \
    grpc::ClientContext context;                                                                    \
    state_->Prepare(context, call);                                                                 \
    return Call(*state_, *state_->stub, &v1::Service::Stub::Method, context, request, (call).stop); \
  }()

// False when stopped.
bool Pause(std::chrono::milliseconds time, const std::stop_token& stop);

// One deadline for several calls: each gets what is left of it.
class TimeLeft {
 public:
  explicit TimeLeft(std::optional<std::chrono::milliseconds> deadline) : given_(deadline) {
    constexpr std::chrono::milliseconds kLongest = std::chrono::hours(24 * 365);
    if (deadline && deadline->count() >= 0) end_ = std::chrono::steady_clock::now() + std::min(*deadline, kLongest);
  }
  // As CallOptions::deadline says it.
  std::optional<std::chrono::milliseconds> Get() const {
    if (!end_) return given_;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(*end_ - std::chrono::steady_clock::now());
    return std::max(left, std::chrono::milliseconds(0));
  }

 private:
  std::optional<std::chrono::milliseconds> given_;
  std::optional<std::chrono::steady_clock::time_point> end_;
};

}  // namespace millrace::client
