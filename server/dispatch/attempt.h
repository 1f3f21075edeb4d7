// RunningAttempt: an attempt of a job while it runs, as the runner sees it and as the dispatcher stops it.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/status.h"
#include "base/thread_annotations.h"
#include "dispatch/in_turn.h"
#include "dispatch/live_output.h"
#include "dispatch/runner.h"
#include "dispatch/verdict.h"
#include "job/lifecycle.h"
#include "runtime/accounting.h"
#include "runtime/lock.h"
#include "sync/cancel.h"

namespace millrace::dispatch {

class Core;
class Slot;
class Turn;
struct JobEntry;

// One attempt, while it runs. A job finds its own by HotJob::attempt; the memory is its slot's, and used again.
class RunningAttempt final : public AttemptContext {
 public:
  RunningAttempt(Core& core, Slot& slot) : core_(core), slot_(slot) {}

  // ---- In a Turn
  void Begin(JobEntry& job, MonoTime now) MR_IN_TURN;
  // The source to be cancelled once the lock is released; nullptr: the runner has not asked for its token yet, and will
  // get a cancelled one.
  std::shared_ptr<sync::CancelSource> RequestStop(StopCause cause, const Status& reason);
  // The memory of an attempt that has ended, which may be megabytes, where the slot may be idle for long.
  void LetGo(Turn& turn) MR_IN_TURN;
  Slot& slot() const { return slot_; }
  const Claim& claim() const { return claim_; }
  MonoTime started() const { return started_; }
  MonoTime ended() const { return ended_; }
  void set_ended(MonoTime now) { ended_ = now; }
  // What an attempt that runs in another process shows.
  void ShowProgress(double fraction, std::string message, Turn& turn) MR_IN_TURN;
  void ShowLog(std::string_view bytes, Turn& turn) MR_IN_TURN;
  // The job's, without the payload.
  void SetSpec(std::shared_ptr<const JobSpec> spec) { spec_ = std::move(spec); }
  // It is small enough. Empty: there is none any more.
  void KeepCheckpoint(std::string bytes, Turn& turn) MR_IN_TURN;
  bool begun() const { return begun_; }  // The runner was called.
  // Written in a Turn only, under both locks: in a Turn they are read without the other one.
  unsigned stopped() const MR_NO_THREAD_SAFETY_ANALYSIS { return stopped_; }
  std::string stop_reason() const MR_NO_THREAD_SAFETY_ANALYSIS { return reason_.message(); }

  // ---- For whoever fills the slot
  bool stop_requested() const;
  void set_begun() { begun_ = true; }

  // ---- For the runner
  const JobId& id() const override { return id_; }
  const JobSpec& spec() const override { return *spec_; }
  int attempt() const override { return claim_.attempt; }
  const sync::CancelToken& cancel() const override;
  // These read the entry without the lock: while the attempt runs, nothing that they read changes.
  void SetProgress(double fraction, std::string message) override MR_NO_THREAD_SAFETY_ANALYSIS;
  void Log(std::string_view bytes) override MR_NO_THREAD_SAFETY_ANALYSIS;
  Bytes checkpoint() const override { return checkpoint_; }
  Status SaveCheckpoint(std::string bytes) override;

 private:
  // Made when first needed: a short job never does.
  LiveOutput& Live();
  LiveOutput& LiveInTurn() MR_IN_TURN;
  // True: watchers are to be notified.
  bool Put(LiveOutput& live, double fraction, std::string message) MR_NO_THREAD_SAFETY_ANALYSIS;
  bool Put(LiveOutput& live, std::string_view log) MR_NO_THREAD_SAFETY_ANALYSIS;

  Core& core_;
  Slot& slot_;
  JobEntry* job_ = nullptr;
  JobId id_;
  std::shared_ptr<const JobSpec> spec_;
  Bytes checkpoint_;  // As the attempt found it.
  Claim claim_;
  MonoTime started_{}, ended_{};
  bool begun_ = false;

  mutable rt::Lock cancel_lock_;  // Taken under the dispatcher's lock or alone.
  unsigned stopped_ MR_GUARDED_BY(cancel_lock_) = kStopNone;
  Status reason_ MR_GUARDED_BY(cancel_lock_);  // Why it was stopped first.
  mutable std::shared_ptr<sync::CancelSource> source_ MR_GUARDED_BY(cancel_lock_);
  mutable sync::CancelToken token_ MR_GUARDED_BY(cancel_lock_);

  std::atomic<LiveOutput*> live_{nullptr};
};

// Cuts between characters of UTF-8, and says so with "...".
void ClipText(std::string* text, size_t bytes_max);

// A result that is too large becomes a failure that is not retried; a long error is clipped.
void CheckResult(AttemptOutcome* outcome);

// INVALID_ARGUMENT CHECKPOINT_TOO_LARGE.
Status CheckCheckpoint(std::string_view bytes);

// How an attempt ended, as whoever ran it tells.
struct FinishedAttempt {
  AttemptOutcome outcome;
  Bytes output;  // The result of a success; outcome.output is not looked at.
  AttemptTimings timings;
};

// Where the time of an attempt went. In the time that the fiber waited for its children (kProcess), their processor
// time and their wait for a processor take the place of its own; when several children at once had more of both than
// there was time, their proportion counts.
AttemptTimings TimingsOf(const rt::FiberTimes& used, const AttemptOutcome& outcome);

}  // namespace millrace::dispatch
