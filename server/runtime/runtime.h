// The front door of the runtime: run a program of fibers on a few OS threads.
//
//   millrace::rt::Runtime runtime;
//   return runtime.Run([] {
//     millrace::sync::WaitGroup done;
//     done.Go([] { puts("hello from a fiber"); });
//     done.Wait();
//   });
//
// Words: a fiber (G) is a light thread with its own stack; a machine (M) is an OS thread; a processor (P) is the right to run
// fibers, there are `procs` of them. A machine needs a processor to run fibers. README.md tells how they work together.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>

#include "base/clock.h"
#include "runtime/fiber.h"
#include "runtime/stats.h"

namespace millrace::rt {

class Netpoller;
class Scheduler;

struct RuntimeOptions {
  // Fibers that run at the same time, 1 to kMaxProcs. 0: MILLRACE_PROCS from the environment, else the CPU limit
  // (min of affinity and cgroup quota, rounded up; runtime/cpu_limit.h).
  int procs = 0;
  // Address space of each fiber's stack; memory is committed by the page as it is touched. 16 KiB to 1 GiB, rounded up to pages.
  size_t stack_bytes = size_t{256} << 10;
  // Seeds the order of victims when stealing and of select cases. 0: taken from the clock.
  uint64_t seed = 0;
};

inline constexpr int kMaxProcs = 256;

class Runtime {
 public:
  explicit Runtime(RuntimeOptions options = {});
  ~Runtime();
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  // Runs `main` as the first fiber and returns what it returns (0 for void) once it has returned. As in Go, the program does
  // not wait for other fibers: those that are parked or ready are dropped without running their destructors; one that is
  // running is waited for until its next switch. Call once per Runtime, from a plain thread.
  template <typename F>
  int Run(F&& main) {
    int result = 0;
    RunMain(MakeFiber(*scheduler_, {.name = "main"}, [&result, main = std::forward<F>(main)]() mutable {
      if constexpr (std::is_void_v<std::invoke_result_t<F&>>) {
        main();
      } else {
        result = main();
      }
    }));
    return result;
  }

  // Starts a fiber from any thread, also before Run (it then starts with main). Inside a fiber, rt::Go is shorter and faster.
  template <typename F>
  void Go(F&& fn) {
    Go(FiberOptions{}, std::forward<F>(fn));
  }
  template <typename F>
  void Go(FiberOptions options, F&& fn) {
    StartFiber(MakeFiber(*scheduler_, options, std::forward<F>(fn)));
  }

  int procs() const;
  // A consistent-enough sum of per-processor counters. Any thread; cheap.
  RuntimeStats Stats() const;

 private:
  void RunMain(Fiber* main);
  std::unique_ptr<Scheduler> scheduler_;
};

// ---- Called on a fiber -----------------------------------------------------------------------------------------------------

// Starts a fiber that runs `fn` once. The closure lives on the new fiber's stack: no allocation when a used stack is at hand.
// An exception that leaves `fn` ends the process.
template <typename F>
void Go(FiberOptions options, F&& fn) {
  StartFiber(MakeFiber(CurrentScheduler(), options, std::forward<F>(fn)));
}
template <typename F>
void Go(F&& fn) {
  Go(FiberOptions{}, std::forward<F>(fn));
}

// Lets the other ready fibers of this processor run first. On a plain thread: sched_yield.
void Yield();

// Parks the fiber for at least `duration`; zero or less yields. On a plain thread: an ordinary sleep.
void SleepFor(Nanos duration);
void SleepUntil(MonoTime deadline);

// The I/O poller of the calling fiber's runtime. The first call makes it with `make`; later ones get the same, so a program has one
// kind of poller. It lives as long as the Runtime. Fatal on a plain thread.
Netpoller& UseNetpoller(std::unique_ptr<Netpoller> (*make)());

// Is the caller a fiber (rather than a plain thread)?
bool InFiber();

// Of the calling fiber; 0 on a plain thread.
uint64_t CurrentFiberId();

}  // namespace millrace::rt
