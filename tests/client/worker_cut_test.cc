// The library's worker where the network between it and the daemon fails.
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "client/worker.h"
#include "tests/client/team.h"
#include "tests/support/cutting_proxy.h"
#include "tests/support/mutate.h"

namespace millrace::client {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals are made for this
using millrace::test::CuttingProxy;
using millrace::test::Daemon;
using millrace::test::DaemonOptions;
using millrace::test::Eventually;

// A machine may stand still for a second; so what is shorter than that happens by chance.
DaemonOptions WithLeaseOf(std::chrono::milliseconds lease, std::chrono::milliseconds grace) {
  DaemonOptions options = test::WithRemotePool();
  options.pools[1].capacity_jobs = 10'000;
  options.dispatcher.losses_max = 1000;
  options.dispatcher.leases.lease = lease;
  options.dispatcher.leases.resume_grace = grace;
  options.dispatcher.leases.accept_within = lease;
  options.dispatcher.check_invariants = true;
  return options;
}

// Runs of attempts, as workers saw them.
struct RunLog {
  struct Run {
    int attempt;
    uint64_t token;
    std::string result;
  };
  // Its result is one that no other run has.
  std::string Begin(const Attempt& attempt) {
    std::lock_guard guard(mutex);
    const auto& ref = attempt.lease().ref();
    std::string result = attempt.payload() + " by run " + std::to_string(++count);
    runs[ref.job_id()].push_back({ref.attempt(), ref.token(), result});
    return result;
  }

  std::mutex mutex;
  int count = 0;
  std::map<std::string, std::vector<Run>> runs;
};

// A worker that knows the daemon by another address.
class RemoteTeam {
 public:
  RemoteTeam(const std::string& address, WorkerOptions options)
      : client(*Client::Connect(address, {.own_connection = true})), worker(*client, std::move(options)) {}
  ~RemoteTeam() { End(); }
  void Start() {
    thread_ = std::jthread([this](std::stop_token stop) { EXPECT_TRUE(worker.Run(stop).ok()); });
  }
  void End() {
    if (!thread_.joinable()) return;
    thread_.request_stop();
    thread_.join();
  }

  std::unique_ptr<Client> client;
  Worker worker;

 private:
  std::jthread thread_;
};

// Attempts that were lost or given back: others may have run them, or nobody.
int Repeats(const v1::Job& job) {
  int repeats = 0;
  for (const v1::Attempt& each : job.attempt_history()) {
    repeats += each.result() == v1::ATTEMPT_RESULT_LOST || each.result() == v1::ATTEMPT_RESULT_RELEASED;
  }
  return repeats;
}

// One success, which is stored as it was told; and no run that the history does not explain.
void ExpectOneEnd(const v1::Job& job, RunLog& log) {
  ASSERT_EQ(job.state(), v1::JOB_STATE_SUCCEEDED) << job.id() << " " << job.error();
  const v1::Attempt& last = job.attempt_history(job.attempt_history_size() - 1);
  EXPECT_EQ(last.result(), v1::ATTEMPT_RESULT_SUCCEEDED) << job.id();
  int successes = 0;
  for (const v1::Attempt& each : job.attempt_history()) successes += each.result() == v1::ATTEMPT_RESULT_SUCCEEDED;
  EXPECT_EQ(successes, 1) << job.id();

  std::lock_guard guard(log.mutex);
  const std::vector<RunLog::Run>& runs = log.runs[job.id()];
  std::set<uint64_t> tokens;
  for (const RunLog::Run& run : runs) {
    EXPECT_TRUE(tokens.insert(run.token).second) << job.id() << ": one attempt was run twice";
    if (run.attempt == last.number()) {
      EXPECT_EQ(run.result, job.result()) << job.id();
    }
  }
  if (job.attempt_history_size() < 10) {  // More are not kept.
    EXPECT_LE(static_cast<int>(runs.size()), Repeats(job) + 1) << job.id() << " ran twice, and no lease was lost";
  }
  EXPECT_EQ(job.attempts(), 1) << job.id();
}

TEST(WorkerCut, ConnectionsThatEndAtAnyByteLoseNoJobAndEndNoneTwice) {
  const uint64_t seed = millrace::test::ChosenSeed("WorkerCut");
  constexpr int kJobs = 300, kCuts = 40;
  Daemon d(WithLeaseOf(3s, 1s));
  CuttingProxy proxy(d.server->address(), seed);
  proxy.CutAfter(100, 50'000);
  RunLog log;
  std::vector<std::unique_ptr<RemoteTeam>> teams;
  for (const char* name : {"a", "b"}) {
    teams.push_back(std::make_unique<RemoteTeam>(proxy.address(), WorkerOptions{.name = name, .slots = 4}));
    teams.back()->worker.Handle("work", [&](Attempt& attempt) {
      std::string result = log.Begin(attempt);
      attempt.SetProgress(0.5, "half");
      attempt.Log("at work\n");
      EXPECT_TRUE(attempt.SaveCheckpoint("half").ok());
      if (result.back() == '7') std::this_thread::sleep_for(50ms);  // Some are under way when a connection ends.
      return Outcome::Success(std::move(result));
    });
    teams.back()->Start();
  }
  std::vector<std::string> ids;
  // Jobs come as long as connections are to end.
  while (static_cast<int>(ids.size()) < kJobs || proxy.cut() < kCuts) {
    const size_t size = ids.size() % 10 == 0 ? 1000 : ids.size() % 100;
    if (getenv("DBG")) fprintf(stderr, "%zu jobs %d accepted %d cut\n", ids.size(), proxy.accepted(), proxy.cut());
    ids.push_back(d.Submit("work", std::to_string(ids.size()) + std::string(size, '.')));
    if (ids.size() >= 8) Eventually([&] { return d.Get(ids[ids.size() - 8]).state() == v1::JOB_STATE_SUCCEEDED; });
  }
  proxy.LetThrough();
  int repeats = 0;
  for (const std::string& id : ids) {
    const v1::Job job = d.Wait(id);
    ExpectOneEnd(job, log);
    repeats += Repeats(job);
  }
  fprintf(stderr, "%zu jobs, %d connections, %d cut, %d attempts lost or given back\n", ids.size(), proxy.accepted(),
          proxy.cut(), repeats);
  for (auto& team : teams) team->End();
}

// Reads until the connection is ended by the other side.
void BeSilent(const std::string& address) {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))));
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ASSERT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof(to)), 0);
  char bytes[256];
  while (recv(fd, bytes, sizeof(bytes), 0) > 0) {
  }
  close(fd);
}

TEST(WorkerCut, AProxyThatEndsIdleConnectionsEndsNoneOfAWorkerAsHeartbeatsFlow) {
  constexpr int kSilentOnes = 3;
  Daemon d(WithLeaseOf(1200ms, 1200ms));  // A heartbeat in 600 ms, as it holds nothing.
  CuttingProxy proxy(d.server->address());
  proxy.EndIdle(200);  // Two seconds, if ticks are not late.
  RemoteTeam team(proxy.address(), {.name = "idle"});
  team.worker.Handle("work", [](Attempt&) { return Outcome::Success(); });
  team.Start();
  Eventually([&] { return team.worker.healthy(); });
  // Each of them takes as long as the proxy's patience, and shows that it ends whoever is silent.
  for (int i = 0; i < kSilentOnes; ++i) BeSilent(proxy.address());
  EXPECT_EQ(proxy.ended_idle(), kSilentOnes);
  EXPECT_EQ(proxy.accepted(), 1 + kSilentOnes) << "the worker has the connection with which it began";
  EXPECT_EQ(d.Wait(d.Submit("work")).state(), v1::JOB_STATE_SUCCEEDED);
  team.End();
}

// A worker behind a proxy of its own that will swallow the bytes of one direction, or of both.
struct HalfOpen {
  HalfOpen(Daemon& d, std::string called, bool to_daemon, bool to_worker)
      : name(std::move(called)),
        from_worker(to_daemon),
        from_daemon(to_worker),
        proxy(d.server->address()),
        team(proxy.address(), {.name = name}) {}

  const std::string name;  // The worker and its kind have it.
  const bool from_worker, from_daemon;
  CuttingProxy proxy;
  RemoteTeam team;
  std::atomic<int> running{0}, told_to_stop{0}, elsewhere{0};
  std::string job;
};

TEST(WorkerCut, HalfOpenItsJobRunsElsewhereAndTheWorkerStopsItsOwnAttemptAndComesBack) {
  Daemon d(WithLeaseOf(2400ms, 1s));
  RunLog log;
  std::atomic<bool> let_go{false};
  std::vector<std::unique_ptr<HalfOpen>> all;
  all.push_back(std::make_unique<HalfOpen>(d, "mute", true, false));
  all.push_back(std::make_unique<HalfOpen>(d, "deaf", false, true));
  all.push_back(std::make_unique<HalfOpen>(d, "both", true, true));
  for (auto& each : all) {
    each->team.worker.Handle(each->name, [&, one = each.get()](Attempt& attempt) {
      const std::string result = log.Begin(attempt);
      ++one->running;
      while (!let_go && !attempt.stop().stop_requested()) std::this_thread::sleep_for(1ms);
      if (attempt.stop().stop_requested()) ++one->told_to_stop;
      --one->running;
      return Outcome::Success(result);
    });
    each->team.worker.Handle(each->name + "-again", [](Attempt&) { return Outcome::Success("back"); });
    each->team.Start();
    each->job = d.Submit(each->name);
  }
  for (auto& each : all) Eventually([&] { return each->running == 1; });
  for (auto& each : all) each->proxy.Swallow(each->from_worker, each->from_daemon);
  RemoteTeam other(d.server->address(), {.name = "other", .slots = 3});
  for (auto& each : all) {
    other.worker.Handle(each->name, [&, one = each.get()](Attempt& attempt) {
      const std::string result = log.Begin(attempt);
      ++one->elsewhere;
      while (!let_go && !attempt.stop().stop_requested()) std::this_thread::sleep_for(1ms);
      return Outcome::Success(result);
    });
  }
  other.Start();
  for (auto& each : all) {
    Eventually([&] { return each->elsewhere > 0; });
    Eventually([&] { return each->told_to_stop > 0 && each->running == 0; });
    EXPECT_GT(each->proxy.swallowed(), 0u) << each->name;
  }
  let_go = true;
  for (auto& each : all) {
    const v1::Job job = d.Wait(each->job);
    ExpectOneEnd(job, log);
    EXPECT_GE(Repeats(job), 1) << each->name;
    EXPECT_EQ(job.attempt_history(job.attempt_history_size() - 1).worker(), "other") << each->name;
  }
  // Its connection has lost bytes, and never works again.
  for (auto& each : all) each->proxy.LetThrough();
  for (auto& each : all) {
    EXPECT_EQ(d.Wait(d.Submit(each->name + "-again")).result(), "back") << each->name;
    EXPECT_GT(each->proxy.accepted(), 1) << each->name;
    each->team.End();
  }
  other.End();
}

}  // namespace
}  // namespace millrace::client
