// The race of race_example.cc, put right by a mutex.
#include <cstdio>
#include <mutex>

#include "sync/program.h"

using namespace millrace;

int main() {
  return Run([] {
    int n = 0;
    Mutex mu;
    WaitGroup wg;

    wg.Go([&] {
      for (int i = 0; i < 1000000; ++i) {
        std::lock_guard guard(mu);
        ++n;
      }
    });

    wg.Go([&] {
      for (int i = 0; i < 1000000; ++i) {
        std::lock_guard guard(mu);
        ++n;
      }
    });

    wg.Wait();
    std::printf("final count: %d\n", n);
  });
}
