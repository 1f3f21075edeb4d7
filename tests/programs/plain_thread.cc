// A plain thread, as of a library that knows nothing of fibers, asks them and waits for the answer.
#include <cstdio>
#include <thread>

#include "sync/program.h"

using namespace millrace;

int main() {
  Channel<int> questions, answers;
  std::thread asks([&] {
    for (int i = 1; i <= 3; ++i) {
      questions.Send(i);
      std::printf("twice %d is %d\n", i, *answers.Receive());
    }
    questions.Close();
  });
  int code = Run([&] {
    for (int question : questions) answers.Send(2 * question);
  });
  asks.join();
  return code;
}
