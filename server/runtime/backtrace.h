// Backtraces along frame pointers, which all our code keeps (-fno-omit-frame-pointer). A walk reads nothing outside the
// stack it is given and always ends, so it may look at a fiber that runs on meanwhile: the worst is a wrong line.
//
// Code of others that uses the frame pointer for something else ends the walk early, or hides its caller.
#pragma once

#include <cstddef>
#include <cstdint>

namespace millrace::rt {

struct Fiber;

// The three registers a walk starts from.
struct SavedFrame {
  uintptr_t pc = 0;
  uintptr_t fp = 0;
  uintptr_t sp = 0;
};

// Async-signal-safe.
class FrameWalk {
 public:
  // For the stack in [low, high).
  FrameWalk(SavedFrame from, const void* low, const void* high);

  // The next address of code, innermost first; 0 at the end. All but the first are return addresses.
  uintptr_t Next();

 private:
  SavedFrame at_;
  const uintptr_t low_;
  const uintptr_t high_;
};

// Where a fiber will go on that does not run: what the last switch saved, or preempted_at. pc is 0 if there is nothing
// to see. For one that has not begun, pc is the function it will call.
SavedFrame WhereItStands(const Fiber& fiber);

// For a fiber whose thread sleeps in the kernel, of which only two registers are known. The C library keeps no frame
// pointers, so this looks for the innermost frame of a function that does, and for who called the library from there.
// Fills `pcs`, innermost first, with at least `pc` and at most `max` addresses, and returns how many; 0 if `sp` is not
// on the fiber's stack.
size_t WalkFromTheKernel(const Fiber& fiber, uintptr_t pc, uintptr_t sp, uintptr_t* pcs, size_t max);

// Is this the program's own code, as the linker lays it out, and not a library's? Async-signal-safe.
bool InOwnCode(uintptr_t pc);

// The calling function's.
__attribute__((always_inline)) inline SavedFrame HereAndNow() {
  SavedFrame here;
  here.fp = reinterpret_cast<uintptr_t>(__builtin_frame_address(0));
  here.sp = here.fp;
#if defined(__x86_64__)
  asm volatile("lea 0(%%rip), %0" : "=r"(here.pc));
#elif defined(__aarch64__)
  asm volatile("adr %0, ." : "=r"(here.pc));
#endif
  return here;
}

// Where the calling function, which must not be inlined, will return to. Good for as long as its caller runs.
__attribute__((always_inline)) inline SavedFrame BackInMyCaller() {
  return {.pc = reinterpret_cast<uintptr_t>(__builtin_return_address(0)),
          .fp = *static_cast<const uintptr_t*>(__builtin_frame_address(0)),
          .sp = reinterpret_cast<uintptr_t>(__builtin_dwarf_cfa())};
}

}  // namespace millrace::rt
