#include "client/errors.h"

#include <gtest/gtest.h>

#include "google/rpc/error_details.pb.h"

namespace millrace::client {
namespace {

google::rpc::Status QueueFull() {
  google::rpc::Status rpc;
  rpc.set_code(grpc::StatusCode::RESOURCE_EXHAUSTED);
  rpc.set_message("pool 'thumbs' is full");
  google::rpc::ErrorInfo info;
  info.set_reason("QUEUE_FULL");
  info.set_domain("millrace");
  (*info.mutable_metadata())["depth"] = "1000";
  rpc.add_details()->PackFrom(info);
  google::rpc::RetryInfo retry;
  retry.mutable_retry_delay()->set_nanos(250'000'000);
  rpc.add_details()->PackFrom(retry);
  return rpc;
}

TEST(FromGrpc, DecodesTheDetails) {
  const grpc::Status grpc_status(grpc::StatusCode::RESOURCE_EXHAUSTED, "pool 'thumbs' is full",
                                 QueueFull().SerializeAsString());
  const Status status = FromGrpc(grpc_status, "here:1");
  EXPECT_EQ(status.code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(status.reason(), "QUEUE_FULL");
  EXPECT_EQ(status.message(), "pool 'thumbs' is full");
  EXPECT_EQ(status.metadata().at("depth"), "1000");
  EXPECT_EQ(status.retry_delay(), std::chrono::milliseconds(250));
}

TEST(FromGrpc, NamesTheFieldAtFault) {
  google::rpc::Status rpc;
  google::rpc::BadRequest bad;
  bad.add_field_violations()->set_field("spec.payload");
  rpc.add_details()->PackFrom(bad);
  EXPECT_EQ(FromGrpc({grpc::StatusCode::INVALID_ARGUMENT, "too big", rpc.SerializeAsString()}, "").field(),
            "spec.payload");
}

TEST(FromGrpc, TellsAnAbsentDaemonFromOneThatDrains) {
  const Status absent =
      FromGrpc({grpc::StatusCode::UNAVAILABLE,
                "all addresses; UNKNOWN: ipv4:1: Failed to connect to remote host: Connection refused"},
               "here:1");
  EXPECT_EQ(absent.reason(), "UNREACHABLE");
  EXPECT_EQ(absent.message(), "cannot reach millraced at here:1: Connection refused");

  EXPECT_EQ(FromGrpc({grpc::StatusCode::UNAVAILABLE, "DNS resolution failed for nowhere:1: C-ares status"}, "nowhere:1")
                .message(),
            "cannot reach millraced at nowhere:1: no such host");

  google::rpc::Status rpc;
  google::rpc::ErrorInfo info;
  info.set_reason("DRAINING");
  rpc.add_details()->PackFrom(info);
  EXPECT_EQ(FromGrpc({grpc::StatusCode::UNAVAILABLE, "stopping", rpc.SerializeAsString()}, "here:1").reason(),
            "DRAINING");
}

TEST(FromGrpc, AMessageThatIsTooLargeIsNoFullPool) {
  const Status status = FromGrpc(
      {grpc::StatusCode::RESOURCE_EXHAUSTED, "SERVER: Received message larger than max (73 vs. 67)"}, "here:1");
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(status.reason(), "MESSAGE_TOO_LARGE");
  EXPECT_EQ(status.message().find("64 MiB"), std::string::npos) << "how much it is, the server has said: 67";
  EXPECT_EQ(FromGrpc({grpc::StatusCode::RESOURCE_EXHAUSTED, "something else"}, "here:1").reason(), "");
}

TEST(FromGrpc, SaysSoWhereAnHttpServerAnswers) {
  const Status status =
      FromGrpc({grpc::StatusCode::UNAVAILABLE, "all addresses; UNAVAILABLE: ipv4:1: Failed parsing HTTP/2"}, "here:1");
  EXPECT_EQ(status.reason(), "NO_GRPC");
  EXPECT_NE(status.message().find("7070"), std::string::npos);
}

TEST(FromGrpc, TellsOurCancelFromTheServers) {
  const grpc::Status cancelled(grpc::StatusCode::CANCELLED, "CANCELLED");
  EXPECT_EQ(FromGrpc(cancelled, "here:1", true).reason(), "INTERRUPTED");
  EXPECT_EQ(FromGrpc(cancelled, "here:1", false).code(), StatusCode::kUnavailable);
}

TEST(FromGrpc, KeepsCodeAndMessageWhenTheDetailsAreGarbage) {
  const Status status = FromGrpc({grpc::StatusCode::NOT_FOUND, "no such job", "\xff\xff\xff"}, "");
  EXPECT_EQ(status.code(), StatusCode::kNotFound);
  EXPECT_EQ(status.message(), "no such job");
}

TEST(FromRpcStatus, ReadsTheErrorInsideAStreamAnswer) {
  EXPECT_EQ(FromRpcStatus(QueueFull()).reason(), "QUEUE_FULL");
  EXPECT_TRUE(FromRpcStatus({}).ok());
}

}  // namespace
}  // namespace millrace::client
