#include "rpc/method.h"

#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>

#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "grpc/health/v1/health.grpc.pb.h"
#include "tests/rpc/raw_call.h"

namespace millrace::rpc {
namespace {

using test::Brief;
using test::Daemon;

// Every rpc of every service that the server registers, but for gRPC's own reflection.
std::vector<const google::protobuf::MethodDescriptor*> AllRpcs() {
  std::vector<const google::protobuf::MethodDescriptor*> all;
  for (const char* name : {v1::JobService::service_full_name(), v1::PoolService::service_full_name(),
                           v1::WorkerService::service_full_name(), v1::AdminService::service_full_name(),
                           grpc::health::v1::Health::service_full_name()}) {
    const auto* service = google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(name);
    EXPECT_NE(service, nullptr) << name;
    for (int i = 0; service != nullptr && i < service->method_count(); ++i) all.push_back(service->method(i));
  }
  return all;
}

std::string RowName(const google::protobuf::MethodDescriptor& rpc) { return rpc.service()->name() + "/" + rpc.name(); }

TEST(Methods, EachRpcOfTheProtosHasOneRow) {
  std::set<std::string> rpcs, rows;
  for (const auto* rpc : AllRpcs()) rpcs.insert(RowName(*rpc));
  for (const MethodInfo& row : kMethodTable) rows.insert(row.name);
  EXPECT_EQ(rows, rpcs);
  EXPECT_EQ(rows.size(), kMethods) << "a name stands there twice";
}

TEST(Methods, WhoeverMayOnlyLookChangesNothing) {
  for (const MethodInfo& row : kMethodTable) {
    EXPECT_EQ(row.role == Role::kView || row.role == Role::kNone, row.only_reads) << row.name;
  }
}

TEST(Methods, EveryStreamIsACallThatLasts) {
  for (const auto* rpc : AllRpcs()) {
    if (!rpc->server_streaming()) continue;
    const auto row = std::find_if(kMethodTable.begin(), kMethodTable.end(),
                                  [&](const MethodInfo& each) { return each.name == RowName(*rpc); });
    ASSERT_NE(row, kMethodTable.end());
    EXPECT_TRUE(row->lasts) << row->name;
  }
}

// A door, and what came to it.
struct Keeper {
  Door Refuses(std::set<std::string> names) {
    return [this, names = std::move(names)](const MethodInfo& method, const grpc::CallbackServerContext&) {
      std::lock_guard guard(lock);
      ++asked[method.name];
      return names.count(method.name) == 0
                 ? OkStatus()
                 : Status(StatusCode::kPermissionDenied, "NOT_ALLOWED", std::string("not for you: ") + method.name);
    };
  }
  std::mutex lock;
  std::map<std::string, int> asked;
};

TEST(Door, NothingThatItRefusesReachesAHandler) {
  Keeper keeper;
  std::set<std::string> all;
  for (const auto* rpc : AllRpcs()) all.insert(RowName(*rpc));
  Daemon d({.server = {.door = keeper.Refuses(all)}});
  // What is not looked at is not found to be malformed.
  const std::string garbage("\x0a\xff\xff\xff", 4);
  for (const auto* rpc : AllRpcs()) {
    test::RawStream call(d.channel, "/" + rpc->service()->full_name() + "/" + rpc->name());
    call.Write(garbage);
    call.WritesDone();
    std::string answer;
    EXPECT_FALSE(call.Read(&answer)) << rpc->full_name();
    EXPECT_EQ(Brief(call.Finish()), "PERMISSION_DENIED NOT_ALLOWED") << rpc->full_name();
    EXPECT_EQ(keeper.asked[RowName(*rpc)], 1) << rpc->full_name();
  }
  EXPECT_EQ(d.stats.Requests(Method::kSubmitJob, StatusCode::kPermissionDenied), 1u);
  EXPECT_EQ(d.Pool().state, dispatch::PoolState::kActive);
  test::Eventually([&] { return d.server->Stats().call_bytes == 0; });
}

TEST(Door, OpensForSomeMethodsAndNotForOthers) {
  Keeper keeper;
  Daemon d({.server = {.door = keeper.Refuses({"PoolService/PausePool"})}});
  EXPECT_EQ(d.Wait(d.Submit("echo")).state(), v1::JOB_STATE_SUCCEEDED);
  v1::PausePoolRequest pause;
  pause.set_name("default");
  v1::Pool pool;
  grpc::ClientContext context;
  EXPECT_EQ(Brief(d.pools->PausePool(&context, pause, &pool)), "PERMISSION_DENIED NOT_ALLOWED");
  EXPECT_EQ(d.Pool().state, dispatch::PoolState::kActive);
  EXPECT_EQ(keeper.asked["JobService/SubmitJob"], 1);
}

}  // namespace
}  // namespace millrace::rpc
