// Blocking: around a call that blocks the thread, when that is known beforehand. The processor goes to another machine
// at once, so the other fibers do not notice; the fiber gets one again when the call has returned.
//
//   ssize_t bytes = rt::Blocking([&] { return ::read(fd, buffer, size); });
//
//   Cost      Some microseconds, and a thread for as long as the call takes. Not for calls that return at once.
//   Unmarked  A call that is not wrapped holds its processor until sysmon finds the thread asleep while others wait,
//             within some tens to hundreds of microseconds: so this is for speed, not for correctness.
//   errno     As the call left it.
//   Inside    Everything is allowed that a fiber may do, also waiting. On a plain thread the call is simply made.
#pragma once

#include <utility>

namespace millrace::rt {

// Use Blocking; these are its two halves.
class BlockingScope {
 public:
  // Out of line: dumps show its caller as the place where the fiber stands during the call.
  __attribute__((noinline)) BlockingScope();
  ~BlockingScope();
  BlockingScope(const BlockingScope&) = delete;
  BlockingScope& operator=(const BlockingScope&) = delete;
};

template <typename F>
decltype(auto) Blocking(F&& fn) {
  BlockingScope scope;
  return std::forward<F>(fn)();
}

}  // namespace millrace::rt
