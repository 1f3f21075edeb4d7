// A worker in another process, message by message: Speaker on a stream, SyncSpeaker by calls. And what workers say
// most.
#pragma once

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <string>
#include <utility>

#include "tests/rpc/daemon.h"

namespace millrace::test {

inline DaemonOptions WithRemotePool() {
  DaemonOptions options;
  options.pools = {{.name = "default", .workers = 1}, {.name = "remote", .runner = "remote"}};
  return options;
}

// A worker that says and hears one message at a time.
class Speaker {
 public:
  explicit Speaker(Daemon& d) : stream_(d.workers->Work(&context_)) {}
  ~Speaker() { context_.TryCancel(); }

  static v1::WorkRequest Hello(const std::string& key = "a", int credit = 1) {
    v1::WorkRequest request;
    v1::WorkerHello& hello = *request.mutable_hello();
    hello.set_worker("worker-" + key);
    hello.set_instance_key(key);
    hello.set_slots(4);
    hello.add_kinds()->set_kind("resize");
    if (credit > 0) request.mutable_credit()->set_slots_granted_total(credit);
    return request;
  }

  bool Say(const v1::WorkRequest& request) { return stream_->Write(request); }
  // The next response that has `has`, for instance &WorkResponse::has_welcome.
  template <typename Has>
  v1::WorkResponse Next(Has has) {
    v1::WorkResponse response;
    while (stream_->Read(&response)) {
      if (has(response)) return response;
    }
    ADD_FAILURE() << "the stream has ended";
    return {};
  }
  v1::WorkResponse Welcome() {
    return Next([](const v1::WorkResponse& response) { return response.has_welcome(); });
  }
  v1::Lease Lease() {
    return Next([](const v1::WorkResponse& response) { return response.leases_size() > 0; }).leases(0);
  }
  // How it ends, once everything was read.
  std::string End() {
    v1::WorkResponse response;
    while (stream_->Read(&response)) {
      if (response.has_drain()) drain = response.drain().why();
    }
    return Brief(Decode(stream_->Finish()));
  }
  void Cancel() { context_.TryCancel(); }
  void HalfClose() { stream_->WritesDone(); }

  v1::WorkerDrain::Why drain = v1::WorkerDrain::WHY_UNSPECIFIED;

 private:
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::WorkRequest, v1::WorkResponse>> stream_;
};

// The same, by calls. A test has one for each process of a worker, and one for each of its threads.
class SyncSpeaker {
 public:
  explicit SyncSpeaker(Daemon& d, std::string key = "a") : d_(d), key_(std::move(key)) {}

  // How a call ends. `told` may be nullptr.
  grpc::Status Call(const v1::WorkRequest& said, v1::WorkResponse* told = nullptr, int wait_seconds = 0) {
    v1::SyncRequest request;
    if (!said.has_hello()) request.set_instance_key(key_);
    *request.mutable_said() = said;
    if (wait_seconds != 0) request.mutable_wait()->set_seconds(wait_seconds);
    return Call(request, told);
  }
  // A call that says nothing.
  grpc::Status Poll(v1::WorkResponse* told = nullptr, int wait_seconds = 0) {
    return Call(v1::WorkRequest(), told, wait_seconds);
  }
  grpc::Status Call(const v1::SyncRequest& request, v1::WorkResponse* told = nullptr) {
    grpc::ClientContext context;
    v1::SyncResponse response;
    const grpc::Status status = d_.workers->Sync(&context, request, &response);
    if (told != nullptr) *told = response.told();
    return status;
  }

  // As Speaker's.
  bool Say(const v1::WorkRequest& request) {
    v1::WorkResponse told;
    const grpc::Status status = Call(request, &told);
    EXPECT_EQ(Brief(status), "OK");
    told_.push_back(std::move(told));
    return status.ok();
  }
  template <typename Has>
  v1::WorkResponse Next(Has has) {
    for (;;) {
      for (; !told_.empty(); told_.pop_front()) {
        if (!has(told_.front())) continue;
        v1::WorkResponse told = std::move(told_.front());
        told_.pop_front();
        return told;
      }
      v1::WorkResponse told;
      if (const grpc::Status status = Poll(&told, 60); !status.ok()) {
        ADD_FAILURE() << Brief(status);
        return {};
      }
      told_.push_back(std::move(told));
    }
  }
  v1::WorkResponse Welcome() {
    return Next([](const v1::WorkResponse& response) { return response.has_welcome(); });
  }
  v1::Lease Lease() {
    return Next([](const v1::WorkResponse& response) { return response.leases_size() > 0; }).leases(0);
  }

 private:
  Daemon& d_;
  const std::string key_;
  std::deque<v1::WorkResponse> told_;
};

inline v1::WorkRequest Accepted(const v1::AttemptRef& ref) {
  v1::WorkRequest request;
  *request.add_accepted() = ref;
  return request;
}
inline v1::WorkRequest Ended(const v1::AttemptRef& ref, const std::string& result) {
  v1::WorkRequest request;
  *request.add_ended()->mutable_ref() = ref;
  request.mutable_ended(0)->set_result(result);
  return request;
}

inline v1::WorkRequest Goodbye() {
  v1::WorkRequest request;
  request.set_goodbye(true);
  return request;
}

// These are for Next to look for.
inline bool HasAcked(const v1::WorkResponse& told) { return told.acked_size() > 0; }
inline bool HasErrors(const v1::WorkResponse& told) { return told.errors_size() > 0; }
inline bool HasStops(const v1::WorkResponse& told) { return told.stops_size() > 0; }
inline bool HasDrain(const v1::WorkResponse& told) { return told.has_drain(); }

}  // namespace millrace::test
