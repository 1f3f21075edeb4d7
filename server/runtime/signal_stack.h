// SignalStack: an alternate stack for the signal handlers of the calling thread, so that a handler needs no room on a
// fiber's stack. A fiber that has run out of stack can then still be reported (faults.h), and one that a signal stops
// keeps its thread on this stack for as long as it is stopped (preempt.h). For the life of a machine's thread.
#pragma once

#include <csignal>
#include <cstddef>

namespace millrace::rt {

class SignalStack {
 public:
  SignalStack();
  ~SignalStack();
  SignalStack(const SignalStack&) = delete;
  SignalStack& operator=(const SignalStack&) = delete;

 private:
  char* mapping_;
  size_t mapped_bytes_;
  stack_t previous_{};
};

}  // namespace millrace::rt
