#include "signals.h"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <initializer_list>

#include "base/check.h"

namespace millrace {
namespace {

bool IsIgnored(int signal) {
  struct sigaction action {};
  sigaction(signal, nullptr, &action);
  return action.sa_handler == SIG_IGN;
}

}  // namespace

Signals::Signals() {
  sigset_t set;
  sigemptyset(&set);
  for (int each : {SIGTERM, SIGINT, SIGHUP}) {
    if (each == SIGTERM || !IsIgnored(each)) sigaddset(&set, each);
  }
  MR_CHECK(pthread_sigmask(SIG_BLOCK, &set, nullptr) == 0, "cannot block signals");
  signal(SIGPIPE, SIG_IGN);
  signal(SIGXFSZ, SIG_IGN);  // Beyond a limit on file sizes the write fails, as on a full disk.
  signal_fd_ = signalfd(-1, &set, SFD_CLOEXEC);
  wake_fd_ = eventfd(0, EFD_CLOEXEC);
  MR_CHECK(signal_fd_ >= 0 && wake_fd_ >= 0, "no descriptors for signals: %s", strerror(errno));
}

Signals::~Signals() {
  close(signal_fd_);
  close(wake_fd_);
}

int Signals::Wait() {
  pollfd sources[] = {{signal_fd_, POLLIN, 0}, {wake_fd_, POLLIN, 0}};
  for (;;) {
    if (poll(sources, 2, -1) < 0) {
      MR_CHECK(errno == EINTR, "waiting for signals: %s", strerror(errno));
      continue;
    }
    signalfd_siginfo info;
    if ((sources[0].revents & POLLIN) != 0 && read(signal_fd_, &info, sizeof(info)) == sizeof(info)) {
      return static_cast<int>(info.ssi_signo);
    }
    uint64_t count;
    if ((sources[1].revents & POLLIN) != 0 && read(wake_fd_, &count, sizeof(count)) == sizeof(count)) return 0;
  }
}

void Signals::Wake() {
  uint64_t one = 1;
  while (write(wake_fd_, &one, sizeof(one)) < 0 && errno == EINTR) {
  }
}

}  // namespace millrace
