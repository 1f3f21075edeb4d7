#include "runtime/housekeeper.h"

#include <pthread.h>

#include <algorithm>

#include "runtime/cpu_limit.h"
#include "runtime/cycles.h"
#include "runtime/futex.h"
#include "runtime/scheduler.h"

namespace millrace::rt {

namespace {

// Idle machines at hand, so that a fiber can be stopped or a processor handed on at once.
constexpr int kSpareMachinesMax = 4;
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
  for (;;) {
    MakeMachines();
    if (scheduler_.follow_cpu_limit_.load(std::memory_order_relaxed)) {
      FutexWaitUntil(tasks_, 0, NowNs() + kCpuLimitEveryNs);
      FollowCpuLimit();
    } else {
      FutexWait(tasks_, 0);
    }
    if (tasks_.exchange(0, std::memory_order_acq_rel) & kStop) return;
  }
}

void Housekeeper::MakeMachines() {
  Scheduler& s = scheduler_;
  int wanted = std::min(s.procs(), kSpareMachinesMax);
  // One that has just been made counts as idle before it is: else this would make more than are needed.
  for (int spare = s.idle_machine_count_.load(std::memory_order_seq_cst); spare < wanted; ++spare) {
    if (s.stopping_.load(std::memory_order_relaxed) || !s.MakeMachine()) break;
  }
  // Rule 3 of scheduler.h: for whoever found no machine to wake.
  s.WakeSuccessor();
}

void Housekeeper::FollowCpuLimit() {
  int limit = std::clamp(CpuLimit(), 1, kMaxProcs);
  if (limit != scheduler_.procs() && scheduler_.follow_cpu_limit_.load(std::memory_order_relaxed))
    scheduler_.Resize(limit);
}

}  // namespace millrace::rt
