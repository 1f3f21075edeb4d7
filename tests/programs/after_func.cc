// AfterFunc: a function for later, on a fiber of its own, which can be put off and called off.
#include <cstdio>

#include "sync/program.h"

using namespace millrace;
using namespace std::chrono_literals;

int main() {
  return Run([] {
    Channel<Nothing> told;
    AfterFunc tell(1h, [&] {
      std::printf("it takes long\n");
      told.Send({});
    });
    tell.Reset(1ms);
    told.Receive();

    AfterFunc never(1h, [] { std::printf("nobody sees this\n"); });
    std::printf("called off: %s\n", never.Stop() ? "yes" : "no");
  });
}
