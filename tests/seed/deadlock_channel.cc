// The shortest deadlock: the only fiber waits for a receiver.
#include "sync/program.h"

using namespace millrace;

int main() {
  return Run([] {
    Channel<int> ch;
    ch.Send(42);  // blocks for ever: no one is receiving
  });
}
