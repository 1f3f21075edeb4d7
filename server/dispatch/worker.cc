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

namespace {

// Between characters of UTF-8.
void Clip(std::string* text, size_t bytes_max) {
  if (text->size() <= bytes_max) return;
  size_t end = bytes_max;
  while (end > 0 && (static_cast<unsigned char>((*text)[end]) & 0xC0) == 0x80) --end;
  text->resize(end);
  *text += "...";
  text->shrink_to_fit();
}

}  // namespace

// ---- RunningAttempt --------------------------------------------------------------------------------------------------------

void RunningAttempt::Begin(JobEntry& job, MonoTime now) {
  job_ = &job;
  id_ = job.id;
  spec_ = job.record().spec;
  claim_ = job.life.claim;
  started_ = now;
  begun_ = false;
  live_.store(job.hot->live.get(), std::memory_order_release);
  rt::LockGuard guard(cancel_lock_);
  stopped_ = kStopNone;
  reason_ = OkStatus();
  source_.reset();
  token_ = {};
}

std::shared_ptr<sync::CancelSource> RunningAttempt::RequestStop(StopCause cause, const Status& reason) {
  rt::LockGuard guard(cancel_lock_);
  // The first reason is told to the handler; what weighs more decides the verdict, and its word is kept for that.
  if (stopped_ == kStopNone || cause < (stopped_ & -stopped_)) reason_ = reason;
  stopped_ |= cause;
  return source_;
}

bool RunningAttempt::stop_requested() const {
  rt::LockGuard guard(cancel_lock_);
  return stopped_ != kStopNone;
}

const sync::CancelToken& RunningAttempt::cancel() const {
  {
    rt::LockGuard guard(cancel_lock_);
    if (source_) return token_;
  }
  auto made = std::make_shared<sync::CancelSource>();
  Status reason;
  {
    rt::LockGuard guard(cancel_lock_);
    if (source_) return token_;
    source_ = made;
    token_ = made->token();
    reason = reason_;
  }
  if (!reason.ok()) made->Cancel(std::move(reason));  // It was asked to stop before it had a token.
  return token_;
}

LiveOutput& RunningAttempt::Live() {
  // acquire: pairs with the release below, on whichever thread made it.
  if (LiveOutput* live = live_.load(std::memory_order_acquire)) return *live;
  auto made = std::make_shared<LiveOutput>(core_.live_bytes);
  Turn turn(core_);
  HotJob& hot = *job_->hot;
  if (!hot.live) {
    made->Restore(hot.record.log_tail, hot.record.log_bytes, hot.record.progress);
    hot.live = std::move(made);
  }
  live_.store(hot.live.get(), std::memory_order_release);
  return *hot.live;
}

void RunningAttempt::SetProgress(double fraction, std::string message) {
  Clip(&message, kProgressMessageBytesMax);
  LiveOutput& live = Live();
  {
    rt::LockGuard guard(live.lock);
    live.has_progress = true;
  }
  ProgressCell& cell = *live.progress;
  WallTime now = core_.clock.Wall();
  bool tell;
  {
    rt::LockGuard guard(cell.lock);
    // Written so that a NaN becomes 0.
    cell.value.fraction = fraction > 0 ? std::min(fraction, 1.0) : 0;
    cell.value.message.swap(message);
    cell.value.updated = now;
    tell = core_.events.watched() && !std::exchange(cell.unread, core_.events.watched());
  }
  if (!tell) return;
  core_.events.RecordProgress(job_->source(), now, live.progress);
  core_.events.Notify();
}

void RunningAttempt::Log(std::string_view bytes) {
  if (bytes.empty()) return;
  LiveOutput& live = Live();
  {
    rt::LockGuard guard(live.lock);
    live.log.Append(bytes);
    live.Charge();
  }
  if (!core_.events.watched()) return;
  // As many chunks as it takes: an event is never larger than what the log keeps.
  for (; !bytes.empty(); bytes.remove_prefix(std::min(bytes.size(), kLogTailBytes))) {
    core_.events.RecordLog(job_->source(), core_.clock.Wall(), bytes.substr(0, kLogTailBytes));
  }
  core_.events.Notify();
}

// ---- Worker ----------------------------------------------------------------------------------------------------------------

Worker::Worker(Core& owner, Pool& home, int n)
    : core(owner), pool(home), number(n), name(home.name() + "/" + std::to_string(n)), attempt(owner, *this) {}

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
        // acquire, where it was woken before it parked; else it is the scheduler that orders Wake before what follows here.
        return static_cast<Worker*>(self)->wakeup_.compare_exchange_strong(none, kParked, std::memory_order_acq_rel);
      },
      this);
  // The next Wake comes after a Turn in which this worker began to wait again.
  wakeup_.store(kNone, std::memory_order_relaxed);
}

void Worker::Run() {
  fiber_ = rt::CurrentFiber();
  {
    Turn turn(core);
    pool.workers.push_back(this);
  }
  // After a start that was refused: a long queue is not tried through at once, each job with two records for the journal.
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
  } else if (!pool.may_take() || rest || !core.AssignNext(pool, *this, turn)) {
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
      // Jobs that cannot be read now come by themselves; they find the worker idle, as it becomes that in the same turn.
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
  if (outcome.result == AttemptResult::kSucceeded && outcome.output.size() > kResultBytesMax) {
    size_t bytes = outcome.output.size();
    outcome = AttemptOutcome::Failed("the result has " + std::to_string(bytes) + " bytes, the limit is " +
                                     std::to_string(kResultBytesMax) + "; store it elsewhere and return a reference");
    outcome.do_not_retry = true;
  }
  Clip(&outcome.error, kErrorBytesMax);
  Bytes output = outcome.output.empty() ? nullptr : MakeBytes(std::move(outcome.output));
  Turn turn(core);
  attempt.set_ended(turn.mono());
  const bool started = !outcome.not_started;
  core.FinishAttempt(*this, std::move(outcome), std::move(output), timings, turn);
  // In the same Turn, unless a job is in line and others are to run before it.
  looked_ = started && (attempt.ended() - slice_start_ < kSlice || !pool.channel.anyone_in_line());
  if (looked_) {
    LookForJob(/*rest=*/false, turn);
    must_wait_ = turn.EndFor(*this);
  }
  return started;
}

AttemptTimings TimingsOf(const rt::FiberTimes& used, const AttemptOutcome& outcome) {
  Nanos children = used.blocked[static_cast<size_t>(rt::WaitReason::kProcess)];
  Nanos cpu = outcome.child_cpu, delay = outcome.child_run_delay;
  if (cpu + delay > children) {
    double share = static_cast<double>(children.count()) / static_cast<double>((cpu + delay).count());
    cpu = Nanos(static_cast<int64_t>(static_cast<double>(cpu.count()) * share));
    delay = std::min(Nanos(static_cast<int64_t>(static_cast<double>(delay.count()) * share)), children - cpu);
  }
  AttemptTimings timings{.cpu = used.running + cpu,
                         .runnable = used.runnable + delay,
                         .blocked_inside = used.BlockedLost(),
                         .blocked_outside = used.BlockedOutside() - cpu - delay};
  timings.run = timings.cpu + timings.runnable + timings.blocked_inside + timings.blocked_outside;
  return timings;
}

}  // namespace millrace::dispatch
