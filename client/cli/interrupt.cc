#include "client/cli/interrupt.h"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cstdint>

#include "base/check.h"
#include "client/cli/exit_code.h"

namespace millrace::cli {

Interrupt::Interrupt() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  signal_fd_ = signalfd(-1, &set, SFD_CLOEXEC);
  end_fd_ = eventfd(0, EFD_CLOEXEC);
  MR_CHECK(signal_fd_ >= 0 && end_fd_ >= 0, "no descriptor left for signals");
  thread_ = std::thread([this] { WaitForSignals(); });
}

Interrupt::~Interrupt() {
  const uint64_t one = 1;
  MR_CHECK(write(end_fd_, &one, sizeof one) == sizeof one, "an eventfd does not take a 1");
  thread_.join();
  close(signal_fd_);
  close(end_fd_);
}

void Interrupt::WaitForSignals() {
  while (true) {
    pollfd fds[2] = {{signal_fd_, POLLIN, 0}, {end_fd_, POLLIN, 0}};
    if (poll(fds, 2, -1) < 0) continue;
    if (fds[1].revents != 0) return;
    signalfd_siginfo info;
    if (read(signal_fd_, &info, sizeof info) != sizeof info) continue;
    if (!armed_.load() || stop_.stop_requested()) _exit(static_cast<int>(ExitCode::kInterrupted));
    stop_.request_stop();
  }
}

}  // namespace millrace::cli
