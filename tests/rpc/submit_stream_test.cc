#include "rpc/submit_stream.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/rpc/daemon.h"

namespace millrace::rpc {
namespace {

using test::Brief;
using test::Daemon;
using test::Decode;
using test::Eventually;

v1::StreamSubmitRequest Item(int64_t sequence, const std::string& kind = "echo", const std::string& payload = "") {
  v1::StreamSubmitRequest item;
  item.set_sequence(sequence);
  item.mutable_request()->mutable_spec()->set_kind(kind);
  item.mutable_request()->mutable_spec()->set_payload(payload);
  item.mutable_request()->set_on_full(v1::ON_FULL_WAIT);
  return item;
}

uint64_t Submitted(const Daemon& d, dispatch::SubmitResult result) {
  return d.dispatcher->Stats().pools.at(0).submitted[static_cast<size_t>(result)];
}

using Stream = std::unique_ptr<grpc::ClientReaderWriter<v1::StreamSubmitRequest, v1::StreamSubmitResponse>>;

TEST(StreamSubmit, AnswersEveryItemByItsSequence) {
  Daemon d;
  grpc::ClientContext context;
  Stream stream = d.jobs->StreamSubmit(&context);
  constexpr int kItems = 5000;
  std::thread writer([&] {
    for (int i = 0; i < kItems; ++i) ASSERT_TRUE(stream->Write(Item(i * 3)));
    stream->WritesDone();
  });
  std::set<int64_t> sequences;
  std::set<std::string> ids;
  v1::StreamSubmitResponse answer;
  while (stream->Read(&answer)) {
    ASSERT_TRUE(answer.has_response()) << Brief(Decode(answer.error()));
    sequences.insert(answer.sequence());
    ids.insert(answer.response().id());
  }
  writer.join();
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_EQ(sequences.size(), static_cast<size_t>(kItems));
  EXPECT_EQ(ids.size(), static_cast<size_t>(kItems));
  EXPECT_EQ(*sequences.rbegin(), (kItems - 1) * 3);
  Eventually([&] { return d.stats.Requests(Method::kStreamSubmit, StatusCode::kOk) == 1; });
}

TEST(StreamSubmit, ABadItemIsAnAnswerAndTheStreamGoesOn) {
  Daemon d;
  grpc::ClientContext context;
  Stream stream = d.jobs->StreamSubmit(&context);
  const auto ask = [&](const v1::StreamSubmitRequest& item) {
    v1::StreamSubmitResponse answer;
    EXPECT_TRUE(stream->Write(item));
    EXPECT_TRUE(stream->Read(&answer));
    EXPECT_EQ(answer.sequence(), item.sequence());
    return answer.has_error() ? Brief(Decode(answer.error())) : std::string("OK");
  };
  EXPECT_EQ(ask(Item(1)), "OK");
  EXPECT_EQ(ask(Item(2, "")), "INVALID_ARGUMENT KIND_MISSING request.spec.kind");
  v1::StreamSubmitRequest empty;
  EXPECT_EQ(ask(empty), "INVALID_ARGUMENT KIND_MISSING request.spec.kind");
  EXPECT_EQ(ask(Item(3, "nope")).substr(0, 24), "NOT_FOUND KIND_NOT_FOUND");
  EXPECT_EQ(ask(Item(4, "echo", std::string((1 << 20) + 1, 'x'))).substr(0, 17), "INVALID_ARGUMENT ");
  EXPECT_EQ(ask(Item(-5)), "OK");

  d.Pause();
  v1::StreamSubmitRequest reject = Item(6);
  reject.mutable_request()->set_on_full(v1::ON_FULL_REJECT);
  std::string last;
  for (int i = 0; i < 5; ++i) last = ask(reject);
  EXPECT_EQ(last.substr(0, 29), "RESOURCE_EXHAUSTED QUEUE_FULL");
  d.Resume();
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());
}

// Writes `items` items of `payload_bytes` into a full, paused pool; returns once the server has stopped reading, with
// `waiting` items un-answered, and has stayed so for a while of its own life; then lets the pool work and expects every
// answer.
void ExpectAFullPoolStopsTheReader(int items, size_t payload_bytes, int64_t waiting) {
  Daemon d;
  d.Pause();
  for (int i = 0; i < 4; ++i) d.Submit("echo");
  grpc::ClientContext context;
  Stream stream = d.jobs->StreamSubmit(&context);
  std::atomic<int> written{0};
  std::thread writer([&] {
    const std::string payload(payload_bytes, 'p');
    for (int i = 0; i < items; ++i) {
      ASSERT_TRUE(stream->Write(Item(i, "echo", payload)));
      ++written;
    }
    stream->WritesDone();
  });
  Eventually([&] { return d.Pool().waiting_submits == waiting; });
  for (int calls = 0; calls < 200; ++calls) {
    grpc::ClientContext other;
    v1::GetPoolRequest request;
    request.set_name("default");
    v1::Pool pool;
    ASSERT_TRUE(d.pools->GetPool(&other, request, &pool).ok());
    ASSERT_EQ(pool.waiting_submits(), waiting);
  }
  EXPECT_LT(written, items) << "the client should be held up";

  d.Resume();
  std::set<int64_t> sequences;
  v1::StreamSubmitResponse answer;
  while (stream->Read(&answer)) {
    ASSERT_TRUE(answer.has_response()) << Brief(Decode(answer.error()));
    sequences.insert(answer.sequence());
  }
  writer.join();
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_EQ(sequences.size(), static_cast<size_t>(items));
}

TEST(StreamSubmit, AFullPoolStopsTheReaderAfterAWindowOfItems) {
  ExpectAFullPoolStopsTheReader(4000, 10'000, static_cast<int64_t>(kWindowItems));
}

TEST(StreamSubmit, AFullPoolStopsTheReaderAfterAWindowOfBytes) {
  ExpectAFullPoolStopsTheReader(100, size_t{1} << 20, static_cast<int64_t>(kWindowBytes >> 20));
}

TEST(StreamSubmit, AClientThatDoesNotReadStopsTheReaderToo) {
  Daemon d;
  grpc::ClientContext context;
  Stream stream = d.jobs->StreamSubmit(&context);
  constexpr int kItems = 200'000;
  std::atomic<int> written{0};
  std::thread writer([&] {
    // The answer to an unknown kind is much larger than the question, so its way back fills up first.
    while (written < kItems && stream->Write(Item(written, "nope"))) ++written;
    stream->WritesDone();
  });
  uint64_t last = 0;
  const auto refused = [&] {
    return d.dispatcher->Stats().unknown_pool + Submitted(d, dispatch::SubmitResult::kRefused);
  };
  // Until a thousand calls in a row saw no progress: the way back is full, and so is the window.
  for (int still = 0; still < 1000;) {
    grpc::ClientContext other;
    v1::ListPoolsResponse pools;
    ASSERT_TRUE(d.pools->ListPools(&other, {}, &pools).ok());
    still = refused() == last && last != 0 ? still + 1 : 0;
    last = refused();
  }
  EXPECT_LT(last, static_cast<uint64_t>(kItems)) << "the server read on though nobody takes its answers";
  int answers = 0;
  v1::StreamSubmitResponse answer;
  while (stream->Read(&answer)) ++answers;
  writer.join();
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_EQ(answers, kItems);
}

TEST(StreamSubmit, AClientThatVanishesTakesItsWaitingItemsAlong) {
  Daemon d;
  d.Pause();
  {
    grpc::ClientContext context;
    Stream stream = d.jobs->StreamSubmit(&context);
    for (int i = 0; i < 50; ++i) ASSERT_TRUE(stream->Write(Item(i)));
    Eventually([&] { return d.Pool().waiting_submits == 46; });
    context.TryCancel();
    EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
  }
  Eventually([&] { return d.Pool().waiting_submits == 0; });
  Eventually([&] { return d.stats.Requests(Method::kStreamSubmit, StatusCode::kCancelled) == 1; });
  EXPECT_EQ(Submitted(d, dispatch::SubmitResult::kAccepted), 4u) << "what was accepted stays so";
  EXPECT_EQ(Submitted(d, dispatch::SubmitResult::kAbandoned), 46u);
  d.Resume();
  Eventually([&] { return d.Pool().queued_jobs == 0; });
  EXPECT_EQ(d.Wait(d.Submit("echo")).state(), v1::JOB_STATE_SUCCEEDED);
}

TEST(StreamSubmit, ClientsThatVanishWhileThePoolWorksLeakNothing) {
  Daemon d;
  for (int round = 0; round < 50; ++round) {
    grpc::ClientContext context;
    Stream stream = d.jobs->StreamSubmit(&context);
    for (int i = 0; i < 40; ++i) stream->Write(Item(i));
    context.TryCancel();
    stream->Finish();
  }
  Eventually([&] { return d.Pool().waiting_submits == 0 && d.Pool().queued_jobs == 0 && d.Pool().workers_busy == 0; });
  Eventually([&] {
    uint64_t ended = 0;
    for (const StatusCode code : {StatusCode::kOk, StatusCode::kCancelled})
      ended += d.stats.Requests(Method::kStreamSubmit, code);
    return ended == 50;
  });
}

TEST(StreamSubmit, AHalfClosedStreamStillGetsItsAnswers) {
  Daemon d;
  d.Pause();
  grpc::ClientContext context;
  Stream stream = d.jobs->StreamSubmit(&context);
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(stream->Write(Item(i)));
  stream->WritesDone();
  Eventually([&] { return d.Pool().waiting_submits == 16; });
  d.Resume();
  int answers = 0;
  v1::StreamSubmitResponse answer;
  while (stream->Read(&answer)) ++answers;
  EXPECT_EQ(answers, 20);
  EXPECT_TRUE(stream->Finish().ok());
}

TEST(StreamSubmit, AMessageOverTheLimitEndsOnlyItsStream) {
  Daemon d({.server = {.message_bytes_max = 4 << 20}});
  grpc::ClientContext context;
  Stream stream = d.jobs->StreamSubmit(&context);
  stream->Write(Item(1, "echo", std::string(5 << 20, 'x')));
  stream->WritesDone();
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(d.Wait(d.Submit("echo")).state(), v1::JOB_STATE_SUCCEEDED);
}

}  // namespace
}  // namespace millrace::rpc
