// EndSignals: what TERM and INT do to a daemon from the beginning of its start to the end of its stop. The first one
// asks for the end, which takes the time that it needs; a second one ends the process at once, whatever it waits for: a
// start that hangs, a drain, a backup, a disk. HUP is told to be of no use.
//
//   Threads   One of its own reads the signals. Await: one thread. Wake: any thread or fiber.
#pragma once

#include <atomic>
#include <thread>

#include "signals.h"

namespace millrace {

class EndSignals {
 public:
  // std::system_error: the system refuses a thread.
  explicit EndSignals(Signals& signals);
  ~EndSignals();
  EndSignals(const EndSignals&) = delete;
  EndSignals& operator=(const EndSignals&) = delete;

  // Blocks until the first signal has come, perhaps long ago, and gives it; 0 when Wake was called before one.
  int Await();
  // The end has begun without a signal: the next one is a second one.
  void Wake();

 private:
  static constexpr int kNone = -1, kWoken = 0;

  void Run();

  Signals& signals_;
  std::atomic<int> first_{kNone};
  std::atomic<bool> started_{false};  // Somebody waits for the first one.
  std::thread thread_;
};

}  // namespace millrace
