// The deadlock of deadlock_channel.cc, put right: sender and receiver are two fibers.
#include <cstdio>

#include "sync/program.h"

using namespace millrace;

int main() {
  return Run([] {
    Channel<int> ch;

    Go([&] {
      ch.Send(42);  // safe: there is a receiver now
    });

    std::printf("%d\n", *ch.Receive());
  });
}
