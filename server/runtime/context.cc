#include "runtime/context.h"

#include <cxxabi.h>

#include <boost/context/detail/fcontext.hpp>
#include <cerrno>

#include "base/check.h"
#include "runtime/preempt.h"
#include "runtime/sanitizers.h"

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

constinit thread_local Machine* current_machine = nullptr;

// The outermost frame of every fiber. noexcept: an exception that leaves the closure ends in std::terminate, with the exception's
// name and message, instead of unwinding into nothing.
MR_NO_TSAN void FiberEntry(transfer_t from) noexcept {
  Machine* machine = static_cast<Machine*>(from.data);
  sanitizers::FinishSwitch(nullptr, &machine->stack_low, &machine->stack_bytes);
  machine->native_context = from.fctx;
  Fiber* fiber = machine->current;
  sanitizers::Acquire(machine);
  sanitizers::Acquire(fiber);
  Unpin();  // The machine's pin does not hold here; the one in LeaveFiber takes its place when we come back.

  fiber->entry(fiber->closure);

  Pin();
  machine = CurrentMachine();
  machine->after_switch = AfterSwitch::kFinish;
  sanitizers::Release(fiber);
  sanitizers::StartSwitch(nullptr, machine->stack_low, machine->stack_bytes);
  sanitizers::SwitchTo(machine->tsan_thread);
  jump_fcontext(machine->native_context, nullptr);
  MR_FATAL("a finished fiber was resumed");
}

}  // namespace

// A migrating fiber must read the variable of the thread it runs on now. `noipa` keeps the optimiser, also across translation
// units with LTO, from inlining this or remembering its result.
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

void BindThreadState(Machine& machine) {
  machine.errno_place = &errno;
  machine.exceptions_place = reinterpret_cast<ExceptionState*>(__cxxabiv1::__cxa_get_globals());
  machine.tsan_thread = sanitizers::CurrentThread();
  // The thread's own variables were made before any fiber runs on it.
  sanitizers::Release(&machine);
}

MR_NO_TSAN void PrepareContext(Fiber* fiber) {
  // The ABI wants 16-byte alignment at the first call; make_fcontext aligns down.
  fiber->context =
      make_fcontext(fiber->stack_top, static_cast<size_t>(fiber->stack_top - fiber->stack_low), FiberEntry);
}

MR_NO_TSAN void SwitchToFiber(Machine& machine, Fiber* fiber) {
  *machine.errno_place = fiber->saved_errno;
  *machine.exceptions_place = fiber->exceptions;
  sanitizers::StartSwitch(&machine.asan_fake_stack, fiber->stack_low,
                          static_cast<size_t>(reinterpret_cast<char*>(fiber) - fiber->stack_low));
  sanitizers::SwitchTo(fiber->tsan_fiber);
  transfer_t from = jump_fcontext(fiber->context, &machine);
  sanitizers::FinishSwitch(machine.asan_fake_stack);
  // The unlock in a ParkCommit speaks for the fiber: what it wrote comes before.
  sanitizers::Acquire(fiber);
  fiber->context = from.fctx;
  fiber->saved_errno = *machine.errno_place;
  fiber->exceptions = *machine.exceptions_place;
}

MR_NO_TSAN void LeaveFiber(AfterSwitch reason, ParkCommit commit, void* argument) {
  Pin();
  Machine* machine = CurrentMachine();
  Fiber* fiber = machine->current;
  machine->after_switch = reason;
  machine->park_commit = commit;
  machine->park_argument = argument;
  sanitizers::Release(fiber);
  sanitizers::StartSwitch(&fiber->asan_fake_stack, machine->stack_low, machine->stack_bytes);
  sanitizers::SwitchTo(machine->tsan_thread);
  transfer_t from = jump_fcontext(machine->native_context, nullptr);
  // `machine` is the one that was left; this one resumed us.
  Machine* resumer = static_cast<Machine*>(from.data);
  sanitizers::FinishSwitch(fiber->asan_fake_stack, &resumer->stack_low, &resumer->stack_bytes);
  resumer->native_context = from.fctx;
  sanitizers::Acquire(resumer);
  sanitizers::Acquire(fiber);
  Unpin();
}

}  // namespace millrace::rt
