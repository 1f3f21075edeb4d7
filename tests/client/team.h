// A worker of the library on a thread of its own, with a client of its own, against a whole daemon.
#pragma once

#include <memory>
#include <stop_token>
#include <thread>
#include <utility>

#include "client/client.h"
#include "client/worker.h"
#include "tests/rpc/daemon.h"

namespace millrace::client::test {

// Kinds that the daemon does not know go to the pool `remote`.
inline millrace::test::DaemonOptions WithRemotePool() {
  millrace::test::DaemonOptions options;
  options.pools = {{.name = "default", .workers = 1}, {.name = "remote", .runner = "remote"}};
  return options;
}

class Team {
 public:
  explicit Team(millrace::test::Daemon& d, WorkerOptions options = {.name = "team", .slots = 4}) {
    auto connected = Client::Connect(d.server->address(), {.own_connection = true});
    millrace::test::Daemon::Must(connected.status());
    client = *std::move(connected);
    worker = std::make_unique<Worker>(*client, std::move(options));
  }
  ~Team() { Status ignored = End(); }
  void Start() {
    thread_ = std::jthread([this](std::stop_token stop) { status = worker->Run(stop); });
  }
  void Stop() { thread_.request_stop(); }
  Status End() {
    if (thread_.joinable()) {
      thread_.request_stop();
      thread_.join();
    }
    return status;
  }

  std::unique_ptr<Client> client;
  std::unique_ptr<Worker> worker;
  Status status;

 private:
  std::jthread thread_;
};

}  // namespace millrace::client::test
