// Until: every wait can have a time limit, a token that somebody cancels, or both.
#include <cstdio>

#include "sync/program.h"

using namespace millrace;
using namespace std::chrono_literals;

int main() {
  return Run([] {
    Channel<int> numbers;
    std::printf("a number within 1 ms: %s\n", numbers.TryReceive(Within(1ms)) ? "yes" : "no");

    Semaphore permits(1);
    CancelSource stop;
    WaitGroup running;
    permits.Acquire();
    running.Go([&] {
      Until until = Within(1h, stop.token());
      if (permits.TryAcquire(1, until)) return;
      std::printf("no permit: %s\n", until.cancelled() ? until.cancel.reason().message().c_str() : "too late");
    });
    stop.Cancel(Cancelled("CLOSING", "we close"));
    std::printf("the other has ended within an hour: %s\n", running.TryWait(Within(1h)) ? "yes" : "no");
  });
}
