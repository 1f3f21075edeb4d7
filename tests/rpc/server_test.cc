#include "rpc/server.h"

#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>

#include "grpc/health/v1/health.grpc.pb.h"
#include "tests/rpc/daemon.h"
#include "tests/rpc/raw_call.h"

namespace millrace::rpc {
namespace {

using test::Brief;
using test::Daemon;
using test::Health;
using test::RawCall;

TEST(Server, HealthCoversTheServerAndEachServiceAndFollowsSetServing) {
  Daemon d;
  for (const char* service : {"", "millrace.v1.JobService", "millrace.v1.PoolService"})
    EXPECT_EQ(Health(d, service), "SERVING");
  EXPECT_EQ(Health(d, "millrace.v1.Nothing"), "error 5");
  d.server->SetServing(false);
  for (const char* service : {"", "millrace.v1.JobService", "millrace.v1.PoolService"})
    EXPECT_EQ(Health(d, service), "NOT_SERVING");
  EXPECT_EQ(d.Wait(d.Submit("echo")).state(), v1::JOB_STATE_SUCCEEDED) << "health is advice, not a lock";
}

TEST(Server, HealthOfTheJobServiceFollowsTheStoreAndADrainComesFirst) {
  Daemon d;
  auto said = [&] {
    return Health(d, "") + " " + Health(d, "millrace.v1.JobService") + " " + Health(d, "millrace.v1.PoolService");
  };
  d.server->SetAccepting(false);
  EXPECT_EQ(said(), "NOT_SERVING NOT_SERVING SERVING");
  d.server->SetAccepting(true);
  EXPECT_EQ(said(), "SERVING SERVING SERVING");
  d.server->SetAccepting(false);
  d.server->SetServing(false);
  d.server->SetAccepting(true);
  EXPECT_EQ(said(), "NOT_SERVING NOT_SERVING NOT_SERVING");
}

TEST(Server, ReflectionListsTheServices) {
  Daemon d;
  std::string response;
  const std::string list_services("\x3a\x00", 2);  // Field 7, empty.
  ASSERT_TRUE(
      RawCall(d, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", list_services, &response).ok());
  EXPECT_THAT(response, testing::HasSubstr("millrace.v1.JobService"));
  EXPECT_THAT(response, testing::HasSubstr("millrace.v1.PoolService"));
  EXPECT_THAT(response, testing::HasSubstr("grpc.health.v1.Health"));
}

TEST(Server, AnUnknownMethodIsUnimplemented) {
  Daemon d;
  std::string response;
  EXPECT_EQ(RawCall(d, "/millrace.v1.JobService/Nothing", "", &response).error_code(), grpc::StatusCode::UNIMPLEMENTED);
}

TEST(Server, GarbageInsteadOfARequestIsAnErrorOfTheRequestForEveryMethod) {
  Daemon d;
  const std::string garbage("\x0a\xff\xff\xff", 4);
  for (const char* name : {"millrace.v1.JobService", "millrace.v1.PoolService", "millrace.v1.AdminService"}) {
    const auto* service = google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(name);
    ASSERT_NE(service, nullptr) << name;
    for (int i = 0; i < service->method_count(); ++i) {
      test::RawStream call(d.channel, "/" + service->full_name() + "/" + service->method(i)->name());
      call.Write(garbage);
      call.WritesDone();
      std::string answer;
      EXPECT_FALSE(call.Read(&answer));
      EXPECT_EQ(Brief(call.Finish()), "INVALID_ARGUMENT MALFORMED_REQUEST") << service->method(i)->full_name();
    }
  }
  std::string response;
  EXPECT_EQ(Brief(RawCall(d, "/millrace.v1.JobService/GetJob", "\x0a\x02\xff\xfe", &response)),
            "INVALID_ARGUMENT MALFORMED_REQUEST")
      << "an id that is not UTF-8";
  EXPECT_EQ(RawCall(d, "/grpc.health.v1.Health/Check", garbage, &response).error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(d.Wait(d.Submit("echo")).state(), v1::JOB_STATE_SUCCEEDED);
}

TEST(Server, ReflectionDescribesEachServiceThatItLists) {
  Daemon d;
  for (const std::string name : {"millrace.v1.JobService", "millrace.v1.PoolService", "millrace.v1.AdminService",
                                 "grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection"}) {
    test::RawStream call(d.channel, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo");
    call.Write("\x22" + std::string(1, static_cast<char>(name.size())) + name);  // Field 4: the file with this symbol.
    std::string answer;
    ASSERT_TRUE(call.Read(&answer));
    EXPECT_THAT(answer, testing::HasSubstr(".proto")) << name;
  }
}

TEST(Server, AWatchOfHealthTellsEachChangeAndKnowsNoServiceThatIsNotThere) {
  Daemon d;
  auto health = grpc::health::v1::Health::NewStub(d.channel);
  grpc::health::v1::HealthCheckRequest request;
  grpc::health::v1::HealthCheckResponse answer;
  grpc::ClientContext context, unknown_context;
  request.set_service("millrace.v1.Nothing");
  auto unknown = health->Watch(&unknown_context, request);
  ASSERT_TRUE(unknown->Read(&answer));
  EXPECT_EQ(answer.status(), grpc::health::v1::HealthCheckResponse::SERVICE_UNKNOWN);
  request.set_service("millrace.v1.JobService");
  auto watch = health->Watch(&context, request);
  ASSERT_TRUE(watch->Read(&answer));
  EXPECT_EQ(answer.status(), grpc::health::v1::HealthCheckResponse::SERVING);
  d.server->SetAccepting(false);
  ASSERT_TRUE(watch->Read(&answer));
  EXPECT_EQ(answer.status(), grpc::health::v1::HealthCheckResponse::NOT_SERVING);
  d.Drain();
  d.server->Stop(std::chrono::hours(1));
  EXPECT_FALSE(watch->Read(&answer));
  EXPECT_EQ(Brief(watch->Finish()), "UNAVAILABLE DRAINING");
  EXPECT_FALSE(unknown->Read(&answer));
  EXPECT_EQ(Brief(unknown->Finish()), "UNAVAILABLE DRAINING");
}

TEST(Server, HealthSaysSoWhenNoMoreConnectionsAreTaken) {
  Daemon d({.server = {.connections_max = 1}});
  EXPECT_EQ(Health(d, ""), "SERVING");
  grpc::ChannelArguments own;
  own.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  auto second = grpc::CreateCustomChannel(d.server->address(), grpc::InsecureChannelCredentials(), own);
  second->GetState(true);
  test::Eventually([&] { return Health(d, "millrace.v1.PoolService") == "NOT_SERVING"; });
  EXPECT_EQ(d.server->Reachable().reason(), "TOO_MANY_CONNECTIONS");
  EXPECT_GE(d.server->Stats().connections.refused, 1u);
  EXPECT_EQ(d.Wait(d.Submit("echo")).state(), v1::JOB_STATE_SUCCEEDED) << "who is connected is served";
}

TEST(Server, APortInUseIsAClearError) {
  Daemon d;
  CallStats stats;
  ServerOptions options;
  options.address = d.server->address();
  const auto second = Server::Start(d.runtime(), *d.dispatcher, stats, options);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.status().reason(), "CANNOT_LISTEN");
  EXPECT_THAT(second.status().message(), testing::HasSubstr(d.server->address()));
  EXPECT_THAT(second.status().message(), testing::HasSubstr("in use"));
}

TEST(Server, ABadAddressIsAClearError) {
  Daemon d;
  CallStats stats;
  for (const char* bad : {"", "7070", "127.0.0.1", "127.0.0.1:99999", "127.0.0.1:x"}) {
    const auto server = Server::Start(d.runtime(), *d.dispatcher, stats, {.address = bad});
    ASSERT_FALSE(server.ok()) << bad;
    EXPECT_EQ(server.status().reason(), "BAD_ADDRESS") << bad;
  }
  const auto elsewhere = Server::Start(d.runtime(), *d.dispatcher, stats, {.address = "192.0.2.1:7070"});
  ASSERT_FALSE(elsewhere.ok()) << "an address of no interface of this machine";
  EXPECT_EQ(elsewhere.status().reason(), "CANNOT_LISTEN");
}

TEST(Server, ADrainedDispatcherRefusesSubmitsWithUnavailable) {
  Daemon d;
  d.Drain();
  v1::SubmitJobRequest request;
  request.mutable_spec()->set_kind("echo");
  v1::SubmitJobResponse response;
  grpc::ClientContext context;
  EXPECT_EQ(Brief(d.jobs->SubmitJob(&context, request, &response)), "UNAVAILABLE DRAINING");
}

TEST(Server, StopEndsWaitsWatchesAndStreamsInWords) {
  Daemon d;
  d.Pause();
  const std::string id = d.Submit("echo");

  grpc::ClientContext watch_context;
  auto watch = d.jobs->WatchJobs(&watch_context, {});
  watch->WaitForInitialMetadata();
  grpc::ClientContext stream_context;
  auto stream = d.jobs->StreamSubmit(&stream_context);
  v1::StreamSubmitRequest item;
  item.mutable_request()->mutable_spec()->set_kind("echo");
  v1::StreamSubmitResponse answer;
  ASSERT_TRUE(stream->Write(item));
  ASSERT_TRUE(stream->Read(&answer));
  std::promise<grpc::Status> waited;
  v1::WaitJobRequest wait_request;
  wait_request.set_id(id);
  v1::Job job;
  grpc::ClientContext wait_context;
  d.jobs->async()->WaitJob(&wait_context, &wait_request, &job, [&](grpc::Status status) { waited.set_value(status); });
  d.Get(id);  // Sent after the wait on the same connection: gRPC has handed that over.

  d.Drain();
  d.server->Stop(std::chrono::hours(1));

  v1::JobEvent event;
  while (watch->Read(&event)) {
  }
  EXPECT_EQ(Brief(watch->Finish()), "UNAVAILABLE DRAINING");
  EXPECT_FALSE(stream->Read(&answer));
  EXPECT_EQ(Brief(stream->Finish()), "UNAVAILABLE DRAINING");
  EXPECT_EQ(Brief(waited.get_future().get()), "UNAVAILABLE DRAINING");
}

TEST(CallStats, CountsAnswersByMethodAndCode) {
  Daemon d;
  d.Wait(d.Submit("echo"));
  v1::GetJobRequest request;
  v1::Job job;
  grpc::ClientContext context;
  EXPECT_FALSE(d.jobs->GetJob(&context, request, &job).ok());
  EXPECT_EQ(d.stats.Requests(Method::kSubmitJob, StatusCode::kOk), 1u);
  EXPECT_EQ(d.stats.Requests(Method::kWaitJob, StatusCode::kOk), 1u);
  EXPECT_EQ(d.stats.Requests(Method::kGetJob, StatusCode::kInvalidArgument), 1u);
  EXPECT_EQ(d.stats.Seconds(Method::kSubmitJob).count(), 1u);
  for (const MethodInfo& method : kMethodTable) EXPECT_STRNE(method.name, "");
}

}  // namespace
}  // namespace millrace::rpc
