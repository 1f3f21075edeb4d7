#include "runtime/trace_running.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <vector>

#include "runtime/cycles.h"
#include "runtime/futex.h"
#include "runtime/machine.h"
#include "runtime/preempt.h"
#include "runtime/sanitizers.h"
#include "runtime/scheduler.h"
#include "runtime/thread_state.h"
#include "runtime/unstoppable_guard.h"

namespace millrace::rt {

namespace {

// A thread without a core answers when it gets one. Longer than a paused machine needs; after that the fiber is shown
// without frames.
constexpr int64_t kPatienceNs = 2'000'000'000;

// One request at a time. Static: an answer may come after the patience is at its end.
struct Answer {
  std::atomic<uint32_t> ready{0};
  std::atomic<Fiber*> fiber{nullptr};
  std::array<std::atomic<uintptr_t>, 64> pcs{};
  std::atomic<size_t> count{0};
};
constinit Answer answer;

ThreadMutex one_at_a_time;
// Whose machines may be asked: a walk sees the fibers of a runtime for a moment longer than the runtime is there.
std::vector<Scheduler*> allowed MR_GUARDED_BY(one_at_a_time);

}  // namespace

void AllowTraces(Scheduler* scheduler) {
  UnstoppableGuard guard(one_at_a_time);
  allowed.push_back(scheduler);
}

void ForbidTraces(Scheduler* scheduler) {
  UnstoppableGuard guard(one_at_a_time);
  std::erase(allowed, scheduler);
}

RunningTrace TraceRunningFiber(Fiber* fiber, uintptr_t* pcs, size_t max) {
  if (!kPreemptionWorks) return {};
  UnstoppableGuard guard(one_at_a_time);
  Scheduler* scheduler = fiber->scheduler;
  if (std::find(allowed.begin(), allowed.end(), scheduler) == allowed.end()) return {};
  answer.ready.store(0, std::memory_order_relaxed);
  answer.fiber.store(fiber, std::memory_order_release);
  pid_t tid = 0;
  switch (scheduler->AskForTrace(fiber, &tid)) {
    case Scheduler::TraceAsked::kNobody:
      return {};
    case Scheduler::TraceAsked::kAsleep: {
      uintptr_t pc = 0, sp = 0;
      if (!WhereThreadSleeps(tid, &pc, &sp)) return {.depth = 0, .asleep = true};
      return {.depth = WalkFromTheKernel(*fiber, pc, sp, pcs, max), .asleep = true};
    }
    case Scheduler::TraceAsked::kSignalled:
      break;
  }
  int64_t deadline = NowNs() + kPatienceNs;
  while (answer.ready.load(std::memory_order_acquire) == 0 && NowNs() < deadline)
    FutexWaitUntil(answer.ready, 0, deadline);
  answer.fiber.store(nullptr, std::memory_order_release);
  if (answer.ready.load(std::memory_order_acquire) == 0) return {};
  size_t count = std::min(answer.count.load(std::memory_order_relaxed), max);
  for (size_t i = 0; i < count; ++i) pcs[i] = answer.pcs[i].load(std::memory_order_relaxed);
  return {.depth = count, .asleep = false};
}

MR_NO_TSAN void AnswerTrace(Machine& machine, const SavedFrame& interrupted) {
  if (!machine.trace_wanted.exchange(false, std::memory_order_acquire)) return;
  Fiber* fiber = machine.current;
  size_t count = 0;
  // Gone from this thread, or just on the machine's own stack: nothing to tell.
  if (fiber != nullptr && fiber == answer.fiber.load(std::memory_order_acquire) &&
      interrupted.sp >= reinterpret_cast<uintptr_t>(fiber->stack_low) &&
      interrupted.sp < reinterpret_cast<uintptr_t>(fiber)) {
    FrameWalk walk(interrupted, fiber->stack_low, fiber);
    while (count < answer.pcs.size()) {
      uintptr_t pc = walk.Next();
      if (pc == 0) break;
      answer.pcs[count++].store(pc, std::memory_order_relaxed);
    }
  }
  answer.count.store(count, std::memory_order_relaxed);
  answer.ready.store(1, std::memory_order_release);
  FutexWake(answer.ready, 1);
}

}  // namespace millrace::rt
