#include "runtime/faults.h"

#include <signal.h>
#include <ucontext.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <mutex>

#include "base/stderr.h"
#include "runtime/backtrace.h"
#include "runtime/fiber.h"
#include "runtime/last_report.h"
#include "runtime/park.h"
#include "runtime/reporter.h"
#include "runtime/sanitizers.h"
#include "runtime/slab.h"
#include "runtime/stack.h"

namespace millrace::rt {

namespace {

struct Watched {
  int signal;
  const char* name;
  bool tells_address;  // si_addr is what was touched.
  struct sigaction previous {};
};
Watched watched[] = {{SIGSEGV, "SIGSEGV", true},
                     {SIGBUS, "SIGBUS", true},
                     {SIGFPE, "SIGFPE", false},
                     {SIGILL, "SIGILL", false},
                     {SIGABRT, "SIGABRT", false}};

Watched& Find(int signal) {
  for (Watched& one : watched) {
    if (one.signal == signal) return one;
  }
  __builtin_unreachable();
}

bool HandledBefore(const struct sigaction& previous) {
  return (previous.sa_flags & SA_SIGINFO) != 0 || (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN);
}

SavedFrame Registers(const ucontext_t& context) {
#if defined(__x86_64__)
  const auto& registers = context.uc_mcontext.gregs;
  return {.pc = static_cast<uintptr_t>(registers[REG_RIP]),
          .fp = static_cast<uintptr_t>(registers[REG_RBP]),
          .sp = static_cast<uintptr_t>(registers[REG_RSP])};
#elif defined(__aarch64__)
  const auto& registers = context.uc_mcontext;
  return {.pc = registers.pc, .fp = registers.regs[29], .sp = registers.sp};
#endif
}

// A frame that is larger than the guard may have moved the stack pointer on by this much before it touched anything.
constexpr uintptr_t kFrameMax = 1 << 20;

// The fiber whose guard `address` lies in while its stack pointer is near: nullptr if this is any other fault.
MR_NO_SANITIZE const Fiber* OverrunFiber(const FiberWalk& walk, const void* address, uintptr_t sp) {
  const Slab* slab = walk.Find(address);
  if (slab == nullptr) return nullptr;
  size_t index = slab->IndexOf(address);
  if (index >= slab->used.load(std::memory_order_acquire)) return nullptr;
  const Fiber* fiber = slab->At(index);
  if (address >= static_cast<const void*>(fiber->stack_low)) return nullptr;
  bool on_its_stack =
      sp < reinterpret_cast<uintptr_t>(fiber) && sp + kFrameMax > reinterpret_cast<uintptr_t>(fiber->stack_low);
  return on_its_stack ? fiber : nullptr;
}

// The frame was larger than the guard, and what it touched beyond belongs to somebody else, who has a guard as well.
MR_NO_SANITIZE const Fiber* SteppedOverItsGuard(uintptr_t address, uintptr_t sp) {
  const Fiber* fiber = CurrentFiber();
  if (fiber == nullptr) return nullptr;
  auto low = reinterpret_cast<uintptr_t>(fiber->stack_low);
  return sp < low && sp + kFrameMax > low && address < low && address + kFrameMax > low ? fiber : nullptr;
}

MR_NO_SANITIZE void ReportOverflow(const Fiber& fiber, SavedFrame at) {
  if (!BeginLastReport()) return;
  char text[512];
  int length =
      snprintf(text, sizeof text,
               "fatal error: stack overflow in fiber %lu '%.64s' (stack of %zu KiB; raise FiberOptions::stack_bytes or "
               "RuntimeOptions::stack_bytes)\n",
               static_cast<unsigned long>(fiber.id), fiber.name, fiber.pool->stack_bytes() >> 10);
  WriteStderr({text, static_cast<size_t>(length)});
  WriteFrames(fiber, at, At::kInstruction);
}

MR_NO_SANITIZE void ReportSignal(const Watched& what, const siginfo_t& info, SavedFrame at) {
  const Fiber* fiber = CurrentFiber();
  if (fiber == nullptr || !BeginLastReport()) return;
  char text[256];
  int length = snprintf(text, sizeof text, "fatal error: %s", what.name);
  auto add = [&](int written) { length += written; };
  // From the kernel itself it tells no address: one that no page can have.
  if (what.tells_address && info.si_code != SI_KERNEL) {
    add(snprintf(text + length, sizeof text - static_cast<size_t>(length), " at address 0x%lx",
                 reinterpret_cast<unsigned long>(info.si_addr)));
  }
  add(snprintf(text + length, sizeof text - static_cast<size_t>(length), " in fiber %lu '%.64s'\n",
               static_cast<unsigned long>(fiber->id), fiber->name));
  WriteStderr({text, static_cast<size_t>(length)});
  WriteFrames(*fiber, at, At::kInstruction);
}

void PassOn(int signal, siginfo_t* info, void* context) {
  const struct sigaction& previous = Find(signal).previous;
  if ((previous.sa_flags & SA_SIGINFO) != 0) {
    previous.sa_sigaction(signal, info, context);
  } else if (previous.sa_handler == SIG_DFL || (previous.sa_handler == SIG_IGN && info->si_code > 0)) {
    struct sigaction fatal {};
    fatal.sa_handler = SIG_DFL;
    sigaction(signal, &fatal, nullptr);
    // A fault happens again as soon as we return, with the registers of the culprit; a signal that somebody sent does
    // not.
    if (info->si_code <= 0) raise(signal);
  } else if (previous.sa_handler != SIG_IGN) {
    previous.sa_handler(signal);
  }
}

void OnFault(int signal, siginfo_t* info, void* context) {
  const Watched& what = Find(signal);
  SavedFrame at = Registers(*static_cast<ucontext_t*>(context));
  if (what.tells_address && info->si_code > 0) {  // From the kernel, so si_addr means something.
    FiberWalk walk;
    const Fiber* fiber = OverrunFiber(walk, info->si_addr, at.sp);
    if (fiber == nullptr) fiber = SteppedOverItsGuard(reinterpret_cast<uintptr_t>(info->si_addr), at.sp);
    if (fiber != nullptr) {
      ReportOverflow(*fiber, at);
      // The fault happens again and finds who was there before us.
      sigaction(signal, &what.previous, nullptr);
      return;
    }
  }
  bool by_itself = info->si_code > 0 || (signal == SIGABRT && info->si_pid == getpid());
  if (by_itself && !HandledBefore(what.previous)) ReportSignal(what, *info, at);
  PassOn(signal, info, context);
}

}  // namespace

void ReportFaults() {
  static std::once_flag once;
  std::call_once(once, [] {
    StartReporter();
    struct sigaction action {};
    action.sa_sigaction = OnFault;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigfillset(&action.sa_mask);  // Nothing comes in between that would need the fiber's stack or let it be preempted.
    for (Watched& one : watched) sigaction(one.signal, nullptr, &one.previous);
    for (Watched& one : watched) sigaction(one.signal, &action, nullptr);
  });
}

}  // namespace millrace::rt
