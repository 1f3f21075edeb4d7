// remote_worker ADDRESS SLOTS: a worker in another process whose jobs do nothing, for `millrace bench --pool remote`.
// README.md beside this file tells how to measure with it.
#include <csignal>
#include <cstdio>
#include <string>
#include <thread>

#include "client/worker.h"

namespace client = millrace::client;

int main(int argc, char** argv) {
  if (argc != 3) return std::fprintf(stderr, "usage: remote_worker ADDRESS SLOTS\n"), 2;
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &ends, nullptr);
  auto client = client::Client::Connect(argv[1]);
  if (!client.ok()) return std::fprintf(stderr, "%s\n", client.status().message().c_str()), 1;
  client::Worker worker(**client, {.slots = std::stoi(argv[2])});
  worker.Handle("remote-noop", [](client::Attempt&) { return client::Outcome::Success(); });
  std::stop_source stop;
  std::thread([&] {
    int signal = 0;
    sigwait(&ends, &signal);
    stop.request_stop();
  }).detach();
  const millrace::Status status = worker.Run(stop.get_token());
  if (!status.ok()) std::fprintf(stderr, "%s\n", status.message().c_str());
  return status.ok() ? 0 : 1;
}
