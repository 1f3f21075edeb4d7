// A fiber's way through the scheduler: allocated, started, readied, finished.
#include "base/check.h"
#include "runtime/context.h"
#include "runtime/cycles.h"
#include "runtime/make_fiber.h"
#include "runtime/sanitizers.h"
#include "runtime/scheduler.h"

namespace millrace::rt {

MR_NO_TSAN Fiber* Scheduler::Allocate(const FiberOptions& options) {
  constexpr int kRefill = 32;
  constexpr uint64_t kIdBatch = 64;
  Machine* machine = CurrentMachine();
  StackPool& pool = stacks_.For(options.stack_bytes);
  Fiber* fiber;
  Pin();
  Processor* processor = machine != nullptr && &machine->scheduler == this ? machine->processor.Get() : nullptr;
  if (processor != nullptr) {
    if (&pool != &stacks_.usual()) {
      fiber = pool.Take(1);
    } else {
      if (processor->free_fibers == nullptr) {
        processor->free_fibers = pool.Take(kRefill);
        processor->free_fiber_count = 0;
        for (Fiber* f = processor->free_fibers; f != nullptr; f = f->next) ++processor->free_fiber_count;
      }
      fiber = processor->free_fibers;
      processor->free_fibers = fiber->next;
      --processor->free_fiber_count;
    }
    if (processor->next_fiber_id == processor->last_fiber_id) {
      processor->next_fiber_id = next_fiber_id_.fetch_add(kIdBatch, std::memory_order_relaxed);
      processor->last_fiber_id = processor->next_fiber_id + kIdBatch;
    }
    fiber->id = processor->next_fiber_id++;
    processor->counters.fibers_started.Add(1);
  } else {
    fiber = pool.Take(1);
    fiber->id = next_fiber_id_.fetch_add(1, std::memory_order_relaxed);
    outside_started_.fetch_add(1, std::memory_order_relaxed);
  }
  Unpin();
  sanitizers::Acquire(fiber);  // What the fiber did that had this stack before lies behind us.
  // Its outermost frame was never left, and a larger closure may come to lie there.
  constexpr size_t kOutermostBytes = 4096;
  sanitizers::Unpoison(reinterpret_cast<char*>(fiber) - kOutermostBytes, kOutermostBytes);
  fiber->name = options.name;
  fiber->scheduler = this;
  fiber->wait_reason = WaitReason::kNone;
  fiber->bound = nullptr;
  fiber->started = false;
  fiber->urgent = options.urgent;
  fiber->share_group = options.share_group;
  fiber->was_parked = false;
  fiber->thread_locks = 0;
  fiber->saved_errno = 0;
  fiber->exceptions = {};
  // Else every fiber's first select would look at its cases in the same order.
  fiber->select_random = static_cast<uint32_t>((seed_ ^ fiber->id) * 0x9E3779B97F4A7C15u >> 32);
  fiber->account.Clear();
  return fiber;
}

MR_NO_TSAN void Scheduler::Release(Fiber* unstarted) {
  // Modulo 2^64; only the sum over all counters has a meaning.
  outside_started_.fetch_sub(1, std::memory_order_relaxed);
  unstarted->next = nullptr;
  unstarted->pool->Give(unstarted, 1);
}

MR_NO_TSAN void Scheduler::Start(Fiber* fiber) {
  PrepareContext(fiber);
  fiber->state.store(FiberState::kReady, std::memory_order_relaxed);
  fiber->account.BeginAt(NowTicks());
  Submit(CurrentMachine(), fiber);
}

MR_NO_TSAN void Scheduler::MakeReady(Fiber* fiber) {
  MR_CHECK(fiber->state.load(std::memory_order_relaxed) == FiberState::kParked,
           "Ready was called for fiber %lu '%s', which is not parked; a fiber is readied once for each Park",
           static_cast<unsigned long>(fiber->id), fiber->name);
  fiber->account.BlockedUntil(fiber->wait_reason, NowTicks());
  fiber->state.store(FiberState::kReady, std::memory_order_relaxed);
  Submit(CurrentMachine(), fiber);
}

// `processor`: the machine's; nullptr when the fiber has lost it.
MR_NO_TSAN void Scheduler::FinishFiber(Processor* processor, Fiber* fiber) {
  bool was_main = fiber == main_;
  fiber->state.store(FiberState::kFree, std::memory_order_relaxed);
  (processor != nullptr ? processor->counters.fibers_finished.Add(1)
                        : void(outside_finished_.fetch_add(1, std::memory_order_relaxed)));
  if (processor == nullptr || fiber->pool != &stacks_.usual()) {
    sanitizers::Acquire(fiber);
    fiber->next = nullptr;
    fiber->pool->Give(fiber, 1);
  } else {
    if (processor->free_fiber_count == Processor::kFreeFibersMax) {
      // Half stays: a program that starts and ends fibers in turns must not cross the pool's lock each time.
      Fiber* give = processor->free_fibers;
      Fiber* last = give;
      for (int i = 1; i < Processor::kFreeFibersMax / 2; ++i) last = last->next;
      processor->free_fibers = last->next;
      processor->free_fiber_count -= Processor::kFreeFibersMax / 2;
      stacks_.usual().Give(give, Processor::kFreeFibersMax / 2);
    }
    fiber->next = processor->free_fibers;
    processor->free_fibers = fiber;
    ++processor->free_fiber_count;
  }
  if (was_main) Stop();
}

MR_NO_TSAN Scheduler& CurrentScheduler() {
  Machine* machine = CurrentMachine();
  MR_CHECK(machine != nullptr,
           "this needs a fiber; call it inside Runtime::Run, or use Runtime::Go from a plain thread");
  return machine->scheduler;
}

Fiber* AllocateFiber(Scheduler& scheduler, const FiberOptions& options) { return scheduler.Allocate(options); }
void ReleaseUnstartedFiber(Fiber* fiber) { fiber->scheduler->Release(fiber); }
void StartFiber(Fiber* fiber) { fiber->scheduler->Start(fiber); }

}  // namespace millrace::rt
