// What is due at a time, and what it does to jobs.
#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "dispatch/core.h"

namespace millrace::dispatch {

namespace {

std::string Seconds(Nanos time) {
  std::string text = std::to_string(std::chrono::duration<double>(time).count());
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text + " s";
}

}  // namespace

// ---- Alarms are set -------------------------------------------------------------------------------------------------

template <typename Time>
void Core::Arm(Alarm* alarm, Alarm::Purpose purpose, Time when, Turn& turn) {
  alarms.Arm(alarm, purpose, when);
  WakeBy(alarms.Next(turn.mono(), turn.wall()), turn);
}

template void Core::Arm(Alarm* alarm, Alarm::Purpose purpose, MonoTime when, Turn& turn);
template void Core::Arm(Alarm* alarm, Alarm::Purpose purpose, WallTime when, Turn& turn);

void Core::SetBy(OwnAlarm& alarm, MonoTime when, Turn& turn) {
  if (when == MonoTime::max()) return;
  // What should have been done before now comes behind the alarms of jobs that are due.
  when = std::max(when, turn.mono());
  if (alarm.armed() && alarm.when <= when.time_since_epoch().count()) return;
  alarms.Disarm(&alarm);
  Arm(&alarm, Alarm::Purpose::kOwn, when, turn);
}

void Core::WakeBy(MonoTime when, Turn& turn) {
  if (when >= wakes_at_) return;
  wakes_at_ = when;
  turn.KickTimekeeper();
}

void Core::ArmDeadline(JobEntry& job, const JobRecord& record, Turn& turn) {
  // One that has passed already acts at once.
  if (record.spec->deadline && !record.deadline_waived) {
    Arm(&job.deadline, Alarm::Purpose::kDeadline, *record.spec->deadline, turn);
  }
}

void Core::ArmRunTimeout(JobEntry& job, Nanos ran, Turn& turn) {
  const std::optional<Nanos>& limit =
      job.record().spec->run_timeout ? job.record().spec->run_timeout : job.kind->run_timeout;
  if (limit) Arm(&job.due, Alarm::Purpose::kRunTimeout, Later(turn.mono(), *limit - ran), turn);
}

void Core::ArmGiveUp(JobEntry& job, Nanos after, Turn& turn) {
  alarms.Disarm(&job.due);
  Arm(&job.due, Alarm::Purpose::kRunTimeout, turn.mono() + after, turn);
}

void Core::StopAttempt(JobEntry& job, StopCause cause, Status reason, Turn& turn) {
  RunningAttempt* attempt = job.hot->attempt;
  if (attempt == nullptr) return;  // It has just ended by itself.
  const bool first = attempt->stopped() == kStopNone;
  std::shared_ptr<sync::CancelSource> source = attempt->RequestStop(cause, reason);
  if (attempt->slot().leased) {
    if (first) leases.StopAsked(static_cast<LeaseSlot&>(attempt->slot()), reason, turn);
    return;
  }
  if (source) turn.Cancel(std::move(source), std::move(reason));
}

// ---- Alarms are due -------------------------------------------------------------------------------------------------

bool Core::RunOneDue(std::vector<LateJob>* late, Turn& turn) {
  Alarm* alarm = alarms.PopDue(turn.mono(), turn.wall());
  if (alarm == nullptr) return false;
  if (alarm->purpose == Alarm::Purpose::kOwn) {
    static_cast<OwnAlarm*>(alarm)->OnDue(turn);
    return true;
  }
  JobEntry& job = JobEntry::Of(*alarm);
  switch (alarm->purpose) {
    case Alarm::Purpose::kDue:
      // Watchers may go by its labels, which are in the record.
      if (job.hot || !job.labelled) {
        MakeDue(job, turn);
        return true;
      }
      break;
    case Alarm::Purpose::kDeadline:
      if (job.hot) {
        PassDeadline(job, turn);
        return true;
      }
      if (TooManyWaitForTheDisk()) {
        Arm(&job.deadline, Alarm::Purpose::kDeadline, turn.wall() + kReadAgain, turn);
        return true;
      }
      break;
    case Alarm::Purpose::kReadAgain:
      if (job.in_queue == InQueue::kAside) {
        // Any number may be damaged, as their workers go on: each behind all others, where its place needs no search.
        if (job.damaged) {
          job.damaged = false;
          job.pool->channel.Remove(&job);
          job.pool->channel.Push(&job);
        } else {
          job.pool->channel.PutBack(&job);
        }
      }
      ServeIdleWorkers(*job.pool, turn);
      return true;
    case Alarm::Purpose::kRunTimeout:
      RunOutOfTime(job, turn);
      return true;
    case Alarm::Purpose::kOwn:
      break;
  }
  late->push_back({{job.id, job.generation}, alarm->purpose});  // It is cold, and must be read first.
  return true;
}

void Core::Trim::OnDue(Turn& turn) {
  if (std::optional<Retention::Kept> old = core.retention.PopTrimmed(turn.mono())) core.Forget(*old, turn);
  core.SetBy(*this, core.retention.Next(), turn);
}

void Core::DropRequests::OnDue(Turn& turn) {
  if (std::optional<std::string> gone = core.request_ids.PopExpired(turn.mono())) {
    core.commits.batch().DropRequest(*std::move(gone));
  }
  core.SetBy(*this, core.request_ids.Next(), turn);
}

void Core::RunOutOfTime(JobEntry& job, Turn& turn) {
  if (RunningAttempt* attempt = job.hot->attempt;
      attempt != nullptr && attempt->slot().leased && attempt->stopped() != kStopNone) {
    return leases.GiveUp(static_cast<LeaseSlot&>(attempt->slot()), turn);
  }
  const Nanos limit = job.record().spec->run_timeout.value_or(job.kind->run_timeout.value_or(Nanos(0)));
  StopAttempt(job, kStopTimeout,
              DeadlineExceeded("RUN_TIMEOUT", "the attempt ran longer than its run_timeout of " + Seconds(limit)),
              turn);
}

void Core::PassDeadline(JobEntry& job, Turn& turn) {
  if (job.state() == JobState::kRunning) {
    StopAttempt(job, kStopDeadline, DeadlineExceeded("DEADLINE", "the job's deadline passed while it was running"),
                turn);
    return;
  }
  TakeOffQueue(job, turn);
  KeepLastCommitted(job);
  End(job, JobState::kExpired, job.life.claim, kTooLate, turn);
}

void Core::StopIfLate(JobEntry& job, Turn& turn) {
  if (TooLate(job, turn)) PassDeadline(job, turn);
}

MonoTime Core::PlanWake(Turn& turn) { return wakes_at_ = alarms.Next(turn.mono(), turn.wall()); }

}  // namespace millrace::dispatch
