// Interrupt: Ctrl-C and SIGTERM as a stop token.
//
// It is made first in main, before any other thread: every thread inherits the blocked signals, and they reach only the
// thread that waits for them. Before Arm a signal ends the process at once with 130. After Arm the first signal
// requests a stop, so that the command can say what it leaves behind, and the second one ends the process.
#pragma once

#include <atomic>
#include <stop_token>
#include <thread>

namespace millrace::cli {

class Interrupt {
 public:
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  void Arm() { armed_.store(true); }
  std::stop_token token() const { return stop_.get_token(); }

 private:
  void WaitForSignals();

  int signal_fd_;
  int end_fd_;
  std::atomic<bool> armed_{false};
  std::stop_source stop_;
  std::thread thread_;
};

}  // namespace millrace::cli
