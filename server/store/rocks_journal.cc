#include "store/rocks_journal.h"

#include <pthread.h>

#include <algorithm>

#include "base/check.h"
#include "base/log.h"
#include "runtime/blocking.h"
#include "runtime/futex.h"
#include "runtime/park.h"
#include "store/rocks_disk.h"

namespace millrace::store {

namespace {

using SteadyClock = std::chrono::steady_clock;

// A batch is closed when it weighs this much: what comes after it is answered that much later, and it is copied once in memory.
constexpr size_t kBatchBytes = size_t{8} << 20;

int64_t OnMonotonic(SteadyClock::time_point time) {
  return std::chrono::duration_cast<Nanos>(time.time_since_epoch()).count();
}

double Since(SteadyClock::time_point start) {
  return std::chrono::duration<double>(SteadyClock::now() - start).count();
}

}  // namespace

Result<std::unique_ptr<RocksJournal>> RocksJournal::Open(const std::string& folder, RocksJournalOptions options) {
  Result<std::unique_ptr<Disk>> disk = OpenRocksDisk(folder);
  if (!disk.ok()) return disk.status();
  return std::make_unique<RocksJournal>(*std::move(disk), options);
}

RocksJournal::RocksJournal(std::unique_ptr<Disk> disk, RocksJournalOptions options)
    : options_(options),
      disk_(std::move(disk)),
      commit_seconds_(Histogram::SecondsBounds()),
      fsync_seconds_(Histogram::SecondsBounds()),
      batch_records_(Histogram::ExponentialBounds(1, 2, 16)),
      commit_thread_([this] { CommitLoop(); }),
      answer_thread_([this] { AnswerLoop(); }) {
  disk_->OnTrouble([this] {
    background_errors_.fetch_add(1, std::memory_order_relaxed);
    WakeForTrouble();
  });
  pthread_setname_np(commit_thread_.native_handle(), "store");
  pthread_setname_np(answer_thread_.native_handle(), "store-answers");
}

RocksJournal::~RocksJournal() { Stop(); }

// ---- Any thread ------------------------------------------------------------------------------------------------------------

std::optional<Status> RocksJournal::Append(std::span<const dispatch::JobRecord* const> records, Accepting accepting,
                                           Waiter* waiter) {
  auto note = [&](const dispatch::JobRecord& record) {
    Note made{.id = record.id,
              .accepting = accepting == Accepting::kYes,
              .last_of_call = &record == records.back(),
              .state = PrepareState(record),
              .ended = IsTerminal(record.life.state)};
    if (made.last_of_call) made.waiter = waiter;
    if (made.accepting) made.spec = {record.spec, record.request_id, record.created};
    return made;
  };
  Status refusal;
  if (records.size() == 1) {
    Note one = note(*records[0]);
    refusal = Push(std::span(&one, 1));
  } else {
    Notes many;
    many.reserve(records.size());
    for (const dispatch::JobRecord* record : records) many.push_back(note(*record));
    refusal = Push(many);
  }
  if (!refusal.ok()) return refusal;
  return std::nullopt;
}

void RocksJournal::Erase(std::span<const JobId> ids) {
  Notes notes;
  for (const JobId& id : ids) notes.push_back({.id = id, .erase = true, .last_of_call = &id == &ids.back()});
  PushOurs(notes);
}

void RocksJournal::KeepRequest(const dispatch::SpentRequest& request) {
  Note note{.request = std::make_unique<const dispatch::SpentRequest>(request)};
  PushOurs(std::span(&note, 1));
}

void RocksJournal::DropRequest(const std::string& request_id) {
  Note note{.request = std::make_unique<const dispatch::SpentRequest>(dispatch::SpentRequest{.request_id = request_id}),
            .erase = true};
  PushOurs(std::span(&note, 1));
}

void RocksJournal::PushOurs(std::span<Note> notes) {
  Status noted = Push(notes);
  MR_CHECK(noted.ok(), "a change of what was accepted was refused: %s", noted.ToString().c_str());
}

Status RocksJournal::Push(std::span<Note> notes) {
  bool wake;
  {
    rt::LockGuard guard(lock_);
    if (!health_.ok() && !notes.empty() && notes[0].accepting) return health_;
    // Whole calls only: the commit thread takes all there is.
    for (Note& note : notes) notes_.push_back(std::move(note));
    wake = std::exchange(sleeping_, false);
    if (wake) woken_.fetch_add(1, std::memory_order_relaxed);
  }
  if (wake) rt::FutexWake(woken_, 1);
  return OkStatus();
}

dispatch::JournalStats RocksJournal::Stats() const {
  return {.commit_seconds = commit_seconds_.Snapshot(),
          .fsync_seconds = fsync_seconds_.Snapshot(),
          .batch_records = batch_records_.Snapshot(),
          .open_errors = open_errors_.load(std::memory_order_relaxed),
          .write_errors = write_errors_.load(std::memory_order_relaxed),
          .sync_errors = sync_errors_.load(std::memory_order_relaxed),
          .background_errors = background_errors_.load(std::memory_order_relaxed),
          .failing = !Health().ok()};
}

void RocksJournal::Stop() {
  if (!commit_thread_.joinable()) return;
  disk_->OnTrouble({});
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

// ---- The commit thread -----------------------------------------------------------------------------------------------------

void RocksJournal::CommitLoop() {
  Notes notes;
  while (AwaitNotes(&notes)) {
    size_t tried = 0;
    Status status =
        notes.empty() ? disk_->Sync() : Commit(notes, &tried);  // None: the disk is in trouble, and says so.
    if (status.ok()) status = SyncIfDue(/*now=*/false);
    if (!status.ok()) WorkThroughFailure(std::move(status), std::move(notes), tried);
    notes.clear();
  }
  if (Status status = SyncIfDue(/*now=*/true); !status.ok()) LogError("%s", status.message().c_str());
}

bool RocksJournal::AwaitNotes(Notes* notes) {
  for (;;) {
    uint32_t before;
    const std::function<void()>* errand;
    {
      rt::LockGuard guard(lock_);
      errand = std::exchange(errand_, nullptr);
      if (errand == nullptr && (!notes_.empty() || troubled_)) {
        troubled_ = false;
        notes->swap(notes_);
        return true;
      }
      if (errand == nullptr && stopping_) return false;
      before = woken_.load(std::memory_order_relaxed);
      sleeping_ = errand == nullptr;
    }
    if (errand != nullptr) {
      (*errand)();
    } else if (unsynced_ && options_.durability == Durability::kInterval) {
      rt::FutexWaitUntil(woken_, before, OnMonotonic(synced_at_ + options_.interval));
      if (Status status = SyncIfDue(/*now=*/false); !status.ok()) WorkThroughFailure(std::move(status), {}, 0);
    } else {
      rt::FutexWait(woken_, before);
    }
  }
}

Status RocksJournal::Commit(Notes& notes, size_t* tried) {
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
    const auto start = SteadyClock::now();
    status = disk_->Write(changes_);
    if (!status.ok()) write_errors_.fetch_add(1, std::memory_order_relaxed);
    if (status.ok() && !std::exchange(unsynced_, true)) synced_at_ = start;
    if (status.ok() && options_.durability == Durability::kFsync) status = Sync();
    if (!status.ok()) {
      *tried = end - begin;
      break;
    }
    promised_ = disk_->Position();
    commit_seconds_.Observe(Since(start));
    batch_records_.Observe(static_cast<double>(end - begin));
    std::vector<Answer> answers;
    for (; begin < end; ++begin) {
      if (notes[begin].waiter != nullptr) answers.push_back({notes[begin].waiter, OkStatus()});
    }
    Tell(std::move(answers));
  }
  notes.erase(notes.begin(), notes.begin() + static_cast<ptrdiff_t>(begin));
  return status;
}

void RocksJournal::AddChanges(const Note& note, std::vector<Change>* changes) {
  using enum Change::Kind;
  if (note.request) {
    const std::string& request_id = note.request->request_id;
    changes->push_back({note.erase ? kErase : kPut, Shelf::kRequests, request_id,
                        note.erase ? std::string() : EncodeRequest(*note.request)});
    return;
  }
  std::string key = KeyOf(note.id);
  if (note.erase) {
    for (Shelf shelf : {Shelf::kSpec, Shelf::kLive, Shelf::kFinished}) changes->push_back({kErase, shelf, key, {}});
    return;
  }
  if (note.spec.spec) changes->push_back({kPut, Shelf::kSpec, key, EncodeSpec(note.id, note.spec)});
  if (note.ended) changes->push_back({kErase, Shelf::kLive, key, {}});
  // A job that is retried keeps its old record among the finished until it ends again; the live one counts.
  const Shelf shelf = note.ended ? Shelf::kFinished : Shelf::kLive;
  changes->push_back({kPut, shelf, std::move(key), EncodeState(note.id, note.state)});
}

Status RocksJournal::SyncIfDue(bool now) {
  if (!unsynced_) return OkStatus();
  if (!now && (options_.durability != Durability::kInterval || SteadyClock::now() < synced_at_ + options_.interval)) {
    return OkStatus();
  }
  return Sync();
}

Status RocksJournal::Sync() {
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

// ---- Answers ---------------------------------------------------------------------------------------------------------------

void RocksJournal::Tell(std::vector<Answer>&& answers) {
  if (answers.empty()) return;
  {
    rt::LockGuard guard(answer_lock_);
    std::move(answers.begin(), answers.end(), std::back_inserter(answers_));
    answered_.fetch_add(1, std::memory_order_relaxed);
  }
  rt::FutexWake(answered_, 1);
}

void RocksJournal::AnswerLoop() {
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

// ---- At start --------------------------------------------------------------------------------------------------------------

void RocksJournal::OnCommitThread(const std::function<void()>& errand) {
  rt::Parker done;
  const std::function<void()> whole = [&] {
    errand();
    done.Wake();
  };
  {
    rt::LockGuard guard(lock_);
    errand_ = &whole;
    sleeping_ = false;
    woken_.fetch_add(1, std::memory_order_relaxed);
  }
  rt::FutexWake(woken_, 1);
  done.Wait(rt::WaitReason::kIo);
}

Status RocksJournal::Load(const std::function<void(dispatch::JobRecord)>& each) {
  std::unique_ptr<Disk::JobReader> reader;
  std::vector<dispatch::JobRecord> records;
  Status status;
  do {
    records.clear();
    // What reads and decodes is that thread; what is done with the jobs, the caller.
    OnCommitThread([&] {
      if (!reader) reader = disk_->ReadJobs();
      Result<std::vector<RawJob>> jobs = reader->Next();
      if (!jobs.ok()) status = jobs.status();
      for (size_t i = 0; status.ok() && i < jobs->size(); ++i) {
        const RawJob& job = (*jobs)[i];
        Result<dispatch::JobRecord> record = DecodeJob(job.id, job.spec, job.state);
        status = record.status();
        if (status.ok()) records.push_back(*std::move(record));
      }
      if (!status.ok() || records.empty()) reader.reset();
    });
    if (!status.ok()) return status;
    for (dispatch::JobRecord& record : records) each(std::move(record));
  } while (!records.empty());
  return OkStatus();
}

Status RocksJournal::LoadRequests(const std::function<void(dispatch::SpentRequest)>& each) {
  std::vector<dispatch::SpentRequest> requests;
  Status status;
  OnCommitThread([&] {
    Result<std::vector<RawRequest>> raw = disk_->ReadRequests();
    status = raw.status();
    for (size_t i = 0; status.ok() && i < raw->size(); ++i) {
      Result<dispatch::SpentRequest> request = DecodeRequest((*raw)[i].request_id, (*raw)[i].record);
      status = request.status();
      if (status.ok()) requests.push_back(*std::move(request));
    }
  });
  if (!status.ok()) return status;
  for (dispatch::SpentRequest& request : requests) each(std::move(request));
  return OkStatus();
}

}  // namespace millrace::store
