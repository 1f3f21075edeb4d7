#include "runtime/housekeeper.h"

#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <system_error>

#include "base/check.h"
#include "base/log.h"
#include "runtime/cpu_limit.h"
#include "runtime/cycles.h"
#include "runtime/deadlock.h"
#include "runtime/dump.h"
#include "runtime/futex.h"
#include "runtime/scheduler.h"

namespace millrace::rt {

namespace {

// Idle machines at hand, so that a fiber can be stopped or a processor handed on at once.
constexpr int kSpareMachinesMax = 4;
// After the system, or machines_max, has refused a thread.
constexpr int64_t kNextTryNs = 10'000'000;
constexpr int64_t kOtherThreadsEveryNs = 500'000'000;
constexpr int64_t kCpuLimitEveryNs = 1'000'000'000;

}  // namespace

void Housekeeper::Start() {
  try {
    thread_ = std::thread([this] { Run(); });
  } catch (const std::system_error& error) {
    MR_FATAL(
        "cannot make a second thread for the runtime: %s; raise the limits of threads and address space (ulimit -u, "
        "-v)",
        error.what());
  }
}

void Housekeeper::Stop() {
  Ask(kStop);
  if (thread_.joinable()) thread_.join();
}

void Housekeeper::Ask(Task task) {
  uint32_t before = tasks_.fetch_or(task, std::memory_order_acq_rel);
  if ((before & task) == 0) FutexWake(tasks_, 1);
}

void Housekeeper::Run() {
  pthread_setname_np(pthread_self(), "millrace-keeper");
  bool deadlocks = false;
  int64_t cpu_limit_at_ns = NowNs() + kCpuLimitEveryNs;
  for (;;) {
    // Without this, whoever finds no machine to wake would ask, and this would try in vain, all the time.
    if (!MakeMachines()) WaitBeforeNextTry();
    int64_t until = TimerHeap::kNever;
    if (scheduler_.follow_cpu_limit_.load(std::memory_order_relaxed)) until = cpu_limit_at_ns;
    if (deadlocks) until = std::min(until, deadlocks_after_ns_);
    if (until == TimerHeap::kNever) {
      FutexWait(tasks_, 0);
    } else {
      FutexWaitUntil(tasks_, 0, until);
    }
    uint32_t tasks = tasks_.exchange(0, std::memory_order_acq_rel);
    if (tasks & kStop) return;
    // Not whenever machines are asked for: it reads some files.
    if (NowNs() >= cpu_limit_at_ns && scheduler_.follow_cpu_limit_.load(std::memory_order_relaxed)) {
      FollowCpuLimit();
      cpu_limit_at_ns = NowNs() + kCpuLimitEveryNs;
    }
    deadlocks = deadlocks || (tasks & kDeadlocks) != 0;
    if (deadlocks && NowNs() >= deadlocks_after_ns_) {
      deadlocks = LookForDeadlocks();
    }
  }
}

void Housekeeper::WaitBeforeNextTry() {
  int64_t until = NowNs() + kNextTryNs;
  for (;;) {
    uint32_t tasks = tasks_.load(std::memory_order_acquire);
    if ((tasks & kStop) != 0 || NowNs() >= until) return;
    FutexWaitUntil(tasks_, tasks, until);
  }
}

// False: more are needed than there can be.
bool Housekeeper::MakeMachines() {
  Scheduler& s = scheduler_;
  int wanted = std::min(s.procs(), kSpareMachinesMax);
  bool made = true;
  while (made &&
         s.idle_machine_count_.load(std::memory_order_seq_cst) + s.starting_count_.load(std::memory_order_relaxed) <
             wanted) {
    made = s.MakeMachine();
  }
  if (!made) SayWithoutMachines();
  // Rule 3 of scheduler.h: for whoever found no machine to wake. One that is just starting will look by itself, and whoever tried to
  // wake one before that would ask here again, and again.
  if (s.idle_machine_count_.load(std::memory_order_seq_cst) > 0) s.WakeSuccessor();
  return made;
}

// Once: whoever comes back from a call takes an idle processor by itself and lets the others run.
void Housekeeper::SayWithoutMachines() {
  Scheduler& s = scheduler_;
  if (said_without_machines_ || s.stopping_.load(std::memory_order_relaxed)) return;
  if (s.idle_machine_count_.load(std::memory_order_seq_cst) > 0 || s.idle_.idle_processors() == 0 || !s.AnyWork())
    return;
  said_without_machines_ = true;
  int machines = s.machine_count_.load(std::memory_order_relaxed);
  LogError(
      "runtime: fibers are ready and a processor is idle, but all %d threads, the most %s, are in blocking calls; %s",
      machines, machines >= s.machines_max_ ? "there may be" : "the system gives",
      machines >= s.machines_max_ ? "raise RuntimeOptions::machines_max"
                                  : "raise the limits of threads and address space (ulimit -u, -v)");
}

void Housekeeper::FollowCpuLimit() {
  int limit = std::clamp(CpuLimit(scheduler_.cgroup_root_), 1, kMaxProcs);
  if (limit != scheduler_.procs()) scheduler_.Resize(limit, Scheduler::ResizedBy::kCpuLimit);
}

// True: it must look again, though nothing may happen meanwhile.
bool Housekeeper::LookForDeadlocks() {
  int64_t begin = NowNs();
  bool all_wait = scheduler_.EverythingSleeps() && AllWaitForEachOther(scheduler_) && scheduler_.EverythingSleeps();
  if (all_wait && !scheduler_.OtherThreads()) {
    fflush(stdout);  // What the program has said so far comes before.
    std::string text = "fatal error: all fibers are asleep - deadlock!\n\n" + FiberDump();
    (void)!write(STDERR_FILENO, text.data(), text.size());
    _exit(2);
  }
  ReportLockCycles();
  // At most a hundredth of a core. The last thread that could have woken somebody may end without a word.
  deadlocks_after_ns_ = NowNs() + std::max(100 * (NowNs() - begin), all_wait ? kOtherThreadsEveryNs : 0);
  return all_wait;
}

void Housekeeper::ReportLockCycles() {
  for (const std::vector<WaitingFiber>& cycle : LockCycles()) {
    std::string text = DescribeCycle(cycle);
    if (reported_.size() < 1000 && reported_.insert(text).second) LogError("deadlock: %s", text.c_str());
  }
}

}  // namespace millrace::rt
