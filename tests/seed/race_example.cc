// Two fibers count in one variable without a lock: often less than 2,000,000, and ThreadSanitizer names both lines.
#include <cstdio>

#include "sync/program.h"

using namespace millrace;

int main() {
  return Run([] {
    volatile int n = 0;  // volatile: else the compiler adds the million at once, and the race is hard to see
    WaitGroup wg;

    wg.Go([&] {
      for (int i = 0; i < 1000000; ++i) {
        n = n + 1;  // unsynchronised
      }
    });

    wg.Go([&] {
      for (int i = 0; i < 1000000; ++i) {
        n = n + 1;  // unsynchronised
      }
    });

    wg.Wait();
    std::printf("final count: %d\n", n);
  });
}
