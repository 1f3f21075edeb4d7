#include "inherited.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <initializer_list>

namespace millrace {
namespace {

// `nohup`, and a shell without job control, want these to pass the program by. SIGPIPE and SIGXFSZ are ignored by us as well.
bool MayStayIgnored(int signal) {
  switch (signal) {
    case SIGHUP:
    case SIGINT:
    case SIGQUIT:
    case SIGTSTP:
    case SIGTTIN:
    case SIGTTOU:
    case SIGPIPE:
    case SIGXFSZ:
      return true;
    default:
      return false;
  }
}

void OpenStandardDescriptors(int, char**, char**) {
  for (int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    // open takes the lowest free number, which is this one: those below are open by now.
    if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
      (void)!open("/dev/null", O_RDWR);  // NOLINT: it is for children as well
  }
}

// Before the constructors of the libraries: gRPC's opens a descriptor.
__attribute__((section(".preinit_array"), used)) void (*const at_start)(int, char**, char**) = OpenStandardDescriptors;

}  // namespace

void ResetInherited() {
  struct sigaction standard {};
  standard.sa_handler = SIG_DFL;
  for (int signal = 1; signal < NSIG; ++signal) {
    if (!MayStayIgnored(signal))
      sigaction(signal, &standard, nullptr);  // Fails for some, which cannot be changed anyway.
  }
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

}  // namespace millrace
