#include "store/disk_journal.h"

#include <pthread.h>

#include <algorithm>

#include "base/check.h"
#include "base/log.h"
#include "runtime/blocking.h"
#include "runtime/futex.h"
#include "runtime/park.h"

namespace millrace::store {

namespace {

using SteadyClock = std::chrono::steady_clock;

// A batch is closed when it weighs this much: what comes after it is answered that much later, and it is copied once in
// memory.
constexpr size_t kBatchBytes = size_t{8} << 20;
// About what the records of a job take beside payload, result and log.
constexpr uint64_t kRecordBytes = 300;

int64_t OnMonotonic(SteadyClock::time_point time) {
  return std::chrono::duration_cast<Nanos>(time.time_since_epoch()).count();
}

double Since(SteadyClock::time_point start) {
  return std::chrono::duration<double>(SteadyClock::now() - start).count();
}

}  // namespace

DiskJournal::DiskJournal(std::unique_ptr<Disk> disk, DiskJournalOptions options)
    : options_(options),
      disk_(std::move(disk)),
      commit_seconds_(Histogram::SecondsBounds()),
      fsync_seconds_(Histogram::SecondsBounds()),
      batch_records_(Histogram::ExponentialBounds(1, 2, 16)),
      commit_thread_([this] { CommitLoop(); }),
      answer_thread_([this] { AnswerLoop(); }),
      room_thread_([this] { RoomLoop(); }) {
  disk_->OnTrouble([this] {
    background_errors_.fetch_add(1, std::memory_order_relaxed);
    WakeForTrouble();
  });
  pthread_setname_np(commit_thread_.native_handle(), "store");
  pthread_setname_np(answer_thread_.native_handle(), "store-answers");
  pthread_setname_np(room_thread_.native_handle(), "store-room");
}

DiskJournal::~DiskJournal() { Stop(); }

// ---- Any thread -----------------------------------------------------------------------------------------------------

void DiskJournal::Commit(dispatch::Batch& batch) {
  bool wake = false;
  {
    rt::LockGuard guard(lock_);
    // Whole parts only: the commit thread takes all there is.
    for (dispatch::Batch::Part& part : batch.parts()) {
      const std::span<dispatch::Batch::Entry> entries = batch.entries(part);
      if (!health_.ok() && !entries.empty() && entries[0].kind == dispatch::Batch::Kind::kAccept) {
        part.answer = health_;
        continue;
      }
      for (dispatch::Batch::Entry& entry : entries) {
        notes_.push_back(NoteOf(entry));
        notes_.back().last_of_call = false;
      }
      if (entries.empty()) notes_.push_back({.kind = Note::Kind::kFlush});
      notes_.back().last_of_call = true;
      notes_.back().waiter = part.waiter;
    }
    if (!notes_.empty()) wake = std::exchange(sleeping_, false);
    if (wake) woken_.fetch_add(1, std::memory_order_relaxed);
  }
  if (wake) rt::FutexWake(woken_, 1);
}

DiskJournal::Note DiskJournal::NoteOf(dispatch::Batch::Entry& entry) {
  using enum dispatch::Batch::Kind;
  switch (entry.kind) {
    case kAccept:
      return {.kind = Note::Kind::kAccept,
              .id = entry.record->id,
              .spec = SpecOf(*entry.record),
              .state = PrepareState(*entry.record)};
    case kChange:
      return {.kind = Note::Kind::kChange, .id = entry.record->id, .state = PrepareState(*entry.record)};
    case kEnd: {
      const JobId id = entry.ended->id;
      return {.kind = Note::Kind::kEnd, .id = id, .ended = std::move(entry.ended)};
    }
    case kRevive:
      return {
          .kind = Note::Kind::kRevive, .id = entry.record->id, .state = PrepareState(*entry.record), .was = entry.was};
    case kForget:
    case kDropRequest:
      break;
  }
  return {.kind = entry.kind == kForget ? Note::Kind::kForget : Note::Kind::kDropRequest,
          .id = entry.was.id,
          .was = entry.was,
          .request = std::move(entry.request)};
}

dispatch::JournalStats DiskJournal::Stats() const {
  return {.commit_seconds = commit_seconds_.Snapshot(),
          .fsync_seconds = fsync_seconds_.Snapshot(),
          .batch_records = batch_records_.Snapshot(),
          .open_errors = open_errors_.load(std::memory_order_relaxed),
          .write_errors = write_errors_.load(std::memory_order_relaxed),
          .sync_errors = sync_errors_.load(std::memory_order_relaxed),
          .read_errors = read_errors_.load(std::memory_order_relaxed),
          .background_errors = background_errors_.load(std::memory_order_relaxed),
          .failing = !Health().ok()};
}

void DiskJournal::Stop() {
  if (!commit_thread_.joinable()) return;
  disk_->OnTrouble({});
  no_more_room_.store(true, std::memory_order_relaxed);
  garbage_news_.fetch_add(1, std::memory_order_release);
  rt::FutexWake(garbage_news_, 1);
  rt::Blocking([this] {
    disk_->NoMoreReclaim();
    room_thread_.join();
  });
  {
    rt::LockGuard guard(lock_);
    stopping_ = true;
    sleeping_ = false;
    woken_.fetch_add(1, std::memory_order_relaxed);
  }
  rt::FutexWake(woken_, 1);
  rt::Blocking([this] { commit_thread_.join(); });
  {
    rt::LockGuard guard(answer_lock_);
    no_more_answers_ = true;
    answered_.fetch_add(1, std::memory_order_relaxed);
  }
  rt::FutexWake(answered_, 1);
  rt::Blocking([this] { answer_thread_.join(); });
}

// ---- The commit thread ----------------------------------------------------------------------------------------------

void DiskJournal::CommitLoop() {
  Notes notes;
  for (bool troubled = false; AwaitNotes(&notes, &troubled);) {
    size_t tried = 0;
    // A disk in trouble is asked for it, since what was noted may be flushes, which write nothing.
    Status status = troubled ? disk_->Sync() : OkStatus();
    if (status.ok()) status = WriteNotes(notes, &tried);
    if (status.ok()) status = SyncIfDue(/*now=*/false);
    if (!status.ok()) WorkThroughFailure(std::move(status), std::move(notes), tried);
    notes.clear();
  }
  if (Status status = SyncIfDue(/*now=*/true); !status.ok()) LogError("%s", status.message().c_str());
}

bool DiskJournal::AwaitNotes(Notes* notes, bool* troubled) {
  for (;;) {
    uint32_t before;
    {
      rt::LockGuard guard(lock_);
      if (!notes_.empty() || troubled_) {
        *troubled = std::exchange(troubled_, false);
        notes->swap(notes_);
        return true;
      }
      if (stopping_) return false;
      before = woken_.load(std::memory_order_relaxed);
      sleeping_ = true;
    }
    if (unsynced_ && options_.durability == Durability::kInterval) {
      rt::FutexWaitUntil(woken_, before, OnMonotonic(synced_at_ + options_.interval));
      if (Status status = SyncIfDue(/*now=*/false); !status.ok()) WorkThroughFailure(std::move(status), {}, 0);
    } else {
      rt::FutexWait(woken_, before);
    }
  }
}

Status DiskJournal::WriteNotes(Notes& notes, size_t* tried) {
  size_t begin = 0;
  Status status;
  while (begin < notes.size()) {
    changes_.clear();
    size_t end = begin, bytes = 0;
    do {
      const size_t first = changes_.size();
      AddChanges(notes[end], &changes_);
      for (size_t i = first; i < changes_.size(); ++i) bytes += changes_[i].value.size();
    } while (!notes[end++].last_of_call || (end < notes.size() && bytes < kBatchBytes));
    status = WriteChanges();
    if (!status.ok()) {
      *tried = end - begin;
      break;
    }
    promised_ = disk_->Position();
    batch_records_.Observe(static_cast<double>(end - begin));
    std::vector<Answer> answers;
    uint64_t garbage = 0;
    changes_.clear();  // It may be much, and the next commit may be long in coming.
    for (; begin < end; ++begin) {
      Note& note = notes[begin];
      note.ended.reset();
      if (note.waiter != nullptr) answers.push_back({note.waiter, OkStatus()});
      if (note.kind == Note::Kind::kForget) garbage += static_cast<uint64_t>(note.was.bytes) + kRecordBytes;
    }
    Tell(std::move(answers));
    CountGarbage(garbage);
  }
  notes.erase(notes.begin(), notes.begin() + static_cast<ptrdiff_t>(begin));
  return status;
}

Status DiskJournal::WriteChanges() {
  if (changes_.empty()) return OkStatus();  // A flush, and what it waits for is committed.
  const auto start = SteadyClock::now();
  Status status = disk_->Write(changes_);
  if (!status.ok()) write_errors_.fetch_add(1, std::memory_order_relaxed);
  if (status.ok() && !std::exchange(unsynced_, true)) synced_at_ = start;
  if (status.ok() && options_.durability == Durability::kFsync) status = Sync();
  if (status.ok()) commit_seconds_.Observe(Since(start));
  return status;
}

void DiskJournal::AddChanges(const Note& note, std::vector<Change>* changes) {
  using enum Change::Kind;
  const std::string key = KeyOf(note.id);
  auto put = [&](Shelf shelf, std::string where, std::string value) {
    changes->push_back({kPut, shelf, std::move(where), std::move(value)});
  };
  auto erase = [&](Shelf shelf, std::string where) { changes->push_back({kErase, shelf, std::move(where), {}}); };
  switch (note.kind) {
    case Note::Kind::kAccept:
      put(Shelf::kSpec, key, EncodeSpec(note.id, note.spec));
      if (note.spec.payload_apart()) put(Shelf::kPayload, key, EncodePayload(note.id, note.spec));
      put(Shelf::kLive, key, EncodeState(note.id, note.state));
      break;
    case Note::Kind::kUndo:
      for (Shelf shelf : {Shelf::kSpec, Shelf::kPayload, Shelf::kLive}) erase(shelf, key);
      break;
    case Note::Kind::kChange:
      put(Shelf::kLive, key, EncodeState(note.id, note.state));
      break;
    case Note::Kind::kRevive:
      erase(Shelf::kFinished, key);
      erase(Shelf::kEnded, KeyOfEnded(note.was));
      put(Shelf::kLive, key, EncodeState(note.id, note.state));
      break;
    case Note::Kind::kEnd: {
      const dispatch::JobRecord& record = *note.ended;
      const dispatch::EndedJob ended = EndedOf(record);
      erase(Shelf::kLive, key);
      put(Shelf::kFinished, key, EncodeState(note.id, PrepareState(record)));
      if (dispatch::ResultApart(record)) put(Shelf::kResult, key, EncodeResult(note.id, record.result));
      put(Shelf::kEnded, KeyOfEnded(ended), EncodeEnded(ended));
      if (record.request_id.empty()) break;
      put(Shelf::kRequests, record.request_id,
          EncodeRequest({.request_id = record.request_id,
                         .job = record.id,
                         .fingerprint = record.fingerprint,
                         .final_state = record.life.state}));
      break;
    }
    case Note::Kind::kForget:
      erase(Shelf::kSpec, key);
      erase(Shelf::kFinished, key);
      erase(Shelf::kEnded, KeyOfEnded(note.was));
      // Where payload, result and log together are small, the payload is nowhere else.
      if (note.was.bytes > static_cast<int64_t>(kInlinePayloadBytes)) erase(Shelf::kPayload, key);
      if (note.was.bytes > dispatch::kInlineResultBytes) erase(Shelf::kResult, key);
      if (note.request) put(Shelf::kRequests, note.request->request_id, EncodeRequest(*note.request));
      break;
    case Note::Kind::kDropRequest:
      erase(Shelf::kRequests, note.request->request_id);
      break;
    case Note::Kind::kFlush:
      break;
  }
}

Status DiskJournal::SyncIfDue(bool now) {
  if (!unsynced_) return OkStatus();
  if (!now && (options_.durability != Durability::kInterval || SteadyClock::now() < synced_at_ + options_.interval)) {
    return OkStatus();
  }
  return Sync();
}

Status DiskJournal::Sync() {
  const auto start = SteadyClock::now();
  Status status = disk_->Sync();
  if (status.ok()) {
    fsync_seconds_.Observe(Since(start));
  } else {
    sync_errors_.fetch_add(1, std::memory_order_relaxed);
  }
  unsynced_ = false;
  return status;
}

// ---- Answers --------------------------------------------------------------------------------------------------------

void DiskJournal::Tell(std::vector<Answer>&& answers) {
  if (answers.empty()) return;
  {
    rt::LockGuard guard(answer_lock_);
    std::move(answers.begin(), answers.end(), std::back_inserter(answers_));
    answered_.fetch_add(1, std::memory_order_relaxed);
  }
  rt::FutexWake(answered_, 1);
}

void DiskJournal::AnswerLoop() {
  std::vector<Answer> answers;
  for (;;) {
    uint32_t before;
    bool end;
    {
      rt::LockGuard guard(answer_lock_);
      answers.swap(answers_);
      end = no_more_answers_;
      before = answered_.load(std::memory_order_relaxed);
    }
    for (Answer& answer : answers) answer.waiter->OnCommitted(answer.status);
    if (answers.empty() && end) return;
    if (answers.empty()) rt::FutexWait(answered_, before);
    answers.clear();
  }
}

// ---- Room -----------------------------------------------------------------------------------------------------------

void DiskJournal::CountGarbage(uint64_t bytes) {
  if (bytes == 0) return;
  if (garbage_bytes_.fetch_add(bytes, std::memory_order_relaxed) + bytes < options_.garbage_bytes_max) return;
  garbage_news_.fetch_add(1, std::memory_order_release);
  rt::FutexWake(garbage_news_, 1);
}

void DiskJournal::RoomLoop() {
  for (;;) {
    const uint32_t news = garbage_news_.load(std::memory_order_acquire);
    if (no_more_room_.load(std::memory_order_relaxed)) return;
    const uint64_t garbage = garbage_bytes_.load(std::memory_order_relaxed);
    // To give it back, what is left is written again: as often as a fixed share of it has become garbage.
    if (garbage >= options_.garbage_bytes_max && garbage >= disk_->Bytes() / 4) {
      if (Status status = disk_->Reclaim(); status.ok()) {
        garbage_bytes_.fetch_sub(garbage, std::memory_order_relaxed);
        continue;
      }
      // If the disk fails, the commit thread says so. With the next garbage Reclaim is tried again.
    }
    rt::FutexWait(garbage_news_, news);
  }
}

}  // namespace millrace::store
