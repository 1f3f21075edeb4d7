// Two fibers that have not synchronised write to one variable, and the same put right by a mutex:
//
//   races KIND racy|fixed
//
// KIND is what both have gone through before, which orders nobody: timer, yield, blocking, read_lock, wait_group,
// semaphore, pipe. In a ThreadSanitizer build the racy ones must be reported and the fixed ones not (check.sh).
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <mutex>
#include <string>

#include "io/pipe.h"
#include "runtime/blocking.h"
#include "sync/program.h"

using namespace millrace;
using namespace std::chrono_literals;

namespace {

constexpr int kRounds = 20;

// What both fibers write to.
struct Shared {
  explicit Shared(bool locked) : locked_(locked) {}
  void Write(int value) {
    if (!locked_) {
      value_ = value;
      return;
    }
    std::lock_guard guard(mutex_);
    value_ = value;
  }

 private:
  const bool locked_;
  Mutex mutex_;
  volatile int value_ = 0;
};

// Runs `fiber` twice, as 0 and as 1, and waits for both.
void Both(const std::function<void(int)>& fiber) {
  WaitGroup done;
  for (int i = 0; i < 2; ++i) {
    done.Go([&fiber, i] { fiber(i); });
  }
  done.Wait();
}

void AfterTimers(Shared& shared) {
  Both([&](int i) {
    SleepFor(std::chrono::microseconds(200 + 300 * i));
    shared.Write(i);
  });
}

void AfterYields(Shared& shared) {
  Both([&](int i) {
    for (int k = 0; k < 1 + i; ++k) Yield();
    shared.Write(i);
  });
}

void AfterBlocking(Shared& shared) {
  Both([&](int i) {
    rt::Blocking([i] { usleep(static_cast<useconds_t>(200 + 300 * i)); });
    shared.Write(i);
  });
}

void UnderReadLocks(Shared& shared) {
  RwMutex mutex;
  Both([&](int i) {
    SleepFor(std::chrono::microseconds(100 * i));
    mutex.lock_shared();
    shared.Write(i);
    mutex.unlock_shared();
  });
}

void BesideOneWaitGroup(Shared& shared) {
  WaitGroup group;
  group.Add(2);
  Both([&](int i) {
    SleepFor(std::chrono::microseconds(100 * i));
    if (i == 1) group.Done();
    shared.Write(i);
    if (i == 0) group.Done();
  });
  group.Wait();
}

void UnderOneSemaphore(Shared& shared) {
  Semaphore permits(2);
  Both([&](int i) {
    SleepFor(std::chrono::microseconds(100 * i));
    permits.Acquire();
    shared.Write(i);
    SleepFor(500us);  // Both are in.
    permits.Release();
  });
}

void AfterPipes(Shared& shared) {
  std::array<io::PipePair, 2> pipes{*io::MakePipe(), *io::MakePipe()};
  Both([&](int i) {
    io::PipePair& pipe = pipes[static_cast<size_t>(i)];
    WaitGroup writer;
    writer.Go([&pipe, i] {
      SleepFor(std::chrono::microseconds(200 + 300 * i));
      (void)pipe.writer.Write("x");
    });
    char byte;
    (void)pipe.reader.Read({&byte, 1});
    shared.Write(i);
    writer.Wait();
  });
}

}  // namespace

int main(int argc, char** argv) {
  const std::map<std::string, void (*)(Shared&)> kinds = {
      {"timer", AfterTimers},
      {"yield", AfterYields},
      {"blocking", AfterBlocking},
      {"read_lock", UnderReadLocks},
      {"wait_group", BesideOneWaitGroup},
      {"semaphore", UnderOneSemaphore},
      {"pipe", AfterPipes},
  };
  if (argc < 3 || !kinds.contains(argv[1])) {
    std::fprintf(stderr, "usage: races KIND racy|fixed\n");
    return 2;
  }
  return Run([&] {
    for (int round = 0; round < kRounds; ++round) {
      Shared shared(std::string(argv[2]) == "fixed");
      kinds.at(argv[1])(shared);
    }
  });
}
