// The daemon's end of Work and Sync, against workers that say anything: it survives, answers each with one clear
// status, and serves a good worker meanwhile.
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/rpc/raw_call.h"
#include "tests/rpc/speaker.h"
#include "tests/support/mutate.h"

namespace millrace::rpc {
namespace {

using test::Brief;
using test::Daemon;
using test::Mutator;
using test::RawCall;
using test::Speaker;

constexpr int kTalkers = 8;
constexpr int kTalksOfEach = 60;
constexpr int kJobsForThem = 1500;

// A call of Work that says what it is given, byte by byte as it is, and hears all that is told meanwhile.
class RawTalk {
 public:
  explicit RawTalk(Daemon& d)
      : stub_(d.channel), call_(stub_.PrepareCall(&context_, "/millrace.v1.WorkerService/Work", &queue_)) {
    call_->StartCall(this);
    Step();
    call_->Read(&heard_bytes_, &heard_bytes_);
  }
  ~RawTalk() {
    context_.TryCancel();
    queue_.Shutdown();
    void* tag = nullptr;
    bool ok = false;
    while (queue_.Next(&tag, &ok)) {
    }
  }
  // Returns when it has left, or the call has ended.
  void Say(const std::string& bytes) {
    const grpc::Slice slice(bytes);
    if (ended_) return;
    call_->Write(grpc::ByteBuffer(&slice, 1), this);
    Step();
  }
  // Waits for the first word, if there is one.
  void Hear() {
    while (!ended_ && heard.empty()) Next();
  }
  // How the daemon ends the call, once everything was said.
  grpc::Status End() {
    if (!ended_) {
      call_->WritesDone(this);
      Step();
    }
    while (!ended_) Next();
    grpc::Status status;
    call_->Finish(&status, this);
    Step();
    return status;
  }

  std::vector<v1::WorkResponse> heard;

 private:
  // Until the step that was begun has ended.
  void Step() {
    while (Next() != this) {
    }
  }
  void* Next() {
    void* tag = nullptr;
    bool ok = false;
    MR_CHECK(queue_.Next(&tag, &ok), "the queue has ended");
    if (tag != &heard_bytes_) return tag;
    if (!ok) {
      ended_ = true;
      return tag;
    }
    v1::WorkResponse told;
    grpc::ProtoBufferReader reader(&heard_bytes_);
    EXPECT_TRUE(told.ParseFromZeroCopyStream(&reader)) << "the daemon says what a client can read";
    heard.push_back(std::move(told));
    call_->Read(&heard_bytes_, &heard_bytes_);
    return tag;
  }

  grpc::ClientContext context_;
  grpc::GenericStub stub_;
  grpc::CompletionQueue queue_;
  grpc::ByteBuffer heard_bytes_;
  bool ended_ = false;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> call_;
};

// Words as no worker of ours says them, made of what was heard.
class Nonsense {
 public:
  Nonsense(uint64_t seed, std::string key, std::string foreign)
      : bytes_(seed), key_(std::move(key)), foreign_(std::move(foreign)) {}

  std::string Hello() {
    v1::WorkRequest request = Speaker::Hello(key_ + std::to_string(bytes_.Below(3)), 0);
    v1::WorkerHello& hello = *request.mutable_hello();
    hello.mutable_kinds(0)->set_kind("fuzz");
    if (bytes_.OneIn(2)) request.mutable_credit()->set_slots_granted_total(Credit());
    switch (bytes_.Below(16)) {
      case 0:
        hello.set_slots(bytes_.Any({0, -1, INT32_MAX, INT32_MIN, 10'001}));
        break;
      case 1:
        hello.mutable_kinds(0)->set_slots(bytes_.Any({-1, 2, 5, INT32_MAX, INT32_MIN}));
        break;
      case 2:
        hello.mutable_kinds(0)->set_at_once_max(bytes_.Any({-1, 1, INT32_MAX, INT32_MIN}));
        break;
      case 3:
        *hello.mutable_kinds(0)->mutable_beat_within() = AnyTime();
        break;
      case 4:
        for (int i = 0; i < 300; ++i) *hello.add_kinds() = hello.kinds(0);
        break;
      case 5:
        *hello.add_kinds() = hello.kinds(0);
        break;
      case 6:
        hello.set_worker(bytes_.Any<const char*>({"", "two words", "\x01\x02", "a\nb"}));
        break;
      case 7:
        hello.set_instance_key(bytes_.Any({std::string(), std::string(65, 'k')}));
        break;
      case 8:
        (*hello.mutable_labels())[bytes_.Any<const char*>({"", "worker", "a b", "\x7f"})] = "x\ty";
        break;
      case 9:
        hello.set_protocol_min(bytes_.Any({2, -1, INT32_MAX}));
        break;
      case 10:
        for (int i = 0; i < 10'001; ++i) *hello.add_held()->mutable_ref() = Ref({});
        break;
      case 11:
        for (int i = 0; i < 100; ++i) *hello.add_held()->mutable_ref() = Ref({});
        break;
      default:
        break;
    }
    return bytes_.OneIn(6) ? bytes_.Change(request.SerializeAsString()) : request.SerializeAsString();
  }

  std::string Word(const std::vector<v1::WorkResponse>& heard) {
    v1::WorkRequest request;
    for (size_t words = 1 + bytes_.Below(3); words > 0; --words) Add(heard, &request);
    return bytes_.OneIn(4) ? bytes_.Change(request.SerializeAsString()) : request.SerializeAsString();
  }

  Mutator& bytes() { return bytes_; }

 private:
  int64_t Credit() {
    constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
    return bytes_.Any<int64_t>({4, 4, 4, 1, 0, -1, 10'000, 1'000'000, kMost, kMost - 1, -kMost});
  }
  google::protobuf::Duration AnyTime() {
    google::protobuf::Duration time;
    time.set_seconds(bytes_.Any<int64_t>({0, 1, -1, 315'576'000'001, INT64_MAX, INT64_MIN}));
    time.set_nanos(bytes_.Any({0, 1, -1, 1'000'000'000, INT32_MAX, INT32_MIN}));
    return time;
  }
  std::string AnyText() {
    return bytes_.Any({std::string(), std::string("\x01\x1b[2J\x7f\0", 7), std::string(100'000, 'x'),
                       std::string("\xe2\x80\xae"
                                   "right to left"),
                       std::string("\n\r\n")});
  }

  // One of those that were leased, mostly, and mostly as it is.
  v1::AttemptRef Ref(const std::vector<v1::WorkResponse>& heard) {
    v1::AttemptRef ref;
    ref.set_job_id(foreign_);
    ref.set_attempt(1);
    ref.set_token(bytes_.Any<uint64_t>({0, 1, 2, 7, UINT64_MAX}));
    for (const v1::WorkResponse& each : heard) {
      if (each.leases_size() > 0 && bytes_.OneIn(2)) ref = each.leases(0).ref();
    }
    switch (bytes_.Below(12)) {
      case 0:
        ref.set_token(ref.token() + bytes_.Any<uint64_t>({1, UINT64_MAX, 256}));
        break;
      case 1:
        ref.set_attempt(bytes_.Any({0, -1, 2, INT32_MAX, INT32_MIN}));
        break;
      case 2:
        if (bytes_.OneIn(4))
          ref.set_job_id(bytes_.Any<const char*>({"", "x", "01K5AZ7N3Q0R8Z4V6X2Y9W1T5U", "../../etc"}));
        break;
      case 3:
        ref.set_job_id(foreign_);
        break;
      default:
        break;
    }
    return ref;
  }

  void Add(const std::vector<v1::WorkResponse>& heard, v1::WorkRequest* to) {
    switch (bytes_.Below(14)) {
      case 0:
        *to->add_accepted() = Ref(heard);
        break;
      case 1:
        AddOutput(Ref(heard), to);
        break;
      case 2: {
        v1::AttemptEnd& end = *to->add_ended();
        *end.mutable_ref() = Ref(heard);
        end.set_result(bytes_.OneIn(4) ? std::string((1 << 20) + 1, 'r') : bytes_.Bytes(20));
        *end.mutable_timings()->mutable_cpu() = AnyTime();
        if (bytes_.OneIn(2)) *to->add_ended() = end;  // Twice in one message.
        break;
      }
      case 3: {
        v1::AttemptEnd& end = *to->add_ended();
        *end.mutable_ref() = Ref(heard);
        end.mutable_failure()->set_error(AnyText());
        *end.mutable_failure()->mutable_retry_after() = AnyTime();
        break;
      }
      case 4:
        *to->add_ended()->mutable_ref() = Ref(heard);
        break;  // It says not how.
      case 5:
        *to->add_released() = Ref(heard);
        break;
      case 6:
      case 7:
        to->mutable_credit()->set_slots_granted_total(Credit());
        break;
      case 8:
        to->set_draining(bytes_.OneIn(4));
        break;
      case 9:
        to->mutable_heartbeat()->set_sequence(bytes_.Any<int64_t>({0, 1, -1, INT64_MAX, INT64_MIN}));
        break;
      case 10:
        *to->mutable_heartbeat()->mutable_held()->add_refs() = Ref(heard);
        break;
      case 11:
        to->set_goodbye(bytes_.OneIn(4));
        break;
      case 12: {
        const size_t count = bytes_.Any<size_t>({100, 2000, 10'001});
        for (size_t i = 0; i < count; ++i) *to->add_released() = *to->add_accepted() = Ref(heard);
        break;
      }
      default:
        to->mutable_hello()->set_worker("again");
    }
  }

  void AddOutput(const v1::AttemptRef& ref, v1::WorkRequest* to) {
    v1::AttemptOutput& output = *to->add_outputs();
    *output.mutable_ref() = ref;
    constexpr double kInfinite = std::numeric_limits<double>::infinity();
    output.mutable_progress()->set_fraction(bytes_.Any({0.5, std::nan(""), kInfinite, -kInfinite, -1.0, 1e308}));
    output.mutable_progress()->set_message(AnyText());
    if (bytes_.OneIn(3)) output.set_log(bytes_.Bytes(bytes_.Any<size_t>({1, 1000, 1 << 20})));
    if (bytes_.OneIn(200)) output.set_log(std::string(size_t{5} << 20, 'l'));
    if (bytes_.OneIn(3)) output.set_checkpoint(bytes_.Bytes(bytes_.Any<size_t>({0, 100, (64 << 10) + 1})));
  }

  Mutator bytes_;
  const std::string key_, foreign_;
};

// Those that the protocol names; and what a client is told whose bytes are no message.
void ExpectClear(const grpc::Status& status) {
  static const std::set<std::string> kClear = {"OK",
                                               "INVALID_ARGUMENT NO_HELLO",
                                               "INVALID_ARGUMENT TWO_HELLOS",
                                               "INVALID_ARGUMENT BAD_WORKER",
                                               "INVALID_ARGUMENT BAD_CREDIT",
                                               "INVALID_ARGUMENT BAD_WAIT",
                                               "INVALID_ARGUMENT MESSAGE_TOO_LARGE",
                                               "INVALID_ARGUMENT MALFORMED_REQUEST",
                                               "INVALID_ARGUMENT TOO_MANY_WORDS",
                                               "INVALID_ARGUMENT JOB_ID_MALFORMED",
                                               "INVALID_ARGUMENT BAD_DURATION",
                                               "FAILED_PRECONDITION PROTOCOL_UNSUPPORTED",
                                               "FAILED_PRECONDITION SESSION_REPLACED",
                                               "NOT_FOUND UNKNOWN_SESSION",
                                               "RESOURCE_EXHAUSTED SERVER_BUSY"};
  test::ErrorSeen seen = test::Decode(status);
  const std::string field = std::exchange(seen.field, "");
  EXPECT_TRUE(kClear.contains(Brief(seen))) << Brief(status) << ": " << status.error_message();
  if (seen.code == grpc::StatusCode::INVALID_ARGUMENT) {
    EXPECT_FALSE(status.error_message().empty());
  }
}

// Which ways calls ended, for whoever reads what the test prints.
class Ways {
 public:
  void Add(const grpc::Status& status) {
    const test::ErrorSeen seen = test::Decode(status);
    std::lock_guard guard(mutex_);
    ++count_[seen.reason.empty() ? "OK" : seen.reason];
  }
  void Print() {
    for (const auto& [way, count] : count_) fprintf(stderr, "  %d %s\n", count, way.c_str());
  }

 private:
  std::mutex mutex_;
  std::map<std::string, int> count_;
};

test::DaemonOptions ForFuzzing() {
  test::DaemonOptions options = test::WithRemotePool();
  options.pools[1].capacity_jobs = 100'000;
  options.dispatcher.losses_max = 1'000'000;
  options.dispatcher.check_invariants = true;
  return options;
}

// A worker as it should be, until the test has ended.
class GoodWorker {
 public:
  explicit GoodWorker(Daemon& d) : speaker_(d) {
    v1::WorkRequest hello = Speaker::Hello("good");
    hello.mutable_hello()->mutable_kinds(0)->set_kind("good");
    speaker_.Say(hello);
    speaker_.Welcome();
  }
  // A job goes through it.
  void Serve(Daemon& d) {
    const std::string id = d.Submit("good");
    const v1::Lease lease = speaker_.Lease();
    EXPECT_EQ(lease.ref().job_id(), id);
    v1::WorkRequest words = test::Ended(lease.ref(), "good " + id);
    words.mutable_credit()->set_slots_granted_total(++granted_);
    speaker_.Say(words);
    EXPECT_EQ(d.Wait(id).result(), "good " + id);
  }

 private:
  Speaker speaker_;
  int64_t granted_ = 1;
};

// Runs `talk` on many threads while a good worker works, and jobs come for the bad ones.
void WhileAGoodWorkerWorks(Daemon& d, const std::function<void(int talker)>& talk) {
  GoodWorker good(d);
  std::atomic<int> talking{kTalkers};
  std::vector<std::thread> talkers;
  for (int i = 0; i < kTalkers; ++i) {
    talkers.emplace_back([&, i] {
      talk(i);
      --talking;
    });
  }
  for (int submitted = 0; talking > 0;) {
    good.Serve(d);
    for (int i = 0; i < 3 && submitted < kJobsForThem; ++i, ++submitted) d.Submit("fuzz");
  }
  for (std::thread& each : talkers) each.join();
  good.Serve(d);
}

TEST(WorkFuzz, StreamsThatSayAnythingEndWithAClearStatusAndDisturbNobody) {
  const uint64_t seed = test::ChosenSeed("WorkFuzz");
  Daemon d(ForFuzzing());
  Ways ways;
  std::atomic<int> leased{0};
  WhileAGoodWorkerWorks(d, [&](int talker) {
    Nonsense nonsense(seed + static_cast<uint64_t>(talker), "fuzz-" + std::to_string(talker) + "-",
                      d.Submit("hold", "", "default"));
    for (int i = 0; i < kTalksOfEach; ++i) {
      RawTalk talk(d);
      talk.Say(nonsense.Hello());
      talk.Hear();
      for (size_t words = nonsense.bytes().Below(8); words > 0; --words) talk.Say(nonsense.Word(talk.heard));
      const grpc::Status status = talk.End();
      ExpectClear(status);
      ways.Add(status);
      for (const v1::WorkResponse& each : talk.heard) leased += each.leases_size();
    }
  });
  ways.Print();
  fprintf(stderr, "  %d leases were given to those\n", leased.load());
  EXPECT_GT(leased, 0);
}

TEST(WorkFuzz, CallsThatSayAnythingEndWithAClearStatusAndDisturbNobody) {
  const uint64_t seed = test::ChosenSeed("WorkFuzz");
  Daemon d(ForFuzzing());
  Ways ways;
  WhileAGoodWorkerWorks(d, [&](int talker) {
    const std::string key = "fuzz-" + std::to_string(talker) + "-";
    Nonsense nonsense(seed + static_cast<uint64_t>(talker), key, d.Submit("hold", "", "default"));
    std::vector<v1::WorkResponse> heard;
    for (int i = 0; i < 2 * kTalksOfEach; ++i) {
      v1::SyncRequest request;
      if (i % 4 != 0) request.set_instance_key(key + std::to_string(nonsense.bytes().Below(3)));
      if (nonsense.bytes().OneIn(16))
        request.mutable_wait()->set_seconds(nonsense.bytes().Any<int64_t>({-1, 61, INT64_MAX}));
      // `said` is field 2.
      const std::string said = i % 4 == 0 ? nonsense.Hello() : nonsense.Word(heard);
      std::string bytes = request.SerializeAsString();
      bytes += '\x12';
      for (size_t left = said.size();; left >>= 7) {
        bytes += static_cast<char>((left & 0x7f) | (left > 0x7f ? 0x80 : 0));
        if (left <= 0x7f) break;
      }
      bytes += said;
      std::string answer;
      const grpc::Status status = RawCall(d, "/millrace.v1.WorkerService/Sync", bytes, &answer);
      ExpectClear(status);
      ways.Add(status);
      v1::SyncResponse response;
      EXPECT_TRUE(response.ParseFromString(answer));
      if (status.ok()) heard.push_back(std::move(*response.mutable_told()));
    }
  });
  ways.Print();
}

}  // namespace
}  // namespace millrace::rpc
