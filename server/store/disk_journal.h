// DiskJournal: dispatch/journal.h with group commit.
//
//   Commit    Takes note in memory. The commit thread takes everything noted since its last turn, writes it as one
//             batch with one fsync and goes on with what came meanwhile: the slower the disk, the more jobs share an
//             fsync.
//   Answers   OnCommitted is called by a thread of its own, so that the next fsync does not wait for what the
//             dispatcher does with the answers of the last. Fibers wait parked; no thread of the runtime ever waits for
//             the disk.
//   Modes     kFsync: answered when it survives a loss of power. kInterval: when it survives the end of the process; an
//             fsync follows within `interval`. kNone: as kInterval, and when to write to the disk is left to the
//             system.
//   Reading   Whoever asks reads what was committed, on its own thread, beside the commit thread. A fiber gives its
//             processor away meanwhile.
//   Room      A thread of its own has the disk give back the room of jobs that were forgotten, once that is worth it.
//   Failure   When a write fails, the submits in it fail, and new ones fail at once with the disk's word. Every other
//             record is kept and written again, on a store opened anew, until it succeeds. Never an fsync again on the
//             same pages: after one that failed, the kernel may have dropped them and call the next a success. What
//             turns out to be damaged stays closed until a restart. When the disk says that another daemon owns it
//             (dispatch::kNotOwner), every record fails with that from then on, and nothing is written or tried again.
//             All this is in disk_journal_failure.cc.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/histogram.h"
#include "base/status.h"
#include "base/thread_mutex.h"
#include "dispatch/journal.h"
#include "runtime/lock.h"
#include "store/disk.h"
#include "store/record.h"

namespace millrace::store {

class PagedScan;

struct DiskJournalOptions {
  Durability durability = Durability::kFsync;
  Nanos interval = std::chrono::milliseconds(50);      // With kInterval: the longest time without an fsync.
  Nanos retry_delay = std::chrono::milliseconds(500);  // Until a disk that failed is tried again; it grows tenfold.
  // So many bytes of jobs that were forgotten are left on the disk, or a third of what it holds else, if that is more.
  uint64_t garbage_bytes_max = uint64_t{64} << 20;
};

class DiskJournal final : public dispatch::Journal {
 public:
  DiskJournal(std::unique_ptr<Disk> disk, DiskJournalOptions options);
  ~DiskJournal() override;  // Stop

  Durability durability() const override { return options_.durability; }
  bool CommitsAtOnce() const override { return false; }
  bool KeepsUnfinished() const override { return true; }
  Status Load(const std::function<void(dispatch::JobRecord)>& each) override;
  Status LoadEnded(const std::function<void(const dispatch::EndedJob&)>& each) override;
  Status LoadRequests(const std::function<void(dispatch::SpentRequest)>& each) override;

  void Commit(dispatch::Batch& batch) override;

  Result<std::shared_ptr<const dispatch::JobRecord>> Read(const JobId& id, Part part) override;
  Result<Bytes> ReadResult(const JobId& id) override;
  Result<std::vector<std::shared_ptr<const dispatch::JobRecord>>> ReadEnded(const Range& range) override;

  // Writes what was noted, has everybody answered, ends the threads. After the dispatcher's Stop and before its end.
  // Where the disk fails it is tried once more; what cannot be written then is logged, and whoever waits for it is not
  // answered. Repeatable.
  void Stop();

  // Disk::Checkpoint: everything that was acknowledged before the call, and commits go on meanwhile. Before Stop.
  Status Checkpoint(const std::string& folder) { return disk_->Checkpoint(folder); }

  // Not OK: the disk has failed and new jobs are refused with this.
  Status Health() const;
  bool Failing() const override { return !Health().ok(); }
  // Calls `watcher` at once, and on a thread of the journal whenever the store begins to fail or works again, one call
  // at a time. After a call with an empty function nobody is called any more. Plain threads call this, not fibers.
  void WatchHealth(std::function<void(const Status&)> watcher);
  dispatch::JournalStats Stats() const override;

 private:
  // One thing that is to be written of one job.
  struct Note {
    enum class Kind : uint8_t {
      kAccept,  // spec, state
      kUndo,    // Erases an accept that failed, if it is there.
      kChange,  // state
      kRevive,  // state, was
      kEnd,     // ended
      kForget,  // was; request, if it has one.
      kDropRequest,
      kFlush,  // Nothing: its waiter waits for those before it.
    };
    Kind kind;
    bool last_of_call = true;  // Of a part: it is written as a whole.
    JobId id;
    Waiter* waiter = nullptr;  // The waiter of the part, at its last note.
    SpecPart spec;
    StatePart state;
    std::shared_ptr<const dispatch::JobRecord> ended;
    dispatch::EndedJob was;
    std::unique_ptr<const dispatch::SpentRequest> request;
  };
  struct Answer {
    Waiter* waiter;
    Status status;
  };
  using Notes = std::vector<Note>;

  // ---- Any thread
  static Note NoteOf(dispatch::Batch::Entry& entry);
  void WakeForTrouble();
  Result<std::shared_ptr<const dispatch::JobRecord>> ReadNow(const JobId& id, Part part);
  Result<Bytes> ReadResultNow(const JobId& id);
  // One page. `others` counts the specs that lie between.
  Status ReadLive(PagedScan* scan, std::vector<dispatch::JobRecord>* records, uint64_t* others);
  Status ReadRange(const Range& range, std::vector<std::shared_ptr<const dispatch::JobRecord>>* records);
  // ---- The commit thread
  void CommitLoop();
  // Takes what was noted, and whether the disk has something to tell, or waits for either. False: the end.
  bool AwaitNotes(Notes* notes, bool* troubled);
  // Writes whole calls, has them answered and takes them off `notes`. After an error, the first `tried` of the notes
  // that are left may be on the disk nevertheless.
  Status WriteNotes(Notes& notes, size_t* tried);
  Status WriteChanges();
  // Refuses submits and writes the rest again until it succeeds, or the end.
  void WorkThroughFailure(Status status, Notes notes, size_t tried);
  void RefuseSubmits(const Status& status, Notes& notes, size_t tried);
  void TakeMore(Notes& notes);
  static void DropSuperseded(Notes& notes);
  void AwaitRetry(Nanos delay);
  // Another daemon owns the store now: answers everything with `status`, until the end.
  void RefuseAll(const Status& status, Notes notes);
  Status Reopen();
  void SetHealth(const Status& status);
  Status SyncIfDue(bool now);
  Status Sync();
  static void AddChanges(const Note& note, std::vector<Change>* changes);
  // ---- Answers
  void Tell(std::vector<Answer>&& answers);
  void AnswerLoop();
  // ---- Room
  void RoomLoop();
  void CountGarbage(uint64_t bytes);

  const DiskJournalOptions options_;
  const std::unique_ptr<Disk> disk_;  // Writing is the commit thread's.

  mutable rt::Lock lock_;
  Notes notes_ MR_GUARDED_BY(lock_);  // Noted, in order.
  Status health_ MR_GUARDED_BY(lock_);
  bool troubled_ MR_GUARDED_BY(lock_) = false;  // The disk has something to tell.
  bool stopping_ MR_GUARDED_BY(lock_) = false;
  bool sleeping_ MR_GUARDED_BY(lock_) = false;  // The commit thread: whoever has something for it wakes it.
  // Changes when the commit thread is woken. A futex: the mutex of a condition variable could be held by a fiber that
  // was stopped.
  std::atomic<uint32_t> woken_{0};

  rt::Lock answer_lock_;
  std::vector<Answer> answers_ MR_GUARDED_BY(answer_lock_);
  bool no_more_answers_ MR_GUARDED_BY(answer_lock_) = false;
  std::atomic<uint32_t> answered_{0};

  // ---- The commit thread's own
  std::vector<Change> changes_;
  bool unsynced_ = false;  // kInterval: since synced_at_.
  std::chrono::steady_clock::time_point synced_at_{};
  uint64_t promised_ = 0;  // Disk::Position when the last call was answered.

  ThreadMutex watch_lock_;
  std::function<void(const Status&)> watcher_ MR_GUARDED_BY(watch_lock_);

  std::optional<uint64_t> other_specs_;  // What Load counted: specs of jobs that are not alive.
  std::atomic<uint64_t> garbage_bytes_{0};
  std::atomic<bool> no_more_room_{false};
  std::atomic<uint32_t> garbage_news_{0};  // A futex: changes when there may be something for the thread.

  Histogram commit_seconds_, fsync_seconds_, batch_records_;
  std::atomic<uint64_t> open_errors_{0}, write_errors_{0}, sync_errors_{0}, background_errors_{0}, read_errors_{0};

  std::thread commit_thread_, answer_thread_, room_thread_;
};

}  // namespace millrace::store
