// WaitGroup: a pool of two workers takes jobs from a channel until it is closed.
#include <cstdio>

#include "sync/program.h"

using namespace millrace;

void Worker(int id, Channel<int>& jobs) {
  for (int job : jobs) {
    std::printf("worker %d processing job %d\n", id, job);
  }
}

int main() {
  return Run([] {
    Channel<int> jobs(5);
    WaitGroup wg;

    for (int w = 1; w <= 2; ++w) {
      wg.Go([&, w] { Worker(w, jobs); });
    }

    for (int j = 1; j <= 3; ++j) {
      jobs.Send(j);
    }
    jobs.Close();

    wg.Wait();
  });
}
