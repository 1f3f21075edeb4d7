#include "runtime/stack_overflow.h"

#include <signal.h>
#include <ucontext.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <mutex>

#include "base/stderr.h"
#include "runtime/backtrace.h"
#include "runtime/fiber.h"
#include "runtime/reporter.h"
#include "runtime/sanitizers.h"
#include "runtime/slab.h"
#include "runtime/stack.h"
#include "runtime/symbols.h"

namespace millrace::rt {

namespace {

constexpr size_t kInnermost = 30;
constexpr size_t kOutermost = 6;
// Reading the debug information of a large program takes some hundred milliseconds; a machine that is paused or swaps, more. After that
// the thread that makes the text is taken to wait for a lock that the fiber holds.
constexpr int64_t kPatienceNs = 10'000'000'000;

struct sigaction previous_segv {};
struct sigaction previous_bus {};

// What is known of the overflow, gathered by the handler. Static: there is one at a time, and it is the last.
struct Overflow {
  size_t depth = 0;
  std::array<uintptr_t, kInnermost> innermost{};
  std::array<uintptr_t, kOutermost> last{};  // A ring: frame i is in i % kOutermost.

  // The frames to show: the innermost ones and the outermost ones.
  template <typename Show>
  void ForEach(Show show, void (*skipped)(void* to, size_t count), void* to) const {
    size_t head = std::min(depth, kInnermost);
    for (size_t i = 0; i < head; ++i) show(i, innermost[i]);
    size_t tail = std::max(head, depth - std::min(depth, kOutermost));
    if (tail > head) skipped(to, tail - head);
    for (size_t i = tail; i < depth; ++i) show(i, last[i % kOutermost]);
  }
};
constinit Overflow overflow;
constinit std::atomic<bool> dying{false};

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

std::string ComposeFrames(const void* argument) {
  const auto& of = *static_cast<const Overflow*>(argument);
  Symbols symbols;
  std::string text;
  of.ForEach(
      [&](size_t i, uintptr_t pc) {
        char head[48];
        snprintf(head, sizeof head, "  #%zu 0x%016lx ", i, static_cast<unsigned long>(pc));
        text += head + symbols.Describe(pc, i > 0) + "\n";
      },
      [](void* to, size_t count) {
        *static_cast<std::string*>(to) += "  ... " + std::to_string(count) + " more ...\n";
      },
      &text);
  return text;
}

void WriteBareFrames(const Overflow& of) {
  char line[64];
  bool heard = true;  // Where nobody reads, the patience is spent once and not for each frame.
  auto say = [&](int length) { heard = heard && WriteStderr({line, static_cast<size_t>(length)}); };
  of.ForEach(
      [&](size_t i, uintptr_t pc) {
        say(snprintf(line, sizeof line, "  #%zu 0x%016lx\n", i, static_cast<unsigned long>(pc)));
      },
      [](void*, size_t count) {
        char skipped[64];
        int length = snprintf(skipped, sizeof skipped, "  ... %zu more ...\n", count);
        WriteStderr({skipped, static_cast<size_t>(length)});
      },
      nullptr);
}

// The fiber whose guard `address` lies in while its stack pointer is near: nullptr if this is any other fault.
MR_NO_SANITIZE const Fiber* OverrunFiber(const FiberWalk& walk, const void* address, uintptr_t sp) {
  // A frame that is larger than the guard may have moved the stack pointer on by this much before it touched anything.
  constexpr uintptr_t kFrameMax = 1 << 20;
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

MR_NO_SANITIZE void ReportOverflow(const Fiber& fiber, SavedFrame at) {
  // Others that overflow meanwhile leave the word to the first; the process is about to end.
  while (dying.exchange(true)) pause();
  char text[512];
  int length =
      snprintf(text, sizeof text,
               "fatal error: stack overflow in fiber %lu '%.64s' (stack of %zu KiB; raise FiberOptions::stack_bytes or "
               "RuntimeOptions::stack_bytes)\n",
               static_cast<unsigned long>(fiber.id), fiber.name, fiber.pool->stack_bytes() >> 10);
  WriteStderr({text, static_cast<size_t>(length)});
  FrameWalk walk(at, fiber.stack_low, &fiber);
  while (uintptr_t pc = walk.Next()) {
    if (overflow.depth < kInnermost) overflow.innermost[overflow.depth] = pc;
    overflow.last[overflow.depth % kOutermost] = pc;
    ++overflow.depth;
  }
  if (!WriteLastWords(ComposeFrames, &overflow, kPatienceNs)) WriteBareFrames(overflow);
}

void PassOn(int signal, siginfo_t* info, void* context) {
  const struct sigaction& previous = signal == SIGSEGV ? previous_segv : previous_bus;
  if ((previous.sa_flags & SA_SIGINFO) != 0) {
    previous.sa_sigaction(signal, info, context);
  } else if (previous.sa_handler == SIG_DFL || (previous.sa_handler == SIG_IGN && info->si_code > 0)) {
    struct sigaction fatal {};
    fatal.sa_handler = SIG_DFL;
    sigaction(signal, &fatal, nullptr);
    // A fault happens again as soon as we return, with the registers of the culprit; a signal that somebody sent does not.
    if (info->si_code <= 0) raise(signal);
  } else if (previous.sa_handler != SIG_IGN) {
    previous.sa_handler(signal);
  }
}

void OnFault(int signal, siginfo_t* info, void* context) {
  if (info->si_code > 0) {  // From the kernel, so si_addr means something.
    SavedFrame at = Registers(*static_cast<ucontext_t*>(context));
    FiberWalk walk;
    if (const Fiber* fiber = OverrunFiber(walk, info->si_addr, at.sp)) {
      ReportOverflow(*fiber, at);
      // The fault happens again and finds who was there before us.
      sigaction(signal, signal == SIGSEGV ? &previous_segv : &previous_bus, nullptr);
      return;
    }
  }
  PassOn(signal, info, context);
}

}  // namespace

void ReportStackOverflows() {
  static std::once_flag once;
  std::call_once(once, [] {
    StartReporter();
    struct sigaction action {};
    action.sa_sigaction = OnFault;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigfillset(&action.sa_mask);  // Nothing comes in between that would need the fiber's stack or let it be preempted.
    sigaction(SIGSEGV, nullptr, &previous_segv);
    sigaction(SIGBUS, nullptr, &previous_bus);
    sigaction(SIGSEGV, &action, nullptr);
    sigaction(SIGBUS, &action, nullptr);
  });
}

}  // namespace millrace::rt
