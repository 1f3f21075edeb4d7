// Ticker and Timer: a beat, and an end to the waiting, as cases of one Select.
#include <cstdio>
#include <optional>

#include "sync/program.h"

using namespace millrace;
using namespace std::chrono_literals;

int main() {
  return Run([] {
    Channel<int> work;
    WaitGroup running;
    running.Go([&] {
      Ticker beat(2ms);
      for (int i = 1; i <= 3; ++i) {
        beat.channel().Receive();
        work.Send(i);
      }
    });

    Timer idle(1h);
    for (int done = 0; done < 3;) {
      Select(Receive(work,
                     [&](std::optional<int> item) {
                       std::printf("item %d\n", *item);
                       ++done;
                       idle.Reset(1h);
                     }),
             Receive(idle.channel(), [] { std::printf("nothing to do for an hour\n"); }));
    }
    running.Wait();
    idle.Reset(1ms);
    Select(Receive(work), Receive(idle.channel(), [] { std::printf("idle\n"); }));
    std::printf("stopped in time: %s\n", idle.Stop() ? "yes" : "no");
  });
}
