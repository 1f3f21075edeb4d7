// Once: initialised by whoever comes first; the others wait until that is done.
#include <cstdio>
#include <string>

#include "sync/program.h"

using namespace millrace;

Once once;
std::string config;

void LoadConfig() {
  config = "loaded";
  std::puts("config initialized");
}

int main() {
  return Run([] {
    WaitGroup wg;
    for (int i = 0; i < 3; ++i) {
      wg.Go([] {
        once.Do(LoadConfig);
        std::printf("config: %s\n", config.c_str());
      });
    }
    wg.Wait();
  });
}
