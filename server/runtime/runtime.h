// The front door of the runtime: run a program of fibers on a few OS threads.
//
//   millrace::rt::Runtime runtime;
//   return runtime.Run([] {
//     millrace::sync::WaitGroup done;
//     done.Go([] { puts("hello from a fiber"); });
//     done.Wait();
//   });
//
// Words: a fiber (G) is a light thread with its own stack; a machine (M) is an OS thread; a processor (P) is the right
// to run fibers, there are `procs` of them. A machine needs a processor to run fibers. README.md tells how they work
// together.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>

#include "base/clock.h"
#include "runtime/fiber.h"
#include "runtime/make_fiber.h"
#include "runtime/stats.h"

namespace millrace::rt {

class Netpoller;
class Scheduler;

struct RuntimeOptions {
  // Fibers that run at the same time, 1 to kMaxProcs. 0: MILLRACE_PROCS from the environment, else the CPU limit
  // (min of affinity and cgroup quota, rounded up; runtime/cpu_limit.h), looked at again every second while running.
  int procs = 0;
  // Address space of each fiber's stack; memory is committed by the page as it is touched. 16 KiB to 1 GiB, rounded up
  // to pages.
  size_t stack_bytes = size_t{256} << 10;
  // So many machines may wait in the middle of a fiber that a signal has stopped before new fibers are held back.
  // Beyond this the runtime rather finishes such fibers than starts new ones that may become the next: more are added
  // ever more slowly. Each costs a thread, some 50 KiB.
  int parked_machines_max = 256;
  // Threads at most, blocked ones included (Go's limit as well).
  int machines_max = 10'000;
  // For tests: one processor and no signals, every choice of who runs next made by `seed`, and a clock of its own
  // (rt::Now) that jumps to the next timer when no fiber is ready. A program that asks nothing of the outside then runs
  // the same way each time, and an hour of waiting takes no time. `procs` must be 0 or 1.
  bool simulate = false;
  // For tests: the folder whose proc/self and sys/fs/cgroup tell the CPU limit, instead of "/".
  const char* cgroup_root = "";
  // Seeds the order of victims when stealing and of select cases. 0: taken from the clock.
  uint64_t seed = 0;
  // The program ends with exit code 2 when all its fibers wait for each other (deadlock.h).
  bool report_deadlock = true;
  // Fibers that have been waiting for another one (a lock, a channel, a wait group; not time, I/O, a child or work) for
  // longer than this are written to the log with reason and backtrace, each wait once. They are looked for as often as
  // that, but at least once a minute and at most ten times a second; of those that are new the ten that have waited
  // longest are shown. 0: nobody looks.
  Nanos report_blocked_longer{0};
  // SIGQUIT (Ctrl-\) prints all fibers with their backtraces to stderr and the program goes on (dump.h), unless the
  // program has a handler of its own for it.
  bool dump_on_sigquit = true;
};

inline constexpr int kMaxProcs = 256;
inline constexpr int64_t kTimeSliceNs = 10'000'000;  // Go's.

class Runtime {
 public:
  explicit Runtime(RuntimeOptions options = {});
  ~Runtime();
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  // Runs `main` as the first fiber and returns what it returns (0 for void) once it has returned. As in Go, the program
  // does not wait for other fibers: they are dropped without running their destructors. One that is running gets a
  // moment to reach its next switch; if it does not, or sits in a blocking call, its thread is stopped for good where
  // it is, and the runtime's memory stays for it. Call once per Runtime, from a plain thread; that thread watches over
  // the machines meanwhile (sysmon.h).
  template <typename F>
  int Run(F&& main) {
    return Run(FiberOptions{.name = "main"}, std::forward<F>(main));
  }
  template <typename F>
  int Run(FiberOptions options, F&& main) {
    int result = 0;
    RunMain(MakeFiber(*scheduler_, options, [&result, main = std::forward<F>(main)]() mutable {
      if constexpr (std::is_void_v<std::invoke_result_t<F&>>) {
        main();
        result = 0;  // It is used in both branches; clang warns otherwise.
      } else {
        result = main();
      }
    }));
    return result;
  }

  // Starts a fiber from any thread, also before Run (it then starts with main). Inside a fiber, rt::Go is shorter and
  // faster.
  template <typename F>
  void Go(F&& fn) {
    Go(FiberOptions{}, std::forward<F>(fn));
  }
  template <typename F>
  void Go(FiberOptions options, F&& fn) {
    StartFiber(MakeFiber(*scheduler_, options, std::forward<F>(fn)));
  }

  int procs() const;

  // Changes the number of processors, 1 to kMaxProcs; also stops following the CPU limit. Any thread. A processor too
  // many ends at the next switch of the fiber that runs on it, or is taken from it within some 10 ms.
  void SetProcs(int procs);

  // A consistent-enough sum of per-processor counters. Any thread; cheap.
  RuntimeStats Stats() const;

 private:
  friend struct TestDoor;  // tests/support/tormentor.h
  void RunMain(Fiber* main);
  const bool dump_on_sigquit_;
  std::unique_ptr<Scheduler> scheduler_;
  bool keep_ = false;  // Run left threads behind.
};

// ---- Called on a fiber

// Starts a fiber that runs `fn` once. The closure lives on the new fiber's stack: no allocation when a used stack is at
// hand. An exception that leaves `fn` ends the process.
template <typename F>
void Go(FiberOptions options, F&& fn) {
  StartFiber(MakeFiber(CurrentScheduler(), options, std::forward<F>(fn)));
}
template <typename F>
void Go(F&& fn) {
  Go(FiberOptions{}, std::forward<F>(fn));
}

// The clock that the calling fiber's timers go by: the monotonic one, or the simulation's. On a plain thread the
// monotonic one.
MonoTime Now();

// The processors of the calling fiber's runtime; SetProcs returns how many there were.
int Procs();
int SetProcs(int procs);

// Lets the other ready fibers of this processor run first. On a plain thread: sched_yield.
void Yield();

// Parks the fiber for at least `duration`; zero or less yields. On a plain thread: an ordinary sleep. The greatest
// duration and MonoTime::max() never end.
void SleepFor(AnyDuration duration);
void SleepUntil(MonoTime deadline);

// The I/O poller of the calling fiber's runtime. The first call makes it with `make`; later ones get the same, so a
// program has one kind of poller. It lives as long as the Runtime. Fatal on a plain thread.
Netpoller& UseNetpoller(std::unique_ptr<Netpoller> (*make)());

// Is the caller a fiber (rather than a plain thread)?
bool InFiber();

// The number of the calling fiber; 0 on a plain thread.
uint64_t CurrentFiberId();

}  // namespace millrace::rt
