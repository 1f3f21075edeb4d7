// The part of DiskJournal that deals with a disk that fails.
#include <algorithm>
#include <unordered_map>

#include "base/log.h"
#include "runtime/futex.h"
#include "store/disk_errors.h"
#include "store/disk_journal.h"

namespace millrace::store {

namespace {

using SteadyClock = std::chrono::steady_clock;

// A disk that stays full is tried less and less often, since each attempt reads all that is in the logs. The delay
// grows to ten times the first one and no further, so that jobs are accepted soon after there is room.
constexpr int kSlowest = 10;

}  // namespace

Status DiskJournal::Health() const {
  rt::LockGuard guard(lock_);
  return health_;
}

void DiskJournal::WatchHealth(std::function<void(const Status&)> watcher) {
  ThreadGuard guard(watch_lock_);
  watcher_ = std::move(watcher);
  if (watcher_) watcher_(Health());
}

void DiskJournal::SetHealth(const Status& status) {
  bool turned;
  {
    rt::LockGuard guard(lock_);
    turned = health_.ok() != status.ok();
    health_ = status;
  }
  if (!turned) return;
  ThreadGuard guard(watch_lock_);
  if (watcher_) watcher_(status);
}

void DiskJournal::WakeForTrouble() {
  {
    rt::LockGuard guard(lock_);
    troubled_ = true;
    sleeping_ = false;
    woken_.fetch_add(1, std::memory_order_relaxed);
  }
  rt::FutexWake(woken_, 1);
}

void DiskJournal::WorkThroughFailure(Status status, Notes notes, size_t tried) {
  LogError("no new jobs are accepted: %s", status.message().c_str());
  SetHealth(status);
  unsynced_ = false;  // Reopen sees to that.
  // From here on no submit is noted any more.
  TakeMore(notes);
  if (status.reason() == dispatch::kNotOwner) return RefuseAll(status, std::move(notes));
  // Before any note is left out: `tried` counts all that were tried.
  RefuseSubmits(status, notes, tried);
  Nanos delay = options_.retry_delay;
  for (;;) {
    AwaitRetry(delay);
    delay = std::min(2 * delay, kSlowest * options_.retry_delay);
    TakeMore(notes);
    DropSuperseded(notes);
    // What was found damaged is not written to again: nobody knows what is missing. Running jobs go on, and are kept
    // here.
    if (!IsDamage(status)) {
      status = Reopen();
      if (status.ok()) status = WriteNotes(notes, &tried);
      if (status.ok()) break;
      if (status.reason() == dispatch::kNotOwner) {
        SetHealth(status);
        return RefuseAll(status, std::move(notes));
      }
      if (IsDamage(status)) LogError("no new jobs are accepted until a restart: %s", status.message().c_str());
      SetHealth(status);
    }
    bool give_up;
    {
      rt::LockGuard guard(lock_);
      give_up = stopping_;
    }
    if (!give_up) continue;
    LogError("%zu changes of jobs could not be written: %s", notes.size(), status.message().c_str());
    return;
  }
  SetHealth(OkStatus());
  LogInfo("the store can be written again, and new jobs are accepted");
}

void DiskJournal::RefuseAll(const Status& status, Notes notes) {
  bool troubled = false;  // The disk is not asked for it any more.
  do {
    std::vector<Answer> answers;
    for (const Note& note : notes) {
      if (note.waiter != nullptr) answers.push_back({note.waiter, status});
    }
    Tell(std::move(answers));
    notes.clear();
  } while (AwaitNotes(&notes, &troubled));
}

Status DiskJournal::Reopen() {
  Status status = disk_->Reopen();
  if (!status.ok()) open_errors_.fetch_add(1, std::memory_order_relaxed);
  // What follows would change jobs that are not there.
  if (status.ok() && disk_->Position() < promised_) {
    status = StoreDamaged(disk_->Name(), "the disk has lost what it had said it kept");
  }
  return status;
}

void DiskJournal::RefuseSubmits(const Status& status, Notes& notes, size_t tried) {
  std::vector<Answer> answers;
  Notes rest;
  for (size_t i = 0; i < notes.size(); ++i) {
    Note& note = notes[i];
    if (note.kind != Note::Kind::kAccept) {
      rest.push_back(std::move(note));
      continue;
    }
    if (note.waiter != nullptr) answers.push_back({note.waiter, status});
    // It may be on the disk nevertheless, and nobody may find it there later.
    if (i < tried) rest.push_back({.kind = Note::Kind::kUndo, .last_of_call = note.last_of_call, .id = note.id});
  }
  notes = std::move(rest);
  Tell(std::move(answers));
}

void DiskJournal::TakeMore(Notes& notes) {
  rt::LockGuard guard(lock_);
  std::move(notes_.begin(), notes_.end(), std::back_inserter(notes));
  notes_.clear();
}

// A job's newest record is enough: so a disk that is full for days does not fill the memory as well. But the newest
// before each flush stays, since the flush is answered for what came before it, and what comes after it may be in a
// later batch. So does what is part of more: the rest would be written without it.
void DiskJournal::DropSuperseded(Notes& notes) {
  std::unordered_map<JobId, size_t> next;  // The next note of the same job.
  std::vector<bool> superseded(notes.size());
  size_t flush = notes.size();
  for (size_t i = notes.size(); i-- > 0;) {
    const Note& note = notes[i];
    if (note.kind == Note::Kind::kFlush) flush = i;
    if (note.kind == Note::Kind::kFlush || note.kind == Note::Kind::kDropRequest) continue;
    const auto [later, newest] = next.try_emplace(note.id, i);
    const bool alone = note.last_of_call && (i == 0 || notes[i - 1].last_of_call);
    superseded[i] =
        !newest && later->second < flush && note.kind == Note::Kind::kChange && note.waiter == nullptr && alone;
    later->second = i;
  }
  size_t i = 0;
  std::erase_if(notes, [&](const Note&) { return superseded[i++]; });
}

void DiskJournal::AwaitRetry(Nanos delay) {
  const auto until = SteadyClock::now() + delay;
  uint32_t before = woken_.load(std::memory_order_relaxed);
  while (SteadyClock::now() < until) {
    {
      rt::LockGuard guard(lock_);
      if (stopping_) return;
      before = woken_.load(std::memory_order_relaxed);
    }
    rt::FutexWaitUntil(woken_, before, std::chrono::duration_cast<Nanos>(until.time_since_epoch()).count());
  }
}

}  // namespace millrace::store
