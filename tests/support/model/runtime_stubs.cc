// The runtime below Park and Ready, as the model has it: a fiber is a thread of the model, and what its machine does
// after the fiber has left its stack (ParkCommit) is another, so that a fiber may be resumed while its commit still
// runs. Everything above, from park.cc on, is the real code.
#include <chrono>
#include <cstdarg>
#include <cstdio>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "base/check.h"
#include "runtime/context.h"
#include "runtime/scheduler.h"
#include "runtime/spin_lock.h"
#include "runtime/timer.h"
#include "tests/support/model/execution.h"

namespace millrace {

void Fatal(const char*, int, const char* format, ...) {
  char text[512];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  model::Fail(std::string("fatal error: ") + text);
}

namespace {

// Nothing of it is touched but MakeReady below, which asks for nothing of it.
alignas(rt::Scheduler) char no_scheduler[sizeof(rt::Scheduler)];

struct ModelFiber : rt::Fiber {
  rt::Machine machine{reinterpret_cast<rt::Scheduler&>(no_scheduler)};
};

struct ArmedTimer {
  rt::SpinLock lock;
  rt::Timer* timer = nullptr;
};

}  // namespace

namespace rt {

uintptr_t ProcessorSlot::AwaitDecision() const { return 0; }  // Nobody takes a processor.

// What a signal may do (preempt.h): there are none.
namespace internal {
#if defined(__x86_64__)
constinit thread_local uint32_t preempt_word = 0;
#else
void ChangePreemptWord(uint32_t) {}
#endif
}  // namespace internal

Machine* CurrentMachine() {
  if (!model::Execution::Exists()) return nullptr;
  void* fiber = model::Execution::Current().fiber();
  return fiber != nullptr ? &static_cast<ModelFiber*>(static_cast<Fiber*>(fiber))->machine : nullptr;
}

void LeaveFiber(AfterSwitch reason, ParkCommit commit, void* argument) {
  MR_CHECK(reason == AfterSwitch::kPark, "the model knows parking only");
  Fiber* fiber = CurrentFiber();
  model::Execution::Current().Park([fiber, commit, argument] {
    if (commit != nullptr && !commit(fiber, argument)) model::Execution::Current().Resume(fiber);
  });
}

void Scheduler::MakeReady(Fiber* fiber) { model::Execution::Current().Resume(fiber); }

MonoTime Now() { return MonoTime(std::chrono::seconds(model::Execution::Current().TellTime())); }

// A timer is a thread that fires it at any time, under a lock that Cancel takes as well, like that of a TimerHeap.
void Timer::Start(MonoTime, Fire fire, Nanos) {
  auto armed = std::make_shared<ArmedTimer>();
  armed->timer = this;
  fire_ = fire;
  heap_ = reinterpret_cast<TimerHeap*>(armed.get());
  model::Execution& execution = model::Execution::Current();
  execution.StartLater(execution.AddLater("timer", [armed] {
    std::lock_guard guard(armed->lock);
    if (Timer* timer = std::exchange(armed->timer, nullptr)) timer->fire_(timer);
  }));
}

bool Timer::Cancel() {
  if (heap_ == nullptr) return false;
  ArmedTimer& armed = *reinterpret_cast<ArmedTimer*>(heap_);
  std::lock_guard guard(armed.lock);
  return std::exchange(armed.timer, nullptr) != nullptr;
}

}  // namespace rt

namespace model {

void Scene::Fiber(const char* name, std::function<void()> body) {
  auto made = std::make_shared<ModelFiber>();
  made->name = name;
  made->scheduler = &made->machine.scheduler;
  made->machine.current = made.get();
  Execution::Current().Add(
      name, [made, body = std::move(body)] { body(); }, static_cast<rt::Fiber*>(made.get()));
}

}  // namespace model
}  // namespace millrace
