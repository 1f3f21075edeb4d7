// SharedChannel: a request carries the channel for its answer. Whoever uses a channel last frees it.
#include <cstdio>

#include "sync/program.h"

using namespace millrace;

struct Request {
  int number = 0;
  SharedChannel<int> answer;
};

SharedChannel<Request> StartSquaring(WaitGroup& running) {
  auto requests = MakeChannel<Request>();
  running.Go([requests] {
    for (const Request& request : requests) request.answer.Send(request.number * request.number);
  });
  return requests;
}

int main() {
  return Run([] {
    WaitGroup running;
    SharedChannel<Request> requests = StartSquaring(running);
    for (int i = 1; i <= 3; ++i) {
      auto answer = MakeChannel<int>();
      requests.Send({i, answer});
      std::printf("%d squared is %d\n", i, *answer.Receive());
    }
    requests.Close();
    running.Wait();
  });
}
