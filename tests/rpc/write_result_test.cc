#include "rpc/write_result.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <string>

#include "rpc/read_pieces.h"
#include "tests/rpc/raw_call.h"
#include "tests/rpc/speaker.h"
#include "tests/support/slow_journal.h"

namespace millrace::rpc {
namespace {

using test::Accepted;
using test::Brief;
using test::Daemon;
using test::HasAcked;
using test::Speaker;
using test::SyncSpeaker;

constexpr size_t kLarge = size_t{3} << 20;

test::DaemonOptions WithLargeResults() {
  test::DaemonOptions options = test::WithRemotePool();
  options.dispatcher.result_bytes_max = size_t{8} << 20;
  return options;
}

// Bytes that differ from place to place.
std::string LargeResult(size_t bytes = kLarge) {
  std::string text(bytes, '\0');
  for (size_t i = 0; i < bytes; ++i) text[i] = static_cast<char>(i * 31 + i / 1000);
  return text;
}

// One call, piece by piece.
class Writing {
 public:
  explicit Writing(Daemon& d) : writer_(d.workers->WriteResult(&context_, &response_)) {}
  ~Writing() { context_.TryCancel(); }

  bool Begin(const v1::AttemptRef& ref, size_t bytes, std::string data = "") {
    v1::WriteResultRequest request;
    *request.mutable_ref() = ref;
    request.set_bytes(static_cast<int64_t>(bytes));
    request.mutable_timings()->mutable_cpu()->set_nanos(1000);
    request.set_data(std::move(data));
    return writer_->Write(request);
  }
  bool Add(std::string data) {
    v1::WriteResultRequest request;
    request.set_data(std::move(data));
    return writer_->Write(request);
  }
  void AddAll(const std::string& result) {
    for (size_t at = 0; at < result.size(); at += kPieceBytes) {
      if (!Add(result.substr(at, kPieceBytes))) return;  // End says why.
    }
  }
  std::string End() {
    writer_->WritesDone();
    return Brief(writer_->Finish());
  }
  void Cancel() { context_.TryCancel(); }

 private:
  grpc::ClientContext context_;
  v1::WriteResultResponse response_;
  std::unique_ptr<grpc::ClientWriter<v1::WriteResultRequest>> writer_;
};

std::string Write(Daemon& d, const v1::AttemptRef& ref, const std::string& result) {
  Writing writing(d);
  writing.Begin(ref, result.size());
  writing.AddAll(result);
  return writing.End();
}

// A call has ended before its end. Its last read may fail before gRPC says why: then its pieces are too few.
void AwaitCut(const Daemon& d) {
  test::Eventually([&] {
    const auto ended = [&](StatusCode code) { return d.stats.Requests(Method::kWriteResult, code); };
    return ended(StatusCode::kCancelled) + ended(StatusCode::kInvalidArgument) == 1;
  });
}

struct ReadResultSeen {
  std::string end, result;
};

ReadResultSeen Read(Daemon& d, const std::string& id) {
  ReadResultSeen seen;
  v1::ReadResultRequest request;
  request.set_id(id);
  grpc::ClientContext context;
  auto reader = d.jobs->ReadResult(&context, request);
  for (v1::ReadResultResponse piece; reader->Read(&piece);) {
    EXPECT_LE(piece.data().size(), kPieceBytes);
    seen.result += piece.data();
  }
  seen.end = Brief(reader->Finish());
  return seen;
}

template <typename Worker>
void WriteAndRead() {
  Daemon d(WithLargeResults());
  Worker worker(d);
  worker.Say(Speaker::Hello());
  EXPECT_EQ(worker.Welcome().welcome().result_bytes_max(), int64_t{8} << 20);
  const std::string id = d.Submit("resize");
  const v1::Lease lease = worker.Lease();
  worker.Say(Accepted(lease.ref()));
  EXPECT_EQ(Read(d, id).end, "FAILED_PRECONDITION NO_RESULT");
  const std::string result = LargeResult();
  EXPECT_EQ(Write(d, lease.ref(), result), "OK");
  worker.Next(HasAcked);
  const v1::Job job = d.Get(id);
  EXPECT_EQ(job.state(), v1::JOB_STATE_SUCCEEDED);
  EXPECT_EQ(job.result(), "");
  EXPECT_EQ(job.result_bytes(), static_cast<int64_t>(result.size()));
  EXPECT_EQ(job.attempt_history(0).timings().cpu().nanos(), 1000);
  const ReadResultSeen seen = Read(d, id);
  EXPECT_EQ(seen.end, "OK");
  EXPECT_TRUE(seen.result == result);
  EXPECT_EQ(Write(d, lease.ref(), result), "OK") << "said again, as the answer may have been lost";
  EXPECT_EQ(d.stats.Requests(Method::kWriteResult, StatusCode::kOk), 2u);
}

TEST(WriteResult, AStreamsWorkerWritesAResultThatNoMessageHolds) { WriteAndRead<Speaker>(); }

TEST(WriteResult, AWorkerThatCallsWritesAResultThatNoMessageHolds) { WriteAndRead<SyncSpeaker>(); }

TEST(WriteResult, EveryMistakeHasItsAnswerAndTheAttemptGoesOn) {
  Daemon d(WithLargeResults());
  Speaker worker(d);
  worker.Say(Speaker::Hello());
  const std::string id = d.Submit("resize");
  const v1::Lease lease = worker.Lease();
  worker.Say(Accepted(lease.ref()));
  const auto write = [&](const v1::AttemptRef& ref, size_t bytes, const std::string& first,
                         const std::string& second = "") {
    Writing writing(d);
    writing.Begin(ref, bytes, first);
    if (!second.empty()) writing.Add(second);
    return writing.End();
  };
  v1::AttemptRef wrong = lease.ref();
  wrong.set_token(wrong.token() + 1);
  EXPECT_EQ(write(wrong, 1, "x"), "FAILED_PRECONDITION LEASE_LOST");
  wrong.set_job_id("01K5AZ7N3Q0R8Z4V6X2Y9W1T5M");
  EXPECT_EQ(write(wrong, 1, "x"), "FAILED_PRECONDITION LEASE_LOST");
  wrong.set_job_id("nonsense");
  EXPECT_EQ(write(wrong, 1, "x"), "INVALID_ARGUMENT JOB_ID_MALFORMED ref.job_id");
  EXPECT_EQ(write(lease.ref(), (size_t{8} << 20) + 1, "x"), "INVALID_ARGUMENT RESULT_TOO_LARGE bytes");
  EXPECT_EQ(write(lease.ref(), SIZE_MAX, "x"), "INVALID_ARGUMENT BAD_RESULT bytes") << "-1";
  EXPECT_EQ(write(lease.ref(), 1, "xx"), "INVALID_ARGUMENT BAD_RESULT data");
  EXPECT_EQ(write(lease.ref(), 3, "xx"), "INVALID_ARGUMENT BAD_RESULT data");
  EXPECT_EQ(write(lease.ref(), 3, "xx", "xx"), "INVALID_ARGUMENT BAD_RESULT data");
  EXPECT_EQ(write(lease.ref(), kLarge, std::string(size_t{1} << 20, 'x')), "INVALID_ARGUMENT MESSAGE_TOO_LARGE");
  EXPECT_EQ(Writing(d).End(), "INVALID_ARGUMENT BAD_RESULT data") << "no message at all";
  test::RawStream raw(d.channel, "/millrace.v1.WorkerService/WriteResult");
  ASSERT_TRUE(raw.Write("\xff\xff\xff"));
  EXPECT_EQ(Brief(raw.Finish()), "INVALID_ARGUMENT MALFORMED_REQUEST");
  EXPECT_EQ(d.Get(id).state(), v1::JOB_STATE_RUNNING);
  EXPECT_EQ(write(lease.ref(), 4, "xx", "xx"), "OK");
  EXPECT_EQ(d.Get(id).result(), "xxxx") << "a small one is as any other";
}

TEST(WriteResult, ACallThatIsCancelledLeavesNothing) {
  Daemon d(WithLargeResults());
  Speaker worker(d);
  worker.Say(Speaker::Hello());
  const std::string id = d.Submit("resize");
  const v1::Lease lease = worker.Lease();
  worker.Say(Accepted(lease.ref()));
  {
    Writing writing(d);
    ASSERT_TRUE(writing.Begin(lease.ref(), kLarge, "begin"));
    ASSERT_TRUE(writing.Add("more"));
  }
  AwaitCut(d);
  EXPECT_EQ(d.Get(id).state(), v1::JOB_STATE_RUNNING);
  EXPECT_EQ(Write(d, lease.ref(), LargeResult()), "OK");
}

TEST(WriteResult, MoreThanThereIsRoomForIsBusyAndLaterThereIsRoom) {
  test::DaemonOptions options = WithLargeResults();
  options.server.call_bytes_max = size_t{20} << 20;  // 10 MiB for those that last: one of them.
  Daemon d(options);
  Speaker worker(d);
  worker.Say(Speaker::Hello("a", 2));
  const std::string one = d.Submit("resize"), other = d.Submit("resize");
  const v1::AttemptRef refs[] = {worker.Lease().ref(), worker.Lease().ref()};
  const std::string result = LargeResult(size_t{6} << 20);
  Writing first(d);
  first.Begin(refs[0], result.size());
  first.AddAll(result.substr(0, kPieceBytes));
  // Sooner or later the first one has its room.
  std::string end;
  test::Eventually([&] {
    Writing second(d);
    second.Begin(refs[1], result.size());
    const bool room = second.Add("x") && second.Add("y");
    end = room ? "" : second.End();
    return end == "RESOURCE_EXHAUSTED SERVER_BUSY";
  });
  first.AddAll(result.substr(kPieceBytes));
  EXPECT_EQ(first.End(), "OK");
  // A call gives its room back a moment after its answer.
  const std::string busy = "RESOURCE_EXHAUSTED SERVER_BUSY";
  test::Eventually([&] { return (end = Write(d, refs[1], result)) != busy; });
  EXPECT_EQ(end, "OK");
  for (const std::string& id : {one, other}) {
    ReadResultSeen seen;
    test::Eventually([&] { return (seen = Read(d, id)).end != busy; });
    EXPECT_EQ(seen.end, "OK");
    EXPECT_TRUE(seen.result == result);
  }
}

TEST(WriteResult, AWorkerThatSendsNothingMoreIsCutAndHoldsUpNobody) {
  test::DaemonOptions options = WithLargeResults();
  options.server.answer_time_max = std::chrono::seconds(3);  // A machine may pause for a while.
  Daemon d(options);
  Speaker worker(d);
  worker.Say(Speaker::Hello());
  const std::string id = d.Submit("resize");
  const v1::Lease lease = worker.Lease();
  Writing silent(d);
  ASSERT_TRUE(silent.Begin(lease.ref(), kLarge, "begin"));
  AwaitCut(d);
  EXPECT_EQ(Write(d, lease.ref(), LargeResult()), "OK");
  EXPECT_EQ(d.Get(id).state(), v1::JOB_STATE_SUCCEEDED);
}

TEST(WriteResult, AServerThatStopsEndsACallThatWaitsForItsCommit) {
  test::SlowJournal journal;
  test::DaemonOptions options = WithLargeResults();
  options.journal = &journal;
  Daemon d(options);
  Speaker worker(d);
  worker.Say(Speaker::Hello());
  std::atomic<bool> done{false};
  std::thread commits([&] {
    while (!done) {
      journal.Commit();
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  });
  d.Submit("resize");
  const v1::Lease lease = worker.Lease();
  done = true;
  commits.join();
  Writing writing(d);
  const std::string result = LargeResult();
  writing.Begin(lease.ref(), result.size());
  writing.AddAll(result);
  std::string end;
  std::thread ends([&] { end = writing.End(); });
  const auto job = *JobId::Parse(lease.ref().job_id());
  test::Eventually([&] { return journal.Appended(job) == JobState::kSucceeded; });
  d.server->Stop(std::chrono::seconds(60));
  ends.join();
  EXPECT_EQ(end, "UNAVAILABLE DRAINING");
  // What dispatch was told stays so.
  journal.Commit();
  EXPECT_EQ(d.dispatcher->Get(job, /*full=*/false)->state, JobState::kSucceeded);
  std::atomic<bool> over{false};
  std::thread last([&] {
    while (!over) {
      journal.Commit();
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  });
  d.Drain();
  over = true;
  last.join();
}

}  // namespace
}  // namespace millrace::rpc
