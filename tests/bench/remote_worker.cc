// remote_worker ADDRESS SLOTS [WORKERS]: a process with workers whose jobs do nothing, for `millrace bench --pool
// remote`: one, or WORKERS of SLOTS each, with a connection for each of them.
// README.md beside this file tells how to measure with it.
#include <atomic>
#include <csignal>
#include <cstdio>
#include <deque>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "client/worker.h"

namespace client = millrace::client;

int main(int argc, char** argv) {
  if (argc != 3 && argc != 4) return std::fprintf(stderr, "usage: remote_worker ADDRESS SLOTS [WORKERS]\n"), 2;
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &ends, nullptr);
  auto client = client::Client::Connect(argv[1]);
  if (!client.ok()) return std::fprintf(stderr, "%s\n", client.status().message().c_str()), 1;
  std::deque<client::Worker> workers;
  for (int i = argc == 4 ? std::stoi(argv[3]) : 1; i > 0; --i) {
    workers.emplace_back(**client, client::WorkerOptions{.slots = std::stoi(argv[2])});
    workers.back().Handle("remote-noop", [](client::Attempt&) { return client::Outcome::Success(); });
  }
  std::stop_source stop;
  std::thread([&] {
    int signal = 0;
    sigwait(&ends, &signal);
    stop.request_stop();
  }).detach();
  std::atomic<int> failed{0};
  {
    std::vector<std::jthread> running;
    for (client::Worker& worker : workers) {
      running.emplace_back([&] {
        const millrace::Status status = worker.Run(stop.get_token());
        if (status.ok()) return;
        std::fprintf(stderr, "%s\n", status.message().c_str());
        ++failed;
      });
    }
  }
  return failed == 0 ? 0 : 1;
}
