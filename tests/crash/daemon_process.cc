#include "tests/crash/daemon_process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <fstream>

#include "base/check.h"
#include "tests/crash/ledger.h"

namespace millrace::crash {

namespace {

std::vector<char*> Pointers(std::vector<std::string>& texts) {
  std::vector<char*> list;
  for (std::string& text : texts) list.push_back(text.data());
  list.push_back(nullptr);
  return list;
}

}  // namespace

DaemonProcess::DaemonProcess(const std::vector<std::string>& command, const std::vector<std::string>& variables,
                             std::string log) {
  std::vector<std::string> arguments = command, environment = variables;
  for (char** each = environ; *each != nullptr; ++each) environment.emplace_back(*each);
  std::vector<char*> argument_list = Pointers(arguments), environment_list = Pointers(environment);
  int words[2];
  MR_CHECK(pipe2(words, O_CLOEXEC) == 0, "pipe2: %s", strerror(errno));
  const pid_t parent = getpid();
  pid_ = fork();
  MR_CHECK(pid_ >= 0, "fork: %s", strerror(errno));
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(126);
    dup2(words[1], STDOUT_FILENO);
    dup2(words[1], STDERR_FILENO);
    execve(argument_list[0], argument_list.data(), environment_list.data());
    _exit(127);
  }
  close(words[1]);
  pid_fd_ = static_cast<int>(syscall(SYS_pidfd_open, pid_, 0));
  MR_CHECK(pid_fd_ >= 0, "pidfd_open: %s", strerror(errno));
  reader_ = std::thread([this, from = words[0], log = std::move(log)] { ReadWords(from, log); });
}

DaemonProcess::~DaemonProcess() {
  Signal(SIGKILL);
  Reap();
  close(pid_fd_);
}

void DaemonProcess::ReadWords(int from, const std::string& log) {
  std::ofstream file(log, std::ios::app);
  std::string line;
  char bytes[4096];
  for (ssize_t got; (got = read(from, bytes, sizeof(bytes))) != 0;) {
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) break;
    file.write(bytes, got);
    file.flush();
    for (char byte : std::string_view(bytes, static_cast<size_t>(got))) {
      if (byte != '\n') {
        line += byte;
        continue;
      }
      const std::string before = " is ready: gRPC on ";
      if (const size_t at = line.find(before); at != std::string::npos) {
        std::lock_guard guard(lock_);
        address_ = line.substr(at + before.size(), line.find(',', at) - at - before.size());
        changed_.notify_all();
      }
      line.clear();
    }
  }
  close(from);
  std::lock_guard guard(lock_);
  silent_ = true;
  changed_.notify_all();
}

std::optional<std::string> DaemonProcess::AwaitReady(int64_t until) {
  const std::chrono::steady_clock::time_point end{std::chrono::nanoseconds(until)};
  std::unique_lock guard(lock_);
  changed_.wait_until(guard, end, [&] { return silent_ || !address_.empty(); });
  return address_.empty() ? std::nullopt : std::optional(address_);
}

bool DaemonProcess::AwaitEnd(int64_t until) {
  for (;;) {
    const int64_t left = std::max<int64_t>(until - MonotonicNow(), 0);
    const timespec timeout{left / 1'000'000'000, left % 1'000'000'000};
    pollfd end{.fd = pid_fd_, .events = POLLIN, .revents = 0};
    const int ready = ppoll(&end, 1, &timeout, nullptr);
    if (ready > 0) return true;
    if (ready == 0) return false;
  }
}

void DaemonProcess::Signal(int signal) {
  if (!reaped_) kill(pid_, signal);
}

int DaemonProcess::Reap() {
  if (reaped_) return status_;
  while (waitpid(pid_, &status_, 0) < 0 && errno == EINTR) {
  }
  reaped_ = true;
  reader_.join();
  return status_;
}

}  // namespace millrace::crash
