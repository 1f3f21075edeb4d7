#include "inherited.h"

#include <signal.h>

namespace millrace {
namespace {

// `nohup`, and a shell without job control, ignore these for a program on purpose. We ignore SIGPIPE and SIGXFSZ
// ourselves.
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

}  // namespace

void ResetInherited() {
  struct sigaction standard {};
  standard.sa_handler = SIG_DFL;
  for (int signal = 1; signal < NSIG; ++signal) {
    if (!MayStayIgnored(signal))
      sigaction(signal, &standard, nullptr);  // Fails for SIGKILL and the like, which cannot be changed.
  }
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

}  // namespace millrace
