#include "dispatch/worker.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "dispatch/core.h"
#include "dispatch/turn.h"
#include "runtime/park.h"
#include "runtime/runtime.h"

namespace millrace::dispatch {

// ---- Worker ---------------------------------------------------------------------------------------------------------

Worker::Worker(Core& owner, Pool& home, int n)
    : Slot(owner, home, home.name() + "/" + std::to_string(n)), core(owner), number(n) {}

void Worker::AbandonStart(Turn& turn) {
  if (std::exchange(awaits_start, false)) turn.Wake(this);
}

void Worker::Wake() {
  // Read first: it may be gone after the exchange, if it had not parked yet.
  rt::Fiber* const fiber = fiber_;
  // release: it sees what it was given. acquire: pairs with the commit of its Park, so its stack is left.
  if (wakeup_.exchange(kWoken, std::memory_order_acq_rel) == kParked) rt::Ready(fiber);
}

void Worker::Wait(rt::WaitReason reason) {
  rt::Park(
      reason,
      [](rt::Fiber*, void* self) {
        int none = kNone;
        // release: pairs with Wake, which then finds the stack left.
        return static_cast<Worker*>(self)->wakeup_.compare_exchange_strong(none, kParked, std::memory_order_acq_rel);
      },
      this);
  // acquire: pairs with Wake. The commit of the Park ran on the scheduler's stack, so its acquire is not this fiber's.
  MR_CHECK(wakeup_.load(std::memory_order_acquire) == kWoken, "worker %s goes on, though nobody woke it", name.c_str());
  // The next Wake comes after a Turn in which this worker began to wait again.
  wakeup_.store(kNone, std::memory_order_relaxed);
}

void Worker::Run() {
  fiber_ = rt::CurrentFiber();
  {
    Turn turn(core);
    pool.workers.push_back(this);
  }
  // After a start that was refused: a long queue is not tried through at once, each job with two records for the
  // journal.
  constexpr Nanos kRefusedPause = std::chrono::milliseconds(100);
  slice_start_ = core.clock.Mono();
  runnable_before_ = rt::CurrentFiberTimes().runnable;
  while (TakeJob()) {
    if (!RunJob()) rt::SleepFor(kRefusedPause);
    if (looked_ || attempt.ended() - slice_start_ < kSlice) continue;
    rt::Yield();
    runnable_before_ = rt::CurrentFiberTimes().runnable;
    slice_start_ = attempt.ended();
  }
  Turn turn(core);
  std::erase(pool.workers, this);
  pool.FreeNumber(number);
}

void Worker::LookForJob(bool rest, Turn& turn) {
  if (job != nullptr || cold || quit || idle) return;
  if (pool.surplus()) {
    --pool.workers_alive;
    quit = true;
  } else if (!pool.may_take() || rest || !core.AssignNext(pool, *this, pool.fibers, turn)) {
    pool.PushIdle(this);
    turn.RoomAt(pool.gate);  // A rendezvous has room while a worker is idle.
  }
}

bool Worker::TakeJob() {
  std::optional<ColdJob> mine;
  Result<std::shared_ptr<HotJob>> read = std::shared_ptr<HotJob>();
  for (;;) {
    if (!std::exchange(looked_, false)) {
      Turn turn(core);
      // Jobs that cannot be read now come by themselves; they find the worker idle, as it becomes that in the same
      // turn.
      const bool rest = mine && !core.StartCold(*mine, &read, *this, turn);
      LookForJob(rest, turn);
      must_wait_ = turn.EndFor(*this);
    }
    if (must_wait_) {
      Wait(*must_wait_);
      slice_start_ = core.clock.Mono();
    }
    if (job != nullptr) return true;
    if (quit) return false;
    mine = std::exchange(cold, std::nullopt);
    MR_CHECK(mine.has_value(), "worker %s was woken for nothing", name.c_str());
    read = ReadCold(mine->id);
  }
}

Result<std::shared_ptr<HotJob>> Worker::ReadCold(const JobId& id) {
  Result<std::shared_ptr<HotJob>> read = core.ReadHot(id);
  if (!read.ok()) {
    LogError("job %s cannot start and stays queued: %s", id.ToString().c_str(), read.status().message().c_str());
  }
  return read;
}

AttemptOutcome Worker::RunAttempt() {
  if (attempt.stop_requested()) return AttemptOutcome::Failed("stopped before it began");
  attempt.set_begun();
  try {
    return pool.runner().Run(attempt);
  } catch (const std::exception& error) {
    return AttemptOutcome::Failed(std::string("the runner threw: ") + error.what());
  }
}

bool Worker::RunJob() {
  rt::FiberTimes before = rt::CurrentFiberTimes();
  // Since it was given the job it waited for a processor: time that the attempt lost, though it had not begun.
  before.runnable = runnable_before_;
  AttemptOutcome outcome = RunAttempt();
  rt::FiberTimes after = rt::CurrentFiberTimes();
  runnable_before_ = after.runnable;
  AttemptTimings timings = TimingsOf(after - before, outcome);
  CheckResult(&outcome);
  Bytes output = outcome.output.empty() ? nullptr : MakeBytes(std::move(outcome.output));
  Turn turn(core);
  attempt.set_ended(turn.mono());
  const bool started = !outcome.not_started;
  // Nobody takes an attempt from a fiber that runs it, so it is the newest.
  Status finished = core.Finish(*job, attempt.claim(), {std::move(outcome), std::move(output), timings}, turn);
  MR_CHECK(finished.ok(), "%s", finished.ToString().c_str());
  // In the same Turn, unless a job is in line and others are to run before it.
  looked_ = started && (attempt.ended() - slice_start_ < kSlice || !pool.channel.anyone_in_line());
  if (looked_) {
    LookForJob(/*rest=*/false, turn);
    must_wait_ = turn.EndFor(*this);
  }
  return started;
}

}  // namespace millrace::dispatch
