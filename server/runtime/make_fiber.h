// MakeFiber: a new fiber with a closure on its stack, or on the heap where the closure is large. The door is Go
// (runtime.h); whoever must start a fiber where nothing may fail any more (a timer's handler) makes it ahead here.
//
//   Threads   MakeFiber, ReleaseUnstartedFiber and StartFiber: any, also before Run.
//   Errors    Without memory for a stack the process ends. An exception of the closure's copy or move goes on to the
//             caller.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

#include "runtime/fiber.h"

namespace millrace::rt {

// Closures up to this size live on the fiber's stack, larger ones on the heap.
inline constexpr size_t kClosureBytesMax = 1024;

// The scheduler of the calling fiber. Fatal on a plain thread.
Scheduler& CurrentScheduler();

// A control block with a stack and no closure. Every fiber is started once or released.
Fiber* AllocateFiber(Scheduler& scheduler, const FiberOptions& options);
void ReleaseUnstartedFiber(Fiber* fiber);
void StartFiber(Fiber* fiber);

// Calls `make`; where that throws the fiber is released.
template <typename F>
void OrRelease(Fiber* fiber, F&& make) {
  try {
    make();
  } catch (...) {
    ReleaseUnstartedFiber(fiber);
    throw;
  }
}

// A fiber ready for StartFiber, or for ReleaseUnstartedFiber once its closure is destroyed.
template <typename F>
Fiber* MakeFiber(Scheduler& scheduler, FiberOptions options, F&& fn) {
  using Closure = std::decay_t<F>;
  Fiber* fiber = AllocateFiber(scheduler, options);
  if constexpr (sizeof(Closure) <= kClosureBytesMax && alignof(Closure) <= alignof(Fiber)) {
    char* place =
        reinterpret_cast<char*>((reinterpret_cast<uintptr_t>(fiber) - sizeof(Closure)) & ~(alignof(Closure) - 1));
    OrRelease(fiber, [&] { new (place) Closure(std::forward<F>(fn)); });
    fiber->closure = place;
    fiber->stack_top = place;
    fiber->entry = [](void* closure) {
      Closure& fn_in_place = *std::launder(static_cast<Closure*>(closure));
      fn_in_place();
      fn_in_place.~Closure();
    };
  } else {
    OrRelease(fiber, [&] { fiber->closure = new Closure(std::forward<F>(fn)); });
    fiber->stack_top = reinterpret_cast<char*>(fiber);
    fiber->entry = [](void* closure) {
      std::unique_ptr<Closure> owned(static_cast<Closure*>(closure));
      (*owned)();
    };
  }
  return fiber;
}

}  // namespace millrace::rt
