// A channel without a buffer: sender and receiver must meet. Nobody comes, and the runtime says so.
#include <cstdio>
#include <string>

#include "sync/program.h"

using namespace millrace;

int main() {
  return Run([] {
    Channel<std::string> ch;  // unbuffered, synchronous

    // No other fiber receives, so this blocks for ever.
    ch.Send("hello");

    std::puts(ch.Receive()->c_str());
  });
}
