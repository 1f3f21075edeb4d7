#include "client/call_metadata.h"

#include <gtest/gtest.h>

#include <mutex>
#include <set>

#include "client/submit_stream.h"
#include "tests/client/fake_server.h"

namespace millrace::client {
namespace {

using test::FakeServer;
using test::SubmitServerStream;

TEST(CallMetadata, IsRefusedWhereGrpcWouldEndTheProcess) {
  using Entry = std::pair<std::string, std::string>;
  for (const Entry& entry : {Entry{"", "x"},
                             {"Upper", "x"},
                             {"two words", "x"},
                             {"grpc-timeout", "x"},
                             {"a-bin", "x"},
                             {"a", "line\nfeed"},
                             {"a", "\xc3\xa4"}}) {
    const Status status = Client::Connect("host", {.metadata = {entry}}).status();
    EXPECT_EQ(status.reason(), "BAD_METADATA") << entry.first << "=" << entry.second;
  }
  EXPECT_TRUE(Client::Connect("host", {.metadata = {{"x-a.b_c", "some text"}, {"x-a.b_c", ""}}}).ok());
}

TEST(CallMetadata, GoesWithEveryCall) {
  FakeServer server;
  std::mutex mutex;
  std::set<std::string> seen;
  server.any = [&](const grpc::ServerContext& context, const std::string& method) {
    std::lock_guard lock(mutex);
    for (const auto& [name, value] : context.client_metadata()) {
      if (name == "traceparent") seen.insert(method + " " + std::string(value.data(), value.size()));
    }
  };
  server.submit = [](const v1::SubmitJobRequest&, v1::SubmitJobResponse*) { return grpc::Status::OK; };
  server.watch = [](grpc::ServerContext*, const v1::WatchJobsRequest&, grpc::ServerWriter<v1::JobEvent>*) {
    return grpc::Status::OK;
  };
  server.stream = [](SubmitServerStream*) { return grpc::Status::OK; };
  const auto client = server.Connect({.metadata = {{"traceparent", "p"}}});
  EXPECT_TRUE(client->Submit({}).ok());
  EXPECT_TRUE(client->Watch({}, [](const v1::JobEvent&) { return true; }).ok());
  SubmitStream stream(*client, [](int64_t, const Result<v1::SubmitJobResponse>&) {});
  EXPECT_TRUE(stream.Finish().ok());
  EXPECT_EQ(seen, (std::set<std::string>{"submit p", "watch p", "stream p"}));
}

}  // namespace
}  // namespace millrace::client
