// CaseList: a Select over channels whose number is known only now. One that is closed leaves the list.
#include <cstdio>
#include <optional>
#include <vector>

#include "sync/program.h"

using namespace millrace;

int main() {
  return Run([] {
    constexpr size_t kFeeds = 5;
    WaitGroup running;
    CaseList cases;
    std::vector<int> items(kFeeds);
    size_t open = kFeeds;
    for (size_t feed = 0; feed < kFeeds; ++feed) {
      auto channel = MakeChannel<int>();
      running.Go([channel, feed] {
        for (size_t i = 0; i <= feed; ++i) channel.Send(static_cast<int>(i));
        channel.Close();
      });
      cases.Add(Receive(channel, [&, feed](std::optional<int> item) {
        if (item) {
          ++items[feed];
        } else {
          cases.Disable(feed);
          --open;
        }
      }));
    }
    while (open > 0) Select(cases);
    running.Wait();
    for (size_t feed = 0; feed < kFeeds; ++feed) std::printf("feed %zu: %d items\n", feed, items[feed]);
  });
}
