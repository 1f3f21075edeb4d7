#include "runtime/preempt.h"

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <cerrno>
#include <mutex>

#include "base/check.h"
#include "runtime/backtrace.h"
#include "runtime/machine.h"
#include "runtime/sanitizers.h"
#include "runtime/scheduler.h"
#include "runtime/trace_running.h"

namespace millrace::rt {

namespace internal {

constinit thread_local uint32_t preempt_word = 0;

#if !defined(__x86_64__)
#if defined(__clang__)
__attribute__((noinline))
#else
__attribute__((noipa))
#endif
void ChangePreemptWord(uint32_t amount) {
  asm volatile("" ::: "memory");
  // release: pairs with Retake. Whoever sees the pin gone sees what was done under it (x86 keeps stores in order
  // anyway).
  __atomic_store_n(&preempt_word, preempt_word + amount, __ATOMIC_RELEASE);
  asm volatile("" ::: "memory");
}
#endif

}  // namespace internal

namespace {

struct sigaction previous_action;

SavedFrame WhereInterrupted(void* context) {
  const auto& registers = static_cast<ucontext_t*>(context)->uc_mcontext;
#if defined(__x86_64__)
  return {.pc = static_cast<uintptr_t>(registers.gregs[REG_RIP]),
          .fp = static_cast<uintptr_t>(registers.gregs[REG_RBP]),
          .sp = static_cast<uintptr_t>(registers.gregs[REG_RSP])};
#elif defined(__aarch64__)
  return {.pc = registers.pc, .fp = registers.regs[29], .sp = registers.sp};
#else
#error "teach WhereInterrupted this processor's registers"
#endif
}

// In a handler that runs on the signal stack: the fiber's thread must not stay there for long, others may have to run
// on top.
bool OnSignalStack(const void* context, uintptr_t sp) {
  const stack_t& stack = static_cast<const ucontext_t*>(context)->uc_stack;
  auto low = reinterpret_cast<uintptr_t>(stack.ss_sp);
  return (stack.ss_flags & SS_DISABLE) == 0 && sp >= low && sp - low < stack.ss_size;
}

void PassOn(int signal, siginfo_t* info, void* context) {
  if (previous_action.sa_flags & SA_SIGINFO) {
    previous_action.sa_sigaction(signal, info, context);
  } else if (previous_action.sa_handler != SIG_DFL && previous_action.sa_handler != SIG_IGN) {
    previous_action.sa_handler(signal);
  }
}

// Runs on the machine's signal stack, with every other signal blocked: a parked machine must not be the one that a
// signal for the whole process chooses.
MR_NO_TSAN void OnSignal(int signal, siginfo_t* info, void* context) {
  int saved_errno = errno;
  Machine* machine = CurrentMachine();
  // acquire: pairs with the release in SendPreemptSignal.
  if (machine != nullptr && machine->signal_sent.exchange(false, std::memory_order_acquire)) {
    SavedFrame interrupted = WhereInterrupted(context);
    AnswerTrace(*machine, interrupted);
    if (!OnSignalStack(context, interrupted.sp)) machine->scheduler.OnPreemptSignal(*machine, interrupted);
  } else {
    PassOn(signal, info, context);
  }
  errno = saved_errno;
}

}  // namespace

void InstallPreemptHandler() {
  static std::once_flag once;
  std::call_once(once, [] {
    struct sigaction action {};
    action.sa_sigaction = OnSignal;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
    sigfillset(&action.sa_mask);
    // Faults in the handler are bugs of ours and must be seen.
    for (int fault : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT}) sigdelset(&action.sa_mask, fault);
    MR_CHECK(sigaction(kPreemptSignal, &action, &previous_action) == 0, "cannot install the preemption handler");
  });
}

void SendPreemptSignal(const Machine& machine) {
  machine.signal_sent.store(true, std::memory_order_release);
  syscall(SYS_tgkill, getpid(), machine.tid.load(std::memory_order_relaxed), kPreemptSignal);
}

bool ProcessBarrier() {
  static const bool registered = syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0;
  return registered && syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0;
}

}  // namespace millrace::rt
