// Condition: a consumer waits until there is something in the queue.
#include <cstdio>
#include <mutex>
#include <vector>

#include "sync/program.h"

using namespace millrace;

int main() {
  return Run([] {
    Mutex mu;
    Condition cond;
    std::vector<int> queue;
    WaitGroup wg;

    // consumer
    wg.Go([&] {
      std::lock_guard guard(mu);
      while (queue.empty()) {
        cond.Wait(mu);  // unlocks mu, waits, then takes it again
      }
      std::printf("Got item: %d\n", queue[0]);
    });

    // producer
    {
      std::lock_guard guard(mu);
      queue.push_back(42);
      cond.NotifyOne();  // wakes one fiber that waits on cond
    }

    wg.Wait();
  });
}
