#include "rpc/read_pieces.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "tests/rpc/raw_call.h"
#include "tests/rpc/speaker.h"

namespace millrace::rpc {
namespace {

using test::Accepted;
using test::Brief;
using test::Daemon;
using test::Ended;
using test::HasAcked;
using test::Speaker;
using test::SyncSpeaker;
using test::WithRemotePool;

// Bytes that differ from place to place.
std::string BytesThatDiffer(size_t bytes) {
  std::string text(bytes, '\0');
  for (size_t i = 0; i < bytes; ++i) text[i] = static_cast<char>(i * 31 + i / 1000);
  return text;
}

v1::WorkRequest HelloOfAReader() {
  v1::WorkRequest hello = Speaker::Hello();
  hello.mutable_hello()->add_capabilities("payload_ref");
  hello.mutable_hello()->add_capabilities("something_newer");
  return hello;
}

struct ReadPayloadSeen {
  std::string end, payload;
  int pieces = 0;
};

ReadPayloadSeen ReadAll(Daemon& d, const v1::AttemptRef& ref) {
  ReadPayloadSeen seen;
  v1::ReadPayloadRequest request;
  *request.mutable_ref() = ref;
  grpc::ClientContext context;
  auto reader = d.workers->ReadPayload(&context, request);
  v1::ReadPayloadResponse piece;
  for (; reader->Read(&piece); ++seen.pieces) {
    EXPECT_LE(piece.data().size(), kPieceBytes);
    seen.payload += piece.data();
  }
  seen.end = Brief(reader->Finish());
  return seen;
}

// A worker reads a payload of so many bytes that its lease leaves out.
template <typename Worker>
void ReadApart(size_t bytes, int pieces) {
  Daemon d(WithRemotePool());
  Worker worker(d);
  worker.Say(HelloOfAReader());
  const std::string payload = BytesThatDiffer(bytes);
  const std::string id = d.Submit("resize", payload);
  const v1::Lease lease = worker.Lease();
  EXPECT_EQ(lease.payload(), "");
  EXPECT_EQ(lease.payload_bytes(), static_cast<int64_t>(bytes));
  worker.Say(Accepted(lease.ref()));
  const ReadPayloadSeen seen = ReadAll(d, lease.ref());
  EXPECT_EQ(seen.end, "OK");
  EXPECT_EQ(seen.pieces, pieces);
  EXPECT_TRUE(seen.payload == payload);
  worker.Say(Ended(lease.ref(), "done"));
  worker.Next(HasAcked);
  EXPECT_EQ(d.Get(id).result(), "done");
  EXPECT_EQ(ReadAll(d, lease.ref()).end, "FAILED_PRECONDITION LEASE_LOST") << "it has ended";
}

TEST(ReadPayload, AStreamsWorkerReadsALargePayloadApart) { ReadApart<Speaker>(size_t{200} << 10, 1); }

TEST(ReadPayload, AWorkerThatCallsReadsALargePayloadApart) { ReadApart<SyncSpeaker>(size_t{200} << 10, 1); }

TEST(ReadPayload, AVeryLargeOneComesInPieces) { ReadApart<SyncSpeaker>(size_t{600} << 10, 3); }

TEST(ReadPayload, APayloadIsInTheLeaseOfAWorkerThatDoesNotReadItApart) {
  Daemon d(WithRemotePool());
  Speaker worker(d);
  worker.Say(Speaker::Hello());
  const std::string payload = BytesThatDiffer(size_t{200} << 10);
  d.Submit("resize", payload);
  const v1::Lease lease = worker.Lease();
  EXPECT_TRUE(lease.payload() == payload);
  EXPECT_EQ(lease.payload_bytes(), 0);
  EXPECT_TRUE(ReadAll(d, lease.ref()).payload == payload) << "it may be read nevertheless";
}

TEST(ReadPayload, ASmallPayloadIsInItsLease) {
  Daemon d(WithRemotePool());
  Speaker worker(d);
  worker.Say(HelloOfAReader());
  d.Submit("resize", "small");
  const v1::Lease lease = worker.Lease();
  EXPECT_EQ(lease.payload(), "small");
  EXPECT_EQ(lease.payload_bytes(), 0);
}

TEST(ReadPayload, OnlyWhoeverHasTheTokenReadsIt) {
  Daemon d(WithRemotePool());
  Speaker worker(d);
  worker.Say(HelloOfAReader());
  d.Submit("resize", BytesThatDiffer(size_t{200} << 10));
  v1::AttemptRef ref = worker.Lease().ref();
  ref.set_token(ref.token() + 1);
  EXPECT_EQ(ReadAll(d, ref).end, "FAILED_PRECONDITION LEASE_LOST");
  ref.set_job_id("01K5AZ7N3Q0R8Z4V6X2Y9W1T5M");
  EXPECT_EQ(ReadAll(d, ref).end, "FAILED_PRECONDITION LEASE_LOST");
  ref.set_job_id("nonsense");
  EXPECT_EQ(ReadAll(d, ref).end, "INVALID_ARGUMENT JOB_ID_MALFORMED ref.job_id");
  EXPECT_EQ(ReadAll(d, v1::AttemptRef()).end, "INVALID_ARGUMENT JOB_ID_MALFORMED ref.job_id");
  EXPECT_EQ(ReadAll(d, ref).pieces, 0);
}

TEST(ReadPayload, AWorkerThatTakesNothingHoldsUpNobodyAndIsGivenUp) {
  test::DaemonOptions options = WithRemotePool();
  options.server.answer_time_max = std::chrono::seconds(3);  // A machine may pause for a while.
  Daemon d(options);
  Speaker worker(d);
  worker.Say(HelloOfAReader());
  d.Submit("resize", BytesThatDiffer(size_t{1} << 20));
  const v1::Lease lease = worker.Lease();
  v1::ReadPayloadRequest request;
  *request.mutable_ref() = lease.ref();
  test::RawStream deaf(test::NarrowChannel(d), "/millrace.v1.WorkerService/ReadPayload");
  ASSERT_TRUE(deaf.Write(request.SerializeAsString()));
  ASSERT_TRUE(deaf.WritesDone());
  test::Eventually([&] { return d.stats.Requests(Method::kReadPayload, StatusCode::kCancelled) == 1; });
  EXPECT_EQ(ReadAll(d, lease.ref()).end, "OK");
}

}  // namespace
}  // namespace millrace::rpc
