// The library's calls about workers, against a whole daemon.
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "client/client.h"
#include "tests/client/team.h"

namespace millrace::client {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals are made for this
using millrace::test::Daemon;
using millrace::test::Eventually;
using test::Team;
using test::WithRemotePool;

TEST(ClientWorkers, AreListedPageByPage) {
  Daemon d(WithRemotePool());
  Team one(d, {.name = "one"}), two(d, {.name = "two"}), three(d, {.name = "three"});
  for (Team* team : {&one, &two, &three}) {
    team->worker->Handle(team == &two ? "render" : "resize", [](Attempt&) { return Outcome::Success(); });
    team->Start();
    Eventually([&] { return team->worker->healthy(); });
  }
  const auto names = [&](const std::string& kind, bool first_only) {
    std::vector<std::string> found;
    v1::ListWorkersRequest request;
    request.set_page_size(1);
    request.set_kind(kind);
    const Status status = one.client->ListWorkers(request, [&](const v1::Worker& worker) {
      found.push_back(worker.name());
      return !first_only;
    });
    EXPECT_TRUE(status.ok()) << status.ToString();
    return found;
  };
  EXPECT_EQ(names("", false), (std::vector<std::string>{"one", "two", "three"}));
  EXPECT_EQ(names("resize", false), (std::vector<std::string>{"one", "three"}));
  EXPECT_EQ(names("", true), (std::vector<std::string>{"one"}));
}

TEST(ClientWorkers, AreFoundByNameAndById) {
  Daemon d(WithRemotePool());
  Team team(d, {.name = "team", .slots = 4, .labels = {{"gpu", "a100"}}, .build_id = "b7"});
  std::atomic<bool> began{false}, let_go{false};
  team.worker->Handle("wide",
                      [&](Attempt&) {
                        began = true;
                        while (!let_go) std::this_thread::sleep_for(1ms);
                        return Outcome::Success();
                      },
                      {.slots = 3});
  team.Start();
  const std::string id = d.Submit("wide");
  Eventually([&] { return began.load(); });
  const Result<v1::Worker> worker = team.client->GetWorker("team");
  ASSERT_TRUE(worker.ok()) << worker.status().ToString();
  EXPECT_EQ(worker->state(), v1::Worker::STATE_CONNECTED);
  EXPECT_EQ(worker->slots(), 4);
  EXPECT_EQ(worker->slots_used(), 3);
  EXPECT_EQ(worker->labels().at("gpu"), "a100");
  EXPECT_EQ(worker->labels().at("worker"), "team");
  EXPECT_EQ(worker->labels().at("build"), "b7");
  ASSERT_EQ(worker->attempts_size(), 1);
  EXPECT_EQ(worker->attempts(0).job_id(), id);
  EXPECT_EQ(team.client->GetWorker(worker->id())->name(), "team");
  EXPECT_EQ(team.client->DrainWorker(worker->id())->state(), v1::Worker::STATE_DRAINING);
  EXPECT_EQ(team.client->ResumeWorker("team")->state(), v1::Worker::STATE_CONNECTED);
  let_go = true;
  EXPECT_EQ(d.Wait(id).state(), v1::JOB_STATE_SUCCEEDED);
}

TEST(ClientWorkers, ThatAreNotThereOrShareTheirNameAreRefused) {
  Daemon d(WithRemotePool());
  Team one(d, {.name = "twin"}), two(d, {.name = "twin"});
  for (Team* team : {&one, &two}) {
    team->worker->Handle("resize", [](Attempt&) { return Outcome::Success(); });
    team->Start();
    Eventually([&] { return team->worker->healthy(); });
  }
  EXPECT_EQ(one.client->GetWorker("nobody").status().reason(), "UNKNOWN_WORKER");
  EXPECT_EQ(one.client->DrainWorker("nobody").status().code(), StatusCode::kNotFound);
  EXPECT_EQ(one.client->ResumeWorker("twin").status().reason(), "AMBIGUOUS_WORKER");
}

}  // namespace
}  // namespace millrace::client
