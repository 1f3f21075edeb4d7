// DaemonProcess: one life of a real millraced.
//   Threads   All calls from the thread that made it. It must outlive the daemon: the kernel ends the daemon with it.
#pragma once

#include <sys/types.h>

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace millrace::crash {

class DaemonProcess {
 public:
  // Its words are appended to `log`. `variables`: NAME=VALUE, besides those of this process.
  DaemonProcess(const std::vector<std::string>& command, const std::vector<std::string>& variables, std::string log);
  ~DaemonProcess();  // Kills and reaps it.
  DaemonProcess(const DaemonProcess&) = delete;
  DaemonProcess& operator=(const DaemonProcess&) = delete;

  // Where it listens, once it says that it is ready; nullopt: it ended before, or `until` (CLOCK_MONOTONIC) is over.
  std::optional<std::string> AwaitReady(int64_t until);
  // False: it goes on at `until`.
  bool AwaitEnd(int64_t until);
  void Signal(int signal);
  // Waits for its end. As of waitpid.
  int Reap();

 private:
  void ReadWords(int from, const std::string& log);

  pid_t pid_ = 0;
  int pid_fd_ = -1;
  bool reaped_ = false;
  int status_ = 0;
  std::mutex lock_;
  std::condition_variable changed_;
  std::string address_;
  bool silent_ = false;  // Nobody has the other end any more.
  std::thread reader_;
};

}  // namespace millrace::crash
