#include "runtime/housekeeper.h"

#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <system_error>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "base/stderr.h"
#include "runtime/cycles.h"
#include "runtime/deadlock.h"
#include "runtime/dump.h"
#include "runtime/futex.h"
#include "runtime/reporter.h"
#include "runtime/sanitizers.h"
#include "runtime/scheduler.h"
#include "runtime/symbols.h"

namespace millrace::rt {

namespace {

// Idle machines at hand, so that a fiber can be stopped or a processor handed on at once.
constexpr int kSpareMachinesMax = 4;
// After the system, or machines_max, has refused a thread.
constexpr int64_t kNextTryNs = 10'000'000;
// After a look for deadlocks that proved nothing, though nothing may happen any more.
constexpr int64_t kLookAgainNs = 500'000'000;
constexpr int64_t kCpuLimitEveryNs = 1'000'000'000;
// Between two looks for blocked fibers, and how many of those that are new each time are shown.
constexpr int64_t kBlockedEveryMinNs = 100'000'000, kBlockedEveryMaxNs = 60'000'000'000;
constexpr size_t kBlockedShown = 10;

// On the reporter: reading debug information takes long, and machines may be needed meanwhile.
void LogBlocked(const BlockedFibers& blocked) {
  Symbols symbols;
  for (const WaitingFiber& fiber : blocked.longest) {
    std::string frames;
    for (size_t i = 0; i < fiber.stack.size(); ++i)
      frames += "\n#" + std::to_string(i) + " " + symbols.Describe(fiber.stack[i], i > 0);
    LogWarning("fiber %lu '%s' has been waiting for another fiber for %.3f s (%s)%s",
               static_cast<unsigned long>(fiber.id), fiber.name.c_str(),
               std::chrono::duration<double>(fiber.since).count(), ToString(fiber.reason), frames.c_str());
  }
  if (blocked.count > blocked.longest.size()) {
    LogWarning("%zu more fibers have been waiting for another fiber for as long; a fiber dump shows all",
               blocked.count - blocked.longest.size());
  }
}

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
    int64_t until = scheduler_.machines().Reap(scheduler_.sysmon_sleep()) ? NowNs() + kNextTryNs : TimerHeap::kNever;
    if (scheduler_.FollowsCpuLimit()) until = std::min(until, cpu_limit_at_ns);
    if (deadlocks) until = std::min(until, deadlocks_after_ns_);
    if (blocked_limit_ns_ > 0) until = std::min(until, blocked_at_ns_);
    if (until == TimerHeap::kNever) {
      FutexWait(tasks_, 0);
    } else {
      FutexWaitUntil(tasks_, 0, until);
    }
    uint32_t tasks = tasks_.exchange(0, std::memory_order_acq_rel);
    if (tasks & kStop) return;
    // Not whenever machines are asked for: it reads some files.
    if (NowNs() >= cpu_limit_at_ns && scheduler_.FollowsCpuLimit()) {
      scheduler_.FollowCpuLimit();
      cpu_limit_at_ns = NowNs() + kCpuLimitEveryNs;
    }
    deadlocks = deadlocks || (tasks & kDeadlocks) != 0;
    if (deadlocks && NowNs() >= deadlocks_after_ns_) {
      deadlocks = LookForDeadlocks();
    }
    if (blocked_limit_ns_ > 0 && NowNs() >= blocked_at_ns_) ReportBlocked();
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
  sanitizers::IgnoreScope ignore;  // Not all of Run: TSan lets no thread end the process in one.
  Scheduler& s = scheduler_;
  int wanted = std::min(s.procs(), kSpareMachinesMax);
  bool made = true;
  while (made && s.SpareMachines() + s.machines().starting() < wanted) made = s.MakeMachine();
  if (!made) SayWithoutMachines();
  // Rule 3 of scheduler.h: for whoever found no machine to wake. One that is just starting will look by itself, and
  // whoever tried to wake one before that would ask here again, and again.
  if (s.SpareMachines() > 0) s.WakeSuccessor();
  return made;
}

// Once: whoever comes back from a call takes an idle processor by itself and lets the others run.
void Housekeeper::SayWithoutMachines() {
  Scheduler& s = scheduler_;
  if (said_without_machines_ || s.stopping()) return;
  if (s.SpareMachines() > 0 || s.idle().idle_processors() == 0 || !s.AnyWork()) return;
  said_without_machines_ = true;
  int machines = s.machines().count();
  LogError(
      "runtime: fibers are ready and a processor is idle, but all %d threads, the most %s, are in blocking calls; %s",
      machines, machines >= s.machines().max() ? "there may be" : "the system gives",
      machines >= s.machines().max() ? "raise RuntimeOptions::machines_max"
                                     : "raise the limits of threads and address space (ulimit -u, -v)");
}

// True: it must look again, though nothing may happen meanwhile.
bool Housekeeper::LookForDeadlocks() {
  int64_t begin = NowNs();
  bool again = false;
  if (scheduler_.EverythingSleeps()) {
    // The fibers are looked at one after the other. One that comes out of a blocking call, or that a plain thread wakes
    // which ends then, may wake another that has been seen waiting and wait in its turn: so all of them have been seen
    // waiting. For that they need a processor, however: if everything was at rest before and is after, and none was
    // taken, no fiber has run in between. One that has been woken and has not run yet is in the shared queue, where the
    // second look at the rest finds it, or still in the hands of the thread that woke it, which OtherThreads has
    // counted: nobody is left who could have started one since.
    Scheduler::Rest before = scheduler_.LookForRest();
    bool all_wait = AllWaitForEachOther(scheduler_);
    bool nobody_else = all_wait && !scheduler_.OtherThreads();
    Scheduler::Rest after = scheduler_.LookForRest();
    if (nobody_else && before.complete && after.complete && before.taken == after.taken) {
      fflush(stdout);  // What the program has said so far comes before.
      std::string text = "fatal error: all fibers are asleep - deadlock!\n\n" + FiberDump();
      WriteStderr(text);
      _exit(2);
    }
    // Sysmon asks once when everything has come to rest. The last thread that could have woken somebody may end without
    // a word, a machine may have been on its way to sleep, and what has run behind our back may have been too short for
    // sysmon.
    again = all_wait || before.taken != after.taken;
  }
  ReportLockCycles();
  // At most a hundredth of a core.
  deadlocks_after_ns_ = NowNs() + std::max(100 * (NowNs() - begin), again ? kLookAgainNs : 0);
  return again;
}

void Housekeeper::ReportLockCycles() {
  for (const std::vector<WaitingFiber>& cycle : LockCycles()) {
    std::string text = DescribeCycle(cycle);
    if (reported_.size() < 1000 && reported_.insert(text).second) LogError("deadlock: %s", text.c_str());
  }
}

// Each wait crosses the limit once, so what began between the bounds of two looks is what the second one has to tell.
void Housekeeper::ReportBlocked() {
  int64_t begin = NowNs();
  uint64_t now = NowTicks();
  uint64_t limit = NsToTicks(blocked_limit_ns_);
  if (now > limit && now - limit > blocked_seen_until_) {
    BlockedFibers blocked = FibersBlockedSince(blocked_seen_until_, now - limit, kBlockedShown, &scheduler_);
    blocked_seen_until_ = now - limit;
    if (blocked.count > 0) RunOnReporter([blocked = std::move(blocked)] { LogBlocked(blocked); });
  }
  // At most a hundredth of a core.
  blocked_at_ns_ = NowNs() + std::max(100 * (NowNs() - begin),
                                      std::clamp(blocked_limit_ns_, kBlockedEveryMinNs, kBlockedEveryMaxNs));
}

}  // namespace millrace::rt
