// gated_worker ADDRESS FOLDER SLOTS: a worker for tests, of the kinds "gated", "quick" and "large". For each attempt it
// writes a line "JOB ATTEMPT PID" to FOLDER/starts. "gated" then waits until FOLDER/open-PAYLOAD is there, or until it
// is told to stop, which it writes to FOLDER/stops. The result is its pid; that of "large" is "x", PAYLOAD times.
#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <filesystem>
#include <string>
#include <thread>

#include "client/worker.h"

namespace client = millrace::client;

namespace {

void AddLine(const std::string& path, const std::string& line) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  // One write, so that lines of several workers do not mix.
  if (fd < 0 || write(fd, line.data(), line.size()) != static_cast<ssize_t>(line.size())) std::perror(path.c_str());
  close(fd);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return std::fprintf(stderr, "usage: gated_worker ADDRESS FOLDER SLOTS\n"), 2;
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &ends, nullptr);

  const std::string folder = argv[2], pid = std::to_string(getpid());
  auto client = client::Client::Connect(argv[1]);
  if (!client.ok()) return std::fprintf(stderr, "%s\n", client.status().message().c_str()), 1;
  client::Worker worker(**client, {.slots = std::stoi(argv[3])});
  const auto begin = [&](client::Attempt& attempt) {
    const auto& ref = attempt.lease().ref();
    AddLine(folder + "/starts", ref.job_id() + " " + std::to_string(ref.attempt()) + " " + pid + "\n");
  };
  worker.Handle("quick", [&](client::Attempt& attempt) {
    begin(attempt);
    return client::Outcome::Success(pid);
  });
  worker.Handle("large", [&](client::Attempt& attempt) {
    begin(attempt);
    return client::Outcome::Success(std::string(std::stoul(attempt.payload()), 'x'));
  });
  worker.Handle("gated", [&](client::Attempt& attempt) {
    begin(attempt);
    while (!std::filesystem::exists(folder + "/open-" + attempt.payload())) {
      if (attempt.stop().stop_requested()) {
        AddLine(folder + "/stops", attempt.lease().ref().job_id() + "\n");
        return client::Outcome::Failure("told to stop");
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return client::Outcome::Success(pid);
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
