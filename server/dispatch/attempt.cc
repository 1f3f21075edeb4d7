#include "dispatch/attempt.h"

#include <algorithm>
#include <utility>

#include "dispatch/core.h"
#include "dispatch/turn.h"

namespace millrace::dispatch {

void ClipText(std::string* text, size_t bytes_max) {
  if (text->size() <= bytes_max) return;
  size_t end = bytes_max;
  while (end > 0 && (static_cast<unsigned char>((*text)[end]) & 0xC0) == 0x80) --end;
  text->resize(end);
  *text += "...";
  text->shrink_to_fit();
}

void CheckResult(AttemptOutcome* outcome) {
  if (outcome->result == AttemptResult::kSucceeded && outcome->output.size() > kResultBytesMax) {
    *outcome =
        AttemptOutcome::Failed("the result has " + std::to_string(outcome->output.size()) + " bytes, the limit is " +
                               std::to_string(kResultBytesMax) + "; store it elsewhere and return a reference");
    outcome->do_not_retry = true;
  }
  ClipText(&outcome->error, kErrorBytesMax);
}

void RunningAttempt::Begin(JobEntry& job, MonoTime now) {
  job_ = &job;
  id_ = job.id;
  spec_ = job.record().spec;
  checkpoint_ = job.record().checkpoint;
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

void RunningAttempt::LetGo(Turn& turn) {
  turn.Free(std::exchange(spec_, nullptr));
  turn.Free(std::exchange(checkpoint_, nullptr));
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
  auto made = std::make_shared<LiveOutput>(core_.budget.shown());
  Turn turn(core_);
  HotJob& hot = *job_->hot;
  if (!hot.live) {
    made->Restore(hot.record.log_tail, hot.record.log_bytes, hot.record.progress);
    hot.live = std::move(made);
  }
  live_.store(hot.live.get(), std::memory_order_release);
  return *hot.live;
}

LiveOutput& RunningAttempt::LiveInTurn() {
  HotJob& hot = *job_->hot;
  if (!hot.live) {
    hot.live = std::make_shared<LiveOutput>(core_.budget.shown());
    hot.live->Restore(hot.record.log_tail, hot.record.log_bytes, hot.record.progress);
    live_.store(hot.live.get(), std::memory_order_release);
  }
  return *hot.live;
}

void RunningAttempt::SetProgress(double fraction, std::string message) {
  if (Put(Live(), fraction, std::move(message))) core_.events.Notify();
}

void RunningAttempt::ShowProgress(double fraction, std::string message, Turn& turn) {
  if (Put(LiveInTurn(), fraction, std::move(message))) turn.NotifyWatchers();
}

bool RunningAttempt::Put(LiveOutput& live, double fraction, std::string message) {
  ClipText(&message, kProgressMessageBytesMax);
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
  if (tell) core_.events.RecordProgress(job_->source(), now, live.progress);
  return tell;
}

void RunningAttempt::Log(std::string_view bytes) {
  if (!bytes.empty() && Put(Live(), bytes)) core_.events.Notify();
}

void RunningAttempt::ShowLog(std::string_view bytes, Turn& turn) {
  if (!bytes.empty() && Put(LiveInTurn(), bytes)) turn.NotifyWatchers();
}

bool RunningAttempt::Put(LiveOutput& live, std::string_view bytes) {
  {
    rt::LockGuard guard(live.lock);
    live.log.Append(bytes);
    live.Charge();
  }
  if (!core_.events.watched()) return false;
  // As many chunks as it takes: an event is never larger than what the log keeps.
  for (; !bytes.empty(); bytes.remove_prefix(std::min(bytes.size(), kLogTailBytes))) {
    core_.events.RecordLog(job_->source(), core_.clock.Wall(), bytes.substr(0, kLogTailBytes));
  }
  return true;
}

Status CheckCheckpoint(std::string_view bytes) {
  if (bytes.size() <= kCheckpointBytesMax) return OkStatus();
  return InvalidArgument("CHECKPOINT_TOO_LARGE", "the checkpoint has " + std::to_string(bytes.size()) +
                                                     " bytes, the limit is " + std::to_string(kCheckpointBytesMax) +
                                                     "; store it elsewhere and save a reference");
}

void RunningAttempt::KeepCheckpoint(std::string bytes, Turn& turn) {
  JobRecord& record = job_->record();
  turn.Free(std::exchange(record.checkpoint, bytes.empty() ? nullptr : MakeBytes(std::move(bytes))));
  core_.CheckpointChanged(*job_, turn);
}

Status RunningAttempt::SaveCheckpoint(std::string bytes) {
  MR_RETURN_IF_ERROR(CheckCheckpoint(bytes));
  Turn turn(core_);
  KeepCheckpoint(std::move(bytes), turn);
  return OkStatus();
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
