// EventLog: what happened to jobs, newest kept, for watchers.
//
//   History   A bounded ring. Every event has a sequence number; a reader holds the number it wants next (its resume
//             token) and nothing else, so a slow or vanished reader costs nothing. One that fell off the end gets a gap
//             event first.
//   Restarts  Numbers start at the wall clock's nanoseconds, so those of a later run of the daemon are greater.
//   News      Edge-triggered: a listener is called once when there is news, and again only after a Read that reached
//             the end.
//   Cost      A state change is one ring slot. Progress and log are recorded only while somebody listens; progress that
//             no watcher has read yet is replaced, not repeated.
//   Threads   Every call from any thread. Listeners are called by Notify, with no lock held.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "dispatch/live_output.h"
#include "job/job.h"
#include "runtime/lock.h"

namespace millrace::dispatch {

using Labels = LabelSet::Map;

enum class EventType : uint8_t { kState, kProgress, kLog, kGap };

struct JobEvent {
  uint64_t sequence = 0;  // Resume from sequence + 1. For a gap: the last event that was missed.
  EventType type = EventType::kState;
  WallTime time{};
  JobId job;
  JobState state = JobState::kQueued;  // kState: entered now; else the state it is in.
  Band band = Band::kNormal;
  int attempt = 0;
  std::string pool;
  std::string kind;
  std::shared_ptr<const Labels> labels;  // nullptr: none.
  std::string error;                     // kState: why a retry, or why it ended.
  Progress progress;                     // kProgress
  Bytes log;                             // kLog
  int64_t gap = 0;  // kGap: how many events were missed; 0: nobody knows, the cursor was of another run.
};

class EventListener {
 public:
  virtual ~EventListener() = default;
  // There is something to Read. Short: it is called by whoever made the news.
  virtual void OnEvents() = 0;
};

class EventLog {
 public:
  // What log chunks, errors and labels take in the history; beyond this the oldest events go.
  static constexpr size_t kTextBytesMax = size_t{32} << 20;

  // What the texts and labels of the events of one Read take, save its last one: a reader that is slow holds them.
  static constexpr size_t kReadBytesMax = size_t{256} << 10;

  explicit EventLog(size_t events_kept, uint64_t first_sequence = 1);
  ~EventLog();
  EventLog(const EventLog&) = delete;
  EventLog& operator=(const EventLog&) = delete;

  // ---- Readers
  // The number the next event will get: where a reader starts that wants what happens from now on.
  uint64_t End() const;

  // Moves up to `max` events, fewer where they are large, from `*cursor` on to the back of `out`, and `*cursor` past
  // them; returns how many, a gap included. A cursor of 0 means the oldest event kept. A `reader` that is subscribed
  // will hear of what comes after, if this was all.
  size_t Read(uint64_t* cursor, size_t max, std::vector<JobEvent>* out, const EventListener* reader = nullptr);

  // The listener is first called when an event at or after `cursor` exists, perhaps inside this call. It may still be
  // called once while Unsubscribe returns; sharing its ownership makes that harmless.
  void Subscribe(std::shared_ptr<EventListener> listener, uint64_t cursor);
  void Unsubscribe(const EventListener* listener);

  // ---- Writers (dispatch)
  // Anybody there? Progress and log events are not worth making otherwise.
  bool watched() const { return subscribers_.load(std::memory_order_relaxed) != 0; }

  // What an event says of its job without owning it: the names outlive the log.
  struct Source {
    JobId job;
    const std::string* pool = nullptr;
    const std::string* kind = nullptr;
    Band band = Band::kNormal;
    int attempt = 0;
    const std::shared_ptr<const Labels>& labels;
  };
  // Under the writer's own locks, so that events are in the order of what they tell; then, with no lock held, Notify.
  void RecordState(const Source& source, WallTime time, JobState state, std::string_view error);
  void RecordProgress(const Source& source, WallTime time, const std::shared_ptr<ProgressCell>& progress);
  void RecordLog(const Source& source, WallTime time, std::string_view bytes);
  // Calls the listeners that have news. Nearly free when there are none.
  void Notify();

 private:
  struct Slot;
  struct Subscriber {
    std::shared_ptr<EventListener> listener;
    bool armed;
  };
  Slot& Claim(const Source& source, WallTime time, EventType type) MR_REQUIRES(lock_);
  void Keep(Slot& slot, std::string_view text) MR_REQUIRES(lock_);
  void DropOldest() MR_REQUIRES(lock_);
  Slot& At(uint64_t sequence) MR_REQUIRES(lock_);
  void Fill(Slot& slot, uint64_t sequence, JobEvent* event) MR_REQUIRES(lock_);

  const size_t kept_;
  const uint64_t first_;
  mutable rt::Lock lock_;
  // Grows to kept_, then wraps; a deque, as growing must not move what is there.
  std::deque<Slot> ring_ MR_GUARDED_BY(lock_);
  // Numbers of the oldest event kept and of the next one.
  uint64_t begin_ MR_GUARDED_BY(lock_), end_ MR_GUARDED_BY(lock_);
  size_t text_bytes_ MR_GUARDED_BY(lock_) = 0;
  std::vector<Subscriber> readers_ MR_GUARDED_BY(lock_);
  std::atomic<int> subscribers_{0};
  int armed_ MR_GUARDED_BY(lock_) = 0;  // Subscribers that wait for news.
  std::atomic<bool> news_{false};       // There is news, and somebody who waits for it.
};

}  // namespace millrace::dispatch
