// Which machine the calling thread is: read so often that it must cost one instruction.
#pragma once

namespace millrace::rt {

struct Machine;

// The calling thread's machine; nullptr on a plain thread. A fiber must not keep it across a switch, and the compiler
// may not keep the variable's address either (thread-locals on migrating fibers: runtime/README.md): it is read in one
// instruction, every time.
#if defined(__x86_64__)
namespace internal {
extern constinit thread_local Machine* current_machine asm("millrace_current_machine");
}
inline Machine* CurrentMachine() {
  Machine* machine;
  asm volatile("movq %%fs:millrace_current_machine@tpoff, %0" : "=r"(machine)::"memory");
  return machine;
}
#else
Machine* CurrentMachine();
#endif
void SetCurrentMachine(Machine* machine);

}  // namespace millrace::rt
