// How often the library's worker beats, against daemons that answer as the test wants.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <thread>

#include "client/worker.h"
#include "tests/client/scripted_daemon.h"
#include "tests/client/team.h"

namespace millrace::client {
namespace {

using millrace::test::Eventually;

// A worker, and a daemon of its own, which counts its heartbeats. At one of them it gives a job that ends when it may.
struct Beating {
  Beating() {
    daemon.hear = [this](const v1::WorkRequest& request, v1::WorkResponse* response) {
      if (request.has_hello()) {
        response->mutable_welcome()->mutable_heartbeat_interval()->set_seconds(0);
        response->mutable_welcome()->mutable_heartbeat_interval()->set_nanos(100'000'000);
      }
      if (!request.has_heartbeat()) return true;
      ++beats;
      response->mutable_heartbeat_ack()->set_sequence(request.heartbeat().sequence());
      if (gives && !began) {  // Once more where the stream was just cut.
        v1::Lease& lease = *response->add_leases();
        lease.set_kind("wait");
        lease.mutable_ref()->set_job_id("job 1");
        lease.mutable_ref()->set_token(1);
      }
      return true;
    };
    client = *Client::Connect(daemon.address(), {.own_connection = true});
    worker = std::make_unique<Worker>(*client, WorkerOptions{.name = "w"});
    worker->Handle("wait", [this](Attempt&) {
      began = true;
      let_go.wait(false);
      return Outcome::Success();
    });
    thread = std::jthread([this](std::stop_token stop) { EXPECT_TRUE(worker->Run(stop).ok()); });
  }

  std::atomic<int> beats{0};
  std::atomic<bool> gives{false}, began{false}, let_go{false};
  test::ScriptedDaemon daemon;
  std::unique_ptr<Client> client;
  std::unique_ptr<Worker> worker;
  std::jthread thread;
};

TEST(WorkerHeartbeat, FewerDoWhileAWorkerHoldsNothing) {
  Beating idle, busy;
  // The heartbeats of both from now on. However slow the machine is, it is so for both of them.
  const auto compare = [&](auto as_expected) {
    const int idle_before = idle.beats, busy_before = busy.beats;
    Eventually([&] { return as_expected(idle.beats - idle_before, busy.beats - busy_before); });
  };
  compare([](int of_idle, int of_busy) { return std::min(of_idle, of_busy) > 1; });
  busy.gives = true;
  Eventually([&] { return busy.began.load(); });
  compare([](int of_idle, int of_busy) { return of_idle >= 4 && 2 * of_busy >= 3 * of_idle; });
  busy.let_go = true;
  busy.let_go.notify_all();
  Eventually([&] { return busy.daemon.Seen([&] { return busy.daemon.ended.contains("job 1"); }); });
  compare([](int of_idle, int of_busy) { return of_idle >= 6 && 3 * of_busy <= 4 * of_idle; });
}

}  // namespace
}  // namespace millrace::client
