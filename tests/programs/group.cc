// Group: several fibers work on one thing. The first that fails brings its error home and stops the others.
#include <cstdio>
#include <string>
#include <vector>

#include "sync/program.h"

using namespace millrace;

Status Fetch(const std::string& page, const CancelToken& token) {
  if (page == "broken") return Unavailable("PAGE_BROKEN", "the page '" + page + "' cannot be read");
  token.Wait();  // The others are slow: here, as slow as it takes.
  return token.reason();
}

int main() {
  return Run([] {
    Group group({.limit = 4});
    for (const std::string& page : std::vector<std::string>{"front", "news", "broken"}) {
      group.Go([&group, page] { return Fetch(page, group.token()); });
    }
    std::printf("%s\n", group.Wait().ToString().c_str());

    Group squares;
    std::vector<int> results(5);
    for (size_t i = 0; i < results.size(); ++i) {
      squares.Go([&results, i] { results[i] = static_cast<int>(i * i); });
    }
    if (!squares.Wait().ok()) return 1;
    for (int result : results) std::printf("%d\n", result);
    return 0;
  });
}
