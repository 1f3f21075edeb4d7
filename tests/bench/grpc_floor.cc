// grpc_floor: the same gRPC service with nothing behind it. It answers each submit with an id and runs no job, so its
// rate is the most that any server of this protocol can reach with this gRPC on this machine; Millrace's rate is told
// as a share of it.
//
//   build/bin/grpc_floor --address 127.0.0.1:7170 &
//   build/bin/millrace bench --floor --address 127.0.0.1:7170 --mode stream
//
// The same API (callback reactors, reply objects on the call's arena), keepalive and message limits as server/rpc, one
// reactor a stream, one read and one write under way at a time: what differs is only what Millrace does with a job.
#include <grpcpp/grpcpp.h>
#include <signal.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "millrace/v1/job_service.grpc.pb.h"

namespace {

namespace v1 = millrace::v1;

class Floor final : public v1::JobService::CallbackService {
 public:
  grpc::ServerUnaryReactor* SubmitJob(grpc::CallbackServerContext* context, const v1::SubmitJobRequest*,
                                      v1::SubmitJobResponse* response) override {
    Answer(response);
    auto* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }

  grpc::ServerUnaryReactor* BatchSubmitJobs(grpc::CallbackServerContext* context,
                                            const v1::BatchSubmitJobsRequest* request,
                                            v1::BatchSubmitJobsResponse* response) override {
    for (int i = 0; i < request->requests_size(); ++i) Answer(response->add_responses());
    auto* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }

  grpc::ServerBidiReactor<v1::StreamSubmitRequest, v1::StreamSubmitResponse>* StreamSubmit(
      grpc::CallbackServerContext*) override {
    return new Stream(*this);
  }

 private:
  // Reads on while answers are being written, as Millrace does, up to a bound of unwritten answers.
  class Stream final : public grpc::ServerBidiReactor<v1::StreamSubmitRequest, v1::StreamSubmitResponse> {
   public:
    explicit Stream(Floor& floor) : floor_(floor) { StartRead(&request_); }

    void OnReadDone(bool ok) override {
      std::unique_lock lock(mutex_);
      if (!ok) {
        reads_done_ = true;
        return MaybeFinish(lock);
      }
      v1::StreamSubmitResponse response;
      response.set_sequence(request_.sequence());
      floor_.Answer(response.mutable_response());
      unwritten_.push_back(std::move(response));
      if (unwritten_.size() == 1) WriteFront();
      reading_ = unwritten_.size() < kUnwrittenMax;
      if (reading_) StartRead(&request_);
    }

    void OnWriteDone(bool ok) override {
      std::unique_lock lock(mutex_);
      unwritten_.pop_front();
      if (!ok) unwritten_.clear();
      if (!unwritten_.empty()) WriteFront();
      if (!reading_ && !reads_done_) {
        reading_ = true;
        StartRead(&request_);
      }
      MaybeFinish(lock);
    }

    void OnDone() override { delete this; }

   private:
    static constexpr size_t kUnwrittenMax = 1024;

    void WriteFront() {
      grpc::WriteOptions how;
      if (unwritten_.size() > 1) how.set_buffer_hint();
      StartWrite(&unwritten_.front(), how);
    }
    void MaybeFinish(std::unique_lock<std::mutex>& lock) {
      if (!reads_done_ || !unwritten_.empty() || finished_) return;
      finished_ = true;
      lock.unlock();
      Finish(grpc::Status::OK);
    }

    Floor& floor_;
    std::mutex mutex_;
    v1::StreamSubmitRequest request_;
    std::deque<v1::StreamSubmitResponse> unwritten_;  // The front one is being written.
    bool reading_ = true;
    bool reads_done_ = false;
    bool finished_ = false;
  };

  void Answer(v1::SubmitJobResponse* response) {
    char id[27];  // As long as a real one.
    std::snprintf(id, sizeof id, "%026lld", static_cast<long long>(next_.fetch_add(1, std::memory_order_relaxed)));
    response->set_id(id);
    response->set_state(v1::JOB_STATE_QUEUED);
    response->set_durability(v1::DURABILITY_NONE);
  }

  std::atomic<int64_t> next_{1};
};

}  // namespace

int main(int argc, char** argv) {
  std::string address = "127.0.0.1:7170";
  if (argc == 3 && std::string_view(argv[1]) == "--address") {
    address = argv[2];
  } else if (argc != 1) {
    std::fprintf(stderr, "usage: grpc_floor [--address HOST:PORT]\n");
    return 2;
  }

  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);

  Floor floor;
  grpc::ServerBuilder builder;
  builder.AddListeningPort(address, grpc::InsecureServerCredentials());
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 10'000);
  builder.SetMaxReceiveMessageSize(64 << 20);
  builder.RegisterService(&floor);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (!server) {
    std::fprintf(stderr, "grpc_floor: cannot listen on %s\n", address.c_str());
    return 2;
  }
  std::printf("grpc_floor listens on %s\n", address.c_str());
  std::fflush(stdout);
  int signal = 0;
  sigwait(&set, &signal);
  server->Shutdown(std::chrono::system_clock::now());
  return 0;
}
