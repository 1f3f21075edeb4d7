// RocksJournal: dispatch/journal.h with group commit.
//
//   Append    Takes note in memory. The commit thread takes everything noted since its last turn, writes it as one batch with one
//             fsync and goes on with what came meanwhile: the slower the disk, the more jobs share an fsync.
//   Answers   OnCommitted is called by a thread of its own, so that the next fsync does not wait for what the dispatcher does with
//             the answers of the last. Fibers wait parked; no thread of the runtime ever waits for the disk.
//   Modes     kFsync: answered when it survives a loss of power. kInterval: when it survives the end of the process; an fsync
//             follows within `interval`. kNone: as kInterval, and when to write to the disk is left to the system.
//   Failure   When a write fails, the submits in it fail, and new ones fail at once with the disk's word. Every other record is
//             kept and written again, on a store opened anew, until it succeeds. Never an fsync again on the same pages: after
//             one that failed, the kernel may have dropped them and call the next a success. What turns out to be damaged stays
//             closed until a restart. All this is in rocks_journal_failure.cc.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/histogram.h"
#include "base/status.h"
#include "dispatch/journal.h"
#include "runtime/lock.h"
#include "store/disk.h"
#include "store/record.h"

namespace millrace::store {

struct RocksJournalOptions {
  Durability durability = Durability::kFsync;
  Nanos interval = std::chrono::milliseconds(50);      // Of kInterval.
  Nanos retry_delay = std::chrono::milliseconds(500);  // Until a disk that failed is tried again; it grows tenfold.
};

class RocksJournal final : public dispatch::Journal {
 public:
  // Opens the store in `folder`, which is made if it is not there. The errors are those of OpenRocksDisk.
  static Result<std::unique_ptr<RocksJournal>> Open(const std::string& folder, RocksJournalOptions options);
  RocksJournal(std::unique_ptr<Disk> disk, RocksJournalOptions options);
  ~RocksJournal() override;  // Stop

  Durability durability() const override { return options_.durability; }
  bool CommitsAtOnce() const override { return false; }
  Status Load(const std::function<void(dispatch::JobRecord)>& each) override;
  std::optional<Status> Append(std::span<const dispatch::JobRecord* const> records, Accepting accepting,
                               Waiter* waiter) override;
  void Erase(std::span<const JobId> ids) override;
  void KeepRequest(const dispatch::SpentRequest& request) override;
  void DropRequest(const std::string& request_id) override;
  Status LoadRequests(const std::function<void(dispatch::SpentRequest)>& each) override;

  // Writes what was noted, has everybody answered, ends the threads. After the dispatcher's Stop and before its end. Where the
  // disk fails it is tried once more; what cannot be written then is logged, and who waits for it is not answered. Repeatable.
  void Stop();

  // Disk::Checkpoint: everything that was acknowledged before the call, and commits go on meanwhile. Before Stop.
  Status Checkpoint(const std::string& folder) { return disk_->Checkpoint(folder); }

  // Not OK: the disk has failed and new jobs are refused with this.
  Status Health() const;
  // Calls it at once, and on a thread of ours whenever the store begins to fail or works again, one call at a time. An empty one: when
  // this returns nobody is called any more. Of plain threads, not of fibers.
  void WatchHealth(std::function<void(const Status&)> watcher);
  dispatch::JournalStats Stats() const override;

 private:
  // One record, or one that is to go.
  struct Note {
    JobId id;
    // Of a request id, not of a job; to be kept until then, or to go.
    std::unique_ptr<const dispatch::SpentRequest> request;
    bool erase = false;
    bool accepting = false;
    bool last_of_call = true;
    Waiter* waiter = nullptr;  // Of the call, at its last note.
    SpecPart spec;             // Of a new job.
    StatePart state;
    bool ended = false;  // The state is terminal.
  };
  struct Answer {
    Waiter* waiter;
    Status status;
  };
  using Notes = std::vector<Note>;

  // ---- Any thread
  // One call. Its refusal: submits are not accepted.
  Status Push(std::span<Note> notes);
  // One that cannot be refused.
  void PushOurs(std::span<Note> notes);
  void WakeForTrouble();
  // ---- The commit thread
  void CommitLoop();
  // Takes what was noted, or waits for it. False: the end.
  bool AwaitNotes(Notes* notes);
  // Writes whole calls and has them answered, and takes them off `notes`. The status that ended it otherwise; `tried` of the notes
  // that are left may be on the disk nevertheless.
  Status Commit(Notes& notes, size_t* tried);
  // Refuses submits and writes the rest again until it succeeds, or the end.
  void WorkThroughFailure(Status status, Notes notes, size_t tried);
  void RefuseSubmits(const Status& status, Notes& notes, size_t tried);
  void TakeMore(Notes& notes);
  void AwaitRetry(Nanos delay);
  Status Reopen();
  void SetHealth(const Status& status);
  Status SyncIfDue(bool now);
  Status Sync();
  static void AddChanges(const Note& note, std::vector<Change>* changes);
  // ---- Answers
  void Tell(std::vector<Answer>&& answers);
  void AnswerLoop();
  // Runs it there and waits for its end.
  void OnCommitThread(const std::function<void()>& errand);

  const RocksJournalOptions options_;
  const std::unique_ptr<Disk> disk_;  // Of the commit thread.

  mutable rt::Lock lock_;
  Notes notes_;                                    // Noted, in order.
  const std::function<void()>* errand_ = nullptr;  // Of Load.
  Status health_;
  bool troubled_ = false;  // The disk has something to tell.
  bool stopping_ = false;
  bool sleeping_ = false;  // The commit thread: whoever has something for it wakes it.
  // Changes when the commit thread is woken. A futex: the mutex of a condition variable could be held by a fiber that was stopped.
  std::atomic<uint32_t> woken_{0};

  rt::Lock answer_lock_;
  std::vector<Answer> answers_;
  bool no_more_answers_ = false;
  std::atomic<uint32_t> answered_{0};

  // Of the commit thread.
  std::vector<Change> changes_;
  bool unsynced_ = false;  // kInterval: since synced_at_.
  std::chrono::steady_clock::time_point synced_at_{};
  uint64_t promised_ = 0;  // Disk::Position when the last call was answered.

  std::mutex watch_lock_;
  std::function<void(const Status&)> watcher_;

  Histogram commit_seconds_, fsync_seconds_, batch_records_;
  std::atomic<uint64_t> open_errors_{0}, write_errors_{0}, sync_errors_{0}, background_errors_{0};

  std::thread commit_thread_, answer_thread_;
};

}  // namespace millrace::store
