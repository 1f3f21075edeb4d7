// Mutex: one fiber at a time.
#include <cstdio>
#include <mutex>

#include "sync/program.h"

using namespace millrace;

int main() {
  return Run([] {
    Mutex mu;
    int count = 0;
    WaitGroup wg;

    for (int i = 0; i < 2; ++i) {
      wg.Go([&] {
        for (int j = 0; j < 1000; ++j) {
          std::lock_guard guard(mu);
          ++count;
        }
      });
    }

    wg.Wait();
    std::printf("Final count: %d\n", count);
  });
}
