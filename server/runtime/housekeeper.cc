#include "runtime/housekeeper.h"

#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

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
constexpr int64_t kCpuLimitEveryNs = 1'000'000'000;

}  // namespace

void Housekeeper::Start() {
  thread_ = std::thread([this] { Run(); });
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
  for (;;) {
    // Without this, whoever finds no machine to wake would ask, and this would try in vain, all the time.
    if (!MakeMachines()) WaitBeforeNextTry();
    int64_t until = TimerHeap::kNever;
    if (scheduler_.follow_cpu_limit_.load(std::memory_order_relaxed)) until = NowNs() + kCpuLimitEveryNs;
    if (deadlocks) until = std::min(until, deadlocks_after_ns_);
    if (until == TimerHeap::kNever) {
      FutexWait(tasks_, 0);
    } else {
      FutexWaitUntil(tasks_, 0, until);
    }
    uint32_t tasks = tasks_.exchange(0, std::memory_order_acq_rel);
    if (tasks & kStop) return;
    if (scheduler_.follow_cpu_limit_.load(std::memory_order_relaxed)) FollowCpuLimit();
    deadlocks = deadlocks || (tasks & kDeadlocks) != 0;
    if (deadlocks && NowNs() >= deadlocks_after_ns_) {
      deadlocks = false;
      LookForDeadlocks();
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
  // Rule 3 of scheduler.h: for whoever found no machine to wake.
  s.WakeSuccessor();
  return made;
}

void Housekeeper::FollowCpuLimit() {
  int limit = std::clamp(CpuLimit(), 1, kMaxProcs);
  if (limit != scheduler_.procs() && scheduler_.follow_cpu_limit_.load(std::memory_order_relaxed))
    scheduler_.Resize(limit);
}

void Housekeeper::LookForDeadlocks() {
  int64_t begin = NowNs();
  if (scheduler_.EverythingSleeps() && AllWaitForEachOther(scheduler_) && scheduler_.EverythingSleeps()) {
    fflush(stdout);  // What the program has said so far comes before.
    std::string text = "fatal error: all fibers are asleep - deadlock!\n\n" + FiberDump();
    (void)!write(STDERR_FILENO, text.data(), text.size());
    _exit(2);
  }
  ReportLockCycles();
  // At most a hundredth of a core.
  deadlocks_after_ns_ = NowNs() + 100 * (NowNs() - begin);
}

void Housekeeper::ReportLockCycles() {
  for (const std::vector<WaitingFiber>& cycle : LockCycles()) {
    std::string text = DescribeCycle(cycle);
    if (reported_.size() < 1000 && reported_.insert(text).second) LogError("deadlock: %s", text.c_str());
  }
}

}  // namespace millrace::rt
