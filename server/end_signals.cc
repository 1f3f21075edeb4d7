#include "end_signals.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <cstring>

#include "base/log.h"
#include "daemon.h"

namespace millrace {

EndSignals::EndSignals(Signals& signals) : signals_(signals), thread_([this] { Run(); }) {
  pthread_setname_np(thread_.native_handle(), "millrace-signal");
}

EndSignals::~EndSignals() {
  signals_.Wake();
  thread_.join();
}

int EndSignals::Await() {
  started_.store(true);
  first_.wait(kNone);
  return first_.load();
}

void EndSignals::Wake() {
  int none = kNone;
  if (first_.compare_exchange_strong(none, kWoken)) first_.notify_all();
}

void EndSignals::Run() {
  while (const int signal = signals_.Wait()) {
    const char* const name = sigabbrev_np(signal);
    if (signal == SIGHUP) {
      LogWarning("SIGHUP: this version does not reload its configuration; restart it instead");
      continue;
    }
    int none = kNone;
    if (first_.compare_exchange_strong(none, signal)) {
      first_.notify_all();
      if (!started_.load())
        LogInfo("SIG%s: the daemon ends when its start is over; a second signal ends it at once", name);
      continue;
    }
    LogError("SIG%s again: ended at once, and not in order", name);
    FlushLog(kLastWordsPatience);
    // No destructors: they would wait for what we were told not to wait for.
    _exit(kExitCutShort);
  }
}

}  // namespace millrace
