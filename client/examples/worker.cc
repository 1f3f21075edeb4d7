// A worker: runs jobs of the kind "count-words" in this process, four at a time, until it is interrupted.
//
//   build/bin/example_worker 127.0.0.1:7070
//   millrace submit count-words --payload 'the quick brown fox' --wait
#include <csignal>
#include <cstdio>
#include <sstream>
#include <string>
#include <thread>

#include "client/worker.h"

namespace client = millrace::client;

int main(int argc, char** argv) {
  // Before there are threads: all of them leave the signals to the one that waits for them.
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGINT);
  pthread_sigmask(SIG_BLOCK, &ends, nullptr);

  auto client = client::Client::Connect(argc > 1 ? argv[1] : "127.0.0.1:7070");
  if (!client.ok()) return std::fprintf(stderr, "%s\n", client.status().message().c_str()), 1;
  client::Worker worker(**client, {.slots = 4});
  worker.Handle("count-words", [](client::Attempt& attempt) {
    std::istringstream text(attempt.payload());
    int words = 0;
    for (std::string word; text >> word && !attempt.stop().stop_requested();) ++words;
    attempt.Log("counted " + std::to_string(attempt.payload().size()) + " bytes\n");
    return client::Outcome::Success(std::to_string(words));
  });

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
