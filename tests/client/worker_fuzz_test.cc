// The library's worker against a daemon that says anything: it survives, and works when the daemon is sane again.
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <deque>
#include <limits>
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
#include "tests/support/mutate.h"

namespace millrace::client {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals are made for this
using millrace::test::Eventually;
using millrace::test::Mutator;

constexpr int kFuzzedWorkers = 4, kSlots = 3;
constexpr int kMadStreams = 160;  // All workers together have so many.
constexpr int kGoodJobs = 8;      // Each worker gets so many when the daemon is sane again.

// A stream says this next, and ends then, or not.
struct Speech {
  std::vector<std::string> messages;
  bool ends = false;
  grpc::Status status;
};

// Words of a daemon that has lost its mind.
class Madness {
 public:
  explicit Madness(uint64_t seed) : bytes_(seed) {}

  Speech On(const v1::WorkRequest& hello, bool first) {
    Speech speech;
    const bool clean = first || bytes_.OneIn(2);
    // Where the worker cannot read what is said, it would wait for the end of the stream.
    speech.ends = !clean || bytes_.OneIn(2);
    speech.status = AnyStatus();
    v1::WorkResponse welcome;
    welcome.mutable_welcome()->mutable_heartbeat_interval()->set_nanos(20'000'000);
    welcome.mutable_welcome()->mutable_lease()->set_seconds(3600);
    if (!clean) {
      *welcome.mutable_welcome()->mutable_heartbeat_interval() = AnyTime();
      *welcome.mutable_welcome()->mutable_lease() = AnyTime();
      for (const v1::HeldAttempt& each : hello.hello().held()) *welcome.mutable_welcome()->add_lost() = each.ref();
    }
    for (const char* each : {"checkpoint", "costs", "payload_ref", "unknown"}) {
      if (bytes_.OneIn(2)) welcome.mutable_welcome()->add_capabilities(each);
    }
    speech.messages.push_back(welcome.SerializeAsString());
    for (size_t words = bytes_.Below(12); words > 0; --words) {
      v1::WorkResponse response;
      for (size_t parts = 1 + bytes_.Below(3); parts > 0; --parts) Add(hello, &response);
      speech.messages.push_back(response.SerializeAsString());
      if (!speech.ends || !bytes_.OneIn(4)) continue;
      speech.messages.back() = bytes_.Change(speech.messages.back());
      break;  // The worker may read nothing more, and would not learn how the stream ends.
    }
    return speech;
  }

  grpc::Status OfPayload(grpc::ServerWriter<v1::ReadPayloadResponse>* writer) {
    v1::ReadPayloadResponse part;
    for (size_t parts = bytes_.Below(4); parts > 0; --parts) {
      part.set_data(bytes_.Bytes(bytes_.Below(1000)));
      writer->Write(part);
    }
    return AnyStatus();
  }

 private:
  grpc::Status AnyStatus() {
    const auto code = static_cast<grpc::StatusCode>(bytes_.Below(17));
    if (code == grpc::StatusCode::OK) return grpc::Status::OK;
    google::rpc::ErrorInfo info;
    info.set_reason(bytes_.Any<const char*>({"LEASE_LOST", "SESSION_REPLACED", "BAD_WORKER", ""}));
    google::rpc::Status details;
    details.set_code(bytes_.Any({static_cast<int>(code), 0, -1, INT32_MAX}));
    details.add_details()->PackFrom(info);
    return {code, "mad", bytes_.OneIn(2) ? details.SerializeAsString() : bytes_.Bytes(40)};
  }

  google::protobuf::Duration AnyTime() {
    google::protobuf::Duration time;
    time.set_seconds(bytes_.Any<int64_t>({0, 0, 1, -1, 315'576'000'000, INT64_MAX, INT64_MIN}));
    time.set_nanos(bytes_.Any({0, 20'000'000, -1, INT32_MAX, INT32_MIN}));
    return time;
  }

  // One that the worker holds, or one of few others, so that some come again and again.
  v1::AttemptRef Ref(const v1::WorkRequest& hello) {
    v1::AttemptRef ref;
    const int held = hello.hello().held_size();
    if (held > 0 && bytes_.OneIn(2)) {
      ref = hello.hello().held(static_cast<int>(bytes_.Below(static_cast<size_t>(held)))).ref();
    } else {
      ref.set_job_id("mad " + std::to_string(bytes_.Below(10)));
      ref.set_token(bytes_.Below(4));
    }
    if (bytes_.OneIn(8)) ref.set_attempt(bytes_.Any({0, -1, INT32_MAX, INT32_MIN}));
    if (bytes_.OneIn(8)) ref.set_token(ref.token() + bytes_.Any<uint64_t>({1, UINT64_MAX}));
    if (bytes_.OneIn(16)) ref.set_job_id("");
    return ref;
  }

  void AddLease(const v1::WorkRequest& hello, v1::WorkResponse* to) {
    v1::Lease& lease = *to->add_leases();
    *lease.mutable_ref() = Ref(hello);
    lease.set_kind(bytes_.Any<const char*>({"work", "work", "wide", "unknown", ""}));
    if (bytes_.OneIn(2)) lease.set_payload(bytes_.Bytes(bytes_.Any<size_t>({1, 100, 100'000})));
    if (bytes_.OneIn(4)) lease.set_payload_bytes(bytes_.Any<int64_t>({1, 100, -1, INT64_MAX, INT64_MIN}));
    if (bytes_.OneIn(4)) lease.set_checkpoint(bytes_.Bytes(bytes_.Any<size_t>({1, 100'000})));
    if (bytes_.OneIn(4)) *lease.mutable_run_timeout() = AnyTime();
    lease.set_losses(bytes_.Any({0, -1, INT32_MAX}));
    if (bytes_.OneIn(4)) *to->add_leases() = lease;  // Twice in one message.
  }

  void Add(const v1::WorkRequest& hello, v1::WorkResponse* to) {
    switch (bytes_.Below(10)) {
      case 0:
        *to->add_stops()->mutable_ref() = Ref(hello);
        break;
      case 1:
        *to->add_revoked()->mutable_ref() = Ref(hello);
        break;
      case 2:
        *to->add_acked() = Ref(hello);
        break;
      case 3:
        to->mutable_heartbeat_ack()->set_sequence(bytes_.Any<int64_t>({0, -1, INT64_MAX, INT64_MIN}));
        break;
      case 4:
        to->mutable_drain()->set_why(static_cast<v1::WorkerDrain::Why>(bytes_.Below(7)));
        *to->mutable_drain()->mutable_reconnect_after() = AnyTime();
        break;
      case 5:
        *to->add_errors()->mutable_ref() = Ref(hello);
        to->mutable_errors(to->errors_size() - 1)->set_reason(bytes_.Any<const char*>({"LEASE_LOST", "", "OTHER"}));
        break;
      case 6:
        for (int i = 0; i < 1000; ++i) *to->add_acked() = *to->add_stops()->mutable_ref() = Ref(hello);
        break;
      default:
        AddLease(hello, to);
    }
  }

  Mutator bytes_;
};

// A daemon that is mad for some streams, and then sane.
class MadDaemon final : public v1::WorkerService::WithRawCallbackMethod_Work<v1::WorkerService::Service> {
 public:
  explicit MadDaemon(uint64_t seed) : madness_(seed) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
  }
  ~MadDaemon() override { server_->Shutdown(std::chrono::system_clock::now()); }

  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

  // How the jobs of a worker ended, since the daemon is sane; and the slots that it grants beyond those of the leases
  // that it was given.
  struct Sanity {
    std::map<std::string, std::string> results;
    int64_t free_slots = 0;
  };
  Sanity Of(const std::string& worker) {
    std::lock_guard guard(mutex_);
    for (const auto& [key, each] : workers_) {
      if (each.name == worker) return {each.results, each.granted - each.given};
    }
    return {};
  }

 private:
  struct Known {
    std::string name;
    int streams = 0;
    int64_t granted = 0, given = 0;  // On this stream.
    int jobs = 0;
    std::map<std::string, std::string> results;
  };

  class Stream final : public grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
   public:
    explicit Stream(MadDaemon& daemon) : daemon_(daemon) { StartRead(&read_); }

   private:
    void OnReadDone(bool ok) override {
      Speech speech;
      if (ok) {
        v1::WorkRequest request;
        grpc::ProtoBufferReader reader(&read_);
        EXPECT_TRUE(request.ParseFromZeroCopyStream(&reader)) << "the worker says what a daemon can read";
        speech = daemon_.Hear(request, &key_, &mad_);
      } else {
        speech.ends = true;
      }
      {
        std::lock_guard guard(mutex_);
        for (std::string& each : speech.messages) waits_.push_back(std::move(each));
        ends_ = speech.ends;
        status_ = speech.status;
      }
      Pump();
      if (!speech.ends) StartRead(&read_);
    }
    void OnWriteDone(bool ok) override {
      {
        std::lock_guard guard(mutex_);
        writing_ = false;
        if (!ok) waits_.clear();
      }
      Pump();
    }
    void OnDone() override { delete this; }

    void Pump() {
      {
        std::lock_guard guard(mutex_);
        if (writing_ || finished_) return;
        if (waits_.empty()) {
          if (!ends_) return;
          finished_ = true;
        } else {
          writing_ = true;
          const grpc::Slice slice(waits_.front());
          waits_.pop_front();
          write_ = grpc::ByteBuffer(&slice, 1);
        }
      }
      if (finished_) return Finish(status_);
      StartWrite(&write_);
    }

    MadDaemon& daemon_;
    grpc::ByteBuffer read_, write_;
    std::string key_;
    bool mad_ = false;
    std::mutex mutex_;
    std::deque<std::string> waits_;
    bool writing_ = false, ends_ = false, finished_ = false;
    grpc::Status status_;
  };

  grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* Work(grpc::CallbackServerContext*) override {
    return new Stream(*this);
  }

  grpc::Status ReadPayload(grpc::ServerContext*, const v1::ReadPayloadRequest*,
                           grpc::ServerWriter<v1::ReadPayloadResponse>* writer) override {
    std::lock_guard guard(mutex_);
    if (mad_left_ > 0) return madness_.OfPayload(writer);
    google::rpc::ErrorInfo info;
    info.set_reason("LEASE_LOST");
    google::rpc::Status details;
    details.set_code(grpc::StatusCode::FAILED_PRECONDITION);
    details.add_details()->PackFrom(info);
    return {grpc::StatusCode::FAILED_PRECONDITION, "others run it", details.SerializeAsString()};
  }

  Speech Hear(const v1::WorkRequest& request, std::string* key, bool* mad) {
    std::lock_guard guard(mutex_);
    if (request.has_hello()) {
      *key = request.hello().instance_key();
      Known& worker = workers_[*key];
      worker.name = request.hello().worker();
      *mad = mad_left_ > 0;
      if (*mad) --mad_left_;
      if (*mad) return madness_.On(request, ++worker.streams == 1);
    }
    if (*mad) return {.messages = {}, .ends = true, .status = {grpc::StatusCode::UNAVAILABLE, "mad"}};
    return HearSanely(request, workers_[*key]);
  }

  static Speech HearSanely(const v1::WorkRequest& request, Known& worker) {
    v1::WorkResponse response;
    if (request.has_hello()) {
      worker.granted = worker.given = 0;
      response.mutable_welcome()->mutable_heartbeat_interval()->set_seconds(1);
      response.mutable_welcome()->mutable_lease()->set_seconds(3600);
      response.mutable_welcome()->add_capabilities("checkpoint");
      response.mutable_welcome()->add_capabilities("costs");
      // The attempts that it still runs were never leased to it.
      for (const v1::HeldAttempt& each : request.hello().held()) {
        if (each.state() != v1::HeldAttempt::STATE_ENDED_UNACKED) *response.mutable_welcome()->add_lost() = each.ref();
      }
    }
    if (request.has_heartbeat()) response.mutable_heartbeat_ack()->set_sequence(request.heartbeat().sequence());
    for (const v1::AttemptEnd& end : request.ended()) {
      *response.add_acked() = end.ref();
      if (end.ref().job_id().starts_with("good ")) worker.results[end.ref().job_id()] = end.result();
    }
    if (request.has_credit()) worker.granted = request.credit().slots_granted_total();
    for (; worker.given < worker.granted && worker.jobs < kGoodJobs; ++worker.given) {
      v1::Lease& lease = *response.add_leases();
      lease.set_kind("work");
      lease.set_payload("payload");
      lease.mutable_ref()->set_job_id("good " + std::to_string(++worker.jobs));
      lease.mutable_ref()->set_attempt(1);
      lease.mutable_ref()->set_token(1000);
    }
    Speech speech;
    if (response.ByteSizeLong() > 0) speech.messages.push_back(response.SerializeAsString());
    return speech;
  }

  std::mutex mutex_;
  Madness madness_;
  int mad_left_ = kMadStreams;
  std::map<std::string, Known> workers_;  // By key.
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

TEST(WorkerFuzz, SurvivesADaemonThatSaysAnythingAndWorksWhenThatIsSaneAgain) {
  MadDaemon daemon(millrace::test::ChosenSeed("WorkerFuzz"));
  std::atomic<int> runs{0};
  std::vector<std::unique_ptr<Client>> clients;
  std::vector<std::unique_ptr<Worker>> workers;
  std::vector<std::jthread> threads;
  for (int i = 0; i < kFuzzedWorkers; ++i) {
    clients.push_back(*Client::Connect(daemon.address(), {.own_connection = true}));
    const WorkerOptions options{
        .name = "w" + std::to_string(i), .slots = kSlots, .drain_timeout = 1ms, .warn = [](auto&) {}};
    workers.push_back(std::make_unique<Worker>(*clients.back(), options));
    const auto run = [&](Attempt& attempt) {
      ++runs;
      attempt.SetProgress(0.5, "half");
      attempt.Log("at work\n");
      const Status saved = attempt.SaveCheckpoint("half");
      EXPECT_TRUE(saved.ok() || saved.reason() == "CHECKPOINT_UNSUPPORTED") << saved.message();
      return Outcome::Success("done " + attempt.payload());
    };
    workers.back()->Handle("work", run);
    workers.back()->Handle("wide", run, {.slots = 2});
  }
  for (auto& each : workers) {
    threads.emplace_back([&worker = *each](std::stop_token stop) { EXPECT_TRUE(worker.Run(stop).ok()); });
  }
  for (int i = 0; i < kFuzzedWorkers; ++i) {
    const std::string name = "w" + std::to_string(i);
    Eventually([&] { return daemon.Of(name).results.size() == kGoodJobs; });
    for (const auto& [job, result] : daemon.Of(name).results) EXPECT_EQ(result, "done payload") << job;
    Eventually([&] { return daemon.Of(name).free_slots == kSlots; });  // No slot was lost on the way.
    Eventually([&] { return workers[static_cast<size_t>(i)]->healthy(); });
  }
  fprintf(stderr, "  %d attempts were run\n", runs.load());
  threads.clear();
}

}  // namespace
}  // namespace millrace::client
