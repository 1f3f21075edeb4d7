#include "runtime/last_report.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <string>

#include "base/fatal_hook.h"
#include "base/stderr.h"
#include "runtime/fiber.h"
#include "runtime/park.h"
#include "runtime/preempt.h"
#include "runtime/reporter.h"
#include "runtime/sanitizers.h"
#include "runtime/symbols.h"

namespace millrace::rt {

namespace {

constexpr size_t kInnermost = 30;
constexpr size_t kOutermost = 6;
// Reading the debug information of a large program takes some hundred milliseconds; a machine that is paused or swaps,
// more. After that the thread that makes the text is taken to wait for a lock that the fiber holds.
constexpr int64_t kPatienceNs = 10'000'000'000;

// The frames to show: the innermost ones and the outermost ones. Static: there is one report in the life of the
// process.
struct Trace {
  At at = At::kInstruction;
  size_t depth = 0;
  std::array<uintptr_t, kInnermost> innermost{};
  std::array<uintptr_t, kOutermost> last{};  // A ring: frame i is in i % kOutermost.

  void Add(uintptr_t pc) {
    if (depth < kInnermost) innermost[depth] = pc;
    last[depth % kOutermost] = pc;
    ++depth;
  }

  template <typename Show>
  void ForEach(Show show, void (*skipped)(void* to, size_t count), void* to) const {
    size_t head = std::min(depth, kInnermost);
    for (size_t i = 0; i < head; ++i) show(i, innermost[i]);
    size_t tail = std::max(head, depth - std::min(depth, kOutermost));
    if (tail > head) skipped(to, tail - head);
    for (size_t i = tail; i < depth; ++i) show(i, last[i % kOutermost]);
  }
};
constinit Trace trace;
constinit std::atomic<pid_t> speaker{0};
std::terminate_handler previous_terminate = nullptr;

std::string ComposeFrames(const void* argument) {
  const auto& of = *static_cast<const Trace*>(argument);
  Symbols symbols;
  std::string text;
  of.ForEach(
      [&](size_t i, uintptr_t pc) {
        char head[48];
        snprintf(head, sizeof head, "  #%zu 0x%016lx ", i, static_cast<unsigned long>(pc));
        text += head + symbols.Describe(pc, i > 0 || of.at == At::kReturnAddress) + "\n";
      },
      [](void* to, size_t count) {
        *static_cast<std::string*>(to) += "  ... " + std::to_string(count) + " more ...\n";
      },
      &text);
  return text;
}

void WriteBareFrames(const Trace& of) {
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

// `headline`: printf-like, for the fiber's id and name.
MR_NO_SANITIZE void ReportCaller(const char* headline, SavedFrame frame) {
  const Fiber* fiber = CurrentFiber();
  if (fiber == nullptr) return;
  DisablePreemption();  // For good: it is not stopped on its way out.
  if (!BeginLastReport()) return;
  char text[192];
  int length = snprintf(text, sizeof text, headline, static_cast<unsigned long>(fiber->id), fiber->name);
  WriteStderr({text, static_cast<size_t>(length)});
  WriteFrames(*fiber, frame, At::kReturnAddress);
}

MR_NO_SANITIZE void OnFatal(const void* fatal_frame) {
  const auto* words = static_cast<const uintptr_t*>(fatal_frame);
  ReportCaller("fiber %lu '%.64s':\n", {.pc = words[1], .fp = words[0], .sp = reinterpret_cast<uintptr_t>(words + 2)});
}

[[noreturn]] __attribute__((noinline)) void OnTerminate() {
  ReportCaller("fatal error: std::terminate in fiber %lu '%.64s':\n", BackInMyCaller());
  if (previous_terminate != nullptr) previous_terminate();
  abort();
}

}  // namespace

bool BeginLastReport() {
  pid_t me = gettid();
  pid_t nobody = 0;
  if (speaker.compare_exchange_strong(nobody, me)) return true;
  if (nobody == me) return false;
  for (;;) pause();
}

MR_NO_SANITIZE void WriteFrames(const Fiber& fiber, SavedFrame frame, At at) {
  trace.at = at;
  // A library keeps no frame pointers: its callers have to be looked for. An overrun stack begins in its guard.
  if (!InOwnCode(frame.pc)) {
    static constinit std::array<uintptr_t, kInnermost + kOutermost> pcs{};
    uintptr_t sp = std::max(frame.sp, reinterpret_cast<uintptr_t>(fiber.stack_low));
    size_t count = WalkFromTheKernel(fiber, frame.pc, sp, pcs.data(), pcs.size());
    for (size_t i = 0; i < count; ++i) trace.Add(pcs[i]);
  }
  if (trace.depth == 0) {
    FrameWalk walk(frame, fiber.stack_low, &fiber);
    while (uintptr_t pc = walk.Next()) trace.Add(pc);
  }
  if (!WriteLastWords(ComposeFrames, &trace, kPatienceNs)) WriteBareFrames(trace);
}

void ReportFatalErrors() {
  static std::once_flag once;
  std::call_once(once, [] {
    StartReporter();
    SetFatalHook(OnFatal);
    previous_terminate = std::set_terminate(OnTerminate);
  });
}

}  // namespace millrace::rt
