// A channel with room for one value: the sender need not wait.
#include <cstdio>
#include <string>

#include "sync/program.h"

using namespace millrace;

int main() {
  return Run([] {
    Channel<std::string> ch(1);  // buffered, asynchronous

    // Send works at once: the buffer has space.
    ch.Send("hello");

    // Received later: no deadlock.
    std::puts(ch.Receive()->c_str());
  });
}
