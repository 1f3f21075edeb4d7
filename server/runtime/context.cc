#include "runtime/context.h"

#include <cxxabi.h>

#include <boost/context/detail/fcontext.hpp>
#include <cerrno>
#include <exception>

#include "base/check.h"
#include "runtime/preempt.h"
#include "runtime/sanitizers.h"
#include "runtime/scheduler.h"

namespace __cxxabiv1 {
// The layout is fixed by the Itanium C++ ABI (2.2.2): caughtExceptions, uncaughtExceptions.
struct __cxa_eh_globals;
extern "C" __cxa_eh_globals* __cxa_get_globals() noexcept;
}  // namespace __cxxabiv1

namespace millrace::rt {

namespace {

using boost::context::detail::fcontext_t;
using boost::context::detail::jump_fcontext;
using boost::context::detail::make_fcontext;
using boost::context::detail::transfer_t;

[[maybe_unused]] size_t StackBytes(const Fiber* fiber) {
  return static_cast<size_t>(reinterpret_cast<const char*>(fiber) - fiber->stack_low);
}

// From the calling fiber's stack to the next one's or the machine's. Returns when the fiber goes on. `save`: for ASan;
// nullptr when it does not.
MR_NO_TSAN inline transfer_t Leave(Machine& machine, Fiber* fiber, void** save) {
  fiber->saved_errno = *machine.errno_place;
  fiber->exceptions = *machine.exceptions_place;
  // In a simulation the clock orders everybody.
  if (!Scheduler::kSwitchesDirectly && machine.scheduler.simulates()) sanitizers::Release(&machine.scheduler);
  sanitizers::Release(fiber);
  Fiber* next = Scheduler::kSwitchesDirectly ? machine.scheduler.PickNext(machine, fiber) : nullptr;
  machine.left = next != nullptr ? fiber : nullptr;
  if (next != nullptr) {
    sanitizers::StartSwitch(save, next->stack_low, StackBytes(next));
  } else {
    sanitizers::StartSwitch(save, machine.stack_low, machine.stack_bytes);
    sanitizers::SwitchTo(machine.tsan_thread);
  }
  // One place for both, so that fibers that wait for the same have the same backtrace.
  return jump_fcontext(next != nullptr ? next->context : machine.native_context, &machine);
}

// First on a fiber's stack, pinned by whoever came from `from`.
MR_NO_TSAN inline void Arrive(Machine& machine, Fiber* fiber, transfer_t from, void* fake_stack) {
  if (Fiber* left = machine.left) {
    sanitizers::FinishSwitch(fake_stack);
    left->context = from.fctx;
    machine.scheduler.Settle(machine, left);
  } else {
    sanitizers::FinishSwitch(fake_stack, &machine.stack_low, &machine.stack_bytes);
    machine.native_context = from.fctx;
  }
  sanitizers::Acquire(&machine);
  sanitizers::Acquire(fiber);
  if (!Scheduler::kSwitchesDirectly && machine.scheduler.simulates()) sanitizers::Acquire(&machine.scheduler);
  if constexpr (!Scheduler::kSwitchesDirectly)
    sanitizers::Acquire(machine.processor.Get());  // Made by Resize, perhaps.
  *machine.errno_place = fiber->saved_errno;
  *machine.exceptions_place = fiber->exceptions;
  Unpin();
}

// The outermost frame of every fiber, and said to be that for whoever unwinds: an exception that leaves the closure
// ends in std::terminate, which is called where it was thrown, with all frames in place for the backtrace. (noexcept
// would unwind them first.) UBSan is not asked: the object of a forced unwind is no object, and the reference to it is
// null.
MR_NO_TSAN __attribute__((no_sanitize("undefined"))) void FiberEntry(transfer_t from) {
#if defined(__x86_64__)
  asm volatile(".cfi_undefined rip");
#elif defined(__aarch64__)
  asm volatile(".cfi_undefined x30");
#endif
  Machine* machine = static_cast<Machine*>(from.data);
  Fiber* fiber = machine->current;
  Arrive(*machine, fiber, from, nullptr);

  try {
    fiber->entry(fiber->closure);
  } catch (abi::__forced_unwind&) {
    // pthread_exit: there is no thread here that could end.
    std::terminate();
  }

  Pin();
  machine = CurrentMachine();
  machine->after_switch = AfterSwitch::kFinish;
  Leave(*machine, fiber, nullptr);
  MR_FATAL("a finished fiber was resumed");
}

}  // namespace

#if defined(__x86_64__)
constinit thread_local Machine* internal::current_machine = nullptr;
MR_NO_TSAN void SetCurrentMachine(Machine* machine) { internal::current_machine = machine; }
#else
namespace {
constinit thread_local Machine* current_machine = nullptr;
}
// `noipa` keeps the optimiser, also across translation units with LTO, from inlining this or remembering its result.
#if defined(__clang__)
__attribute__((noinline))
#else
__attribute__((noipa))
#endif
MR_NO_TSAN Machine*
CurrentMachine() {
  Machine* machine = current_machine;
  asm volatile("" : "+r"(machine)::"memory");
  return machine;
}
MR_NO_TSAN void SetCurrentMachine(Machine* machine) { current_machine = machine; }
#endif

void BindThreadState(Machine& machine) {
  machine.errno_place = &errno;
  machine.exceptions_place = reinterpret_cast<ExceptionState*>(__cxxabiv1::__cxa_get_globals());
  machine.tsan_thread = sanitizers::CurrentThread();
  // The thread's own variables were made before any fiber runs on it.
  sanitizers::Publish(&machine);
}

MR_NO_TSAN void PrepareContext(Fiber* fiber) {
  // The ABI wants 16-byte alignment at the first call; make_fcontext aligns down.
  fiber->context =
      make_fcontext(fiber->stack_top, static_cast<size_t>(fiber->stack_top - fiber->stack_low), FiberEntry);
}

MR_NO_TSAN Fiber* SwitchToFiber(Machine& machine, Fiber* fiber) {
  machine.left = nullptr;
  sanitizers::StartSwitch(&machine.asan_fake_stack, fiber->stack_low, StackBytes(fiber));
  sanitizers::SwitchTo(fiber->tsan_fiber);
  transfer_t from = jump_fcontext(fiber->context, &machine);
  sanitizers::FinishSwitch(machine.asan_fake_stack);
  Fiber* left = machine.current;
  // The unlock in a ParkCommit speaks for the fiber: what it wrote comes before.
  sanitizers::Acquire(left);
  left->context = from.fctx;
  return left;
}

MR_NO_TSAN void LeaveFiber(AfterSwitch reason, ParkCommit commit, void* argument) {
  Pin();
  Machine* machine = CurrentMachine();
  Fiber* fiber = machine->current;
  machine->after_switch = reason;
  machine->park_commit = commit;
  machine->park_argument = argument;
  transfer_t from = Leave(*machine, fiber, &fiber->asan_fake_stack);
  // `machine` is the one that was left; this one resumed us.
  Arrive(*static_cast<Machine*>(from.data), fiber, from, fiber->asan_fake_stack);
}

}  // namespace millrace::rt
