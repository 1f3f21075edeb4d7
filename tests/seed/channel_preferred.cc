// "Don't communicate by sharing memory. Share memory by communicating."
#include <cstdio>

#include "sync/program.h"

using namespace millrace;

int main() {
  return Run([] {
    Channel<int> ch;
    Go([&] {
      ch.Send(42);  // send data
    });
    std::printf("%d\n", *ch.Receive());  // receive data
  });
}
