#include "dispatch/event_log.h"

#include <algorithm>

#include "base/check.h"
#include "dispatch/weight.h"

namespace millrace::dispatch {

struct EventLog::Slot {
  JobId job;
  WallTime time;
  const std::string* pool;
  const std::string* kind;
  std::shared_ptr<const Labels> labels;
  std::shared_ptr<ProgressCell> progress;
  Bytes text;  // kLog: the chunk, kState: the error.
  uint32_t text_bytes = 0;
  int attempt;
  EventType type;
  JobState state;
  Band band;
};

EventLog::EventLog(size_t events_kept, uint64_t first_sequence)
    : kept_(std::max<size_t>(events_kept, 1)), first_(first_sequence), begin_(first_sequence), end_(first_sequence) {
  MR_CHECK(first_sequence > 0, "event 0 stands for the oldest event kept");
}

EventLog::~EventLog() = default;

EventLog::Slot& EventLog::At(uint64_t sequence) { return ring_[(sequence - first_) % kept_]; }

uint64_t EventLog::End() const {
  rt::LockGuard guard(lock_);
  return end_;
}

void EventLog::DropOldest() {
  Slot& oldest = At(begin_++);
  text_bytes_ -= oldest.text_bytes;
  oldest.text.reset();
  oldest.labels.reset();
  oldest.progress.reset();
  oldest.text_bytes = 0;
}

EventLog::Slot& EventLog::Claim(const Source& source, WallTime time, EventType type) {
  if (end_ - begin_ == kept_) DropOldest();
  if (end_ - first_ < kept_) ring_.emplace_back();
  Slot& slot = At(end_++);
  slot.job = source.job;
  slot.time = time;
  slot.pool = source.pool;
  slot.kind = source.kind;
  slot.labels = source.labels;
  slot.attempt = source.attempt;
  slot.type = type;
  slot.state = JobState::kRunning;
  slot.band = source.band;
  if (armed_ > 0) news_.store(true, std::memory_order_relaxed);
  return slot;
}

// After Claim: accounts for what the slot holds on to, and makes room for it.
void EventLog::Keep(Slot& slot, std::string_view text) {
  // A text is an object with a count beside its bytes. Labels are shared by the events of a job, and count for each of
  // them: those of the others may be gone first.
  constexpr size_t kTextBytes = 80;
  size_t bytes = text.empty() ? 0 : text.size() + kTextBytes;
  if (!text.empty()) slot.text = MakeBytes(std::string(text));
  bytes += static_cast<size_t>(LabelsWeight(slot.labels.get()));
  slot.text_bytes = static_cast<uint32_t>(bytes);
  text_bytes_ += bytes;
  while (text_bytes_ > kTextBytesMax && end_ - begin_ > 1) DropOldest();
}

void EventLog::RecordState(const Source& source, WallTime time, JobState state, std::string_view error) {
  rt::LockGuard guard(lock_);
  Slot& slot = Claim(source, time, EventType::kState);
  slot.state = state;
  if (!error.empty() || slot.labels) Keep(slot, error);
}

void EventLog::RecordProgress(const Source& source, WallTime time, const std::shared_ptr<ProgressCell>& progress) {
  rt::LockGuard guard(lock_);
  Slot& slot = Claim(source, time, EventType::kProgress);
  slot.progress = progress;
  if (slot.labels) Keep(slot, {});
}

void EventLog::RecordLog(const Source& source, WallTime time, std::string_view bytes) {
  rt::LockGuard guard(lock_);
  Keep(Claim(source, time, EventType::kLog), bytes);
}

void EventLog::Fill(Slot& slot, uint64_t sequence, JobEvent* event) {
  event->sequence = sequence;
  event->type = slot.type;
  event->time = slot.time;
  event->job = slot.job;
  event->state = slot.state;
  event->band = slot.band;
  event->attempt = slot.attempt;
  event->pool = *slot.pool;
  event->kind = *slot.kind;
  event->labels = slot.labels;
  if (slot.type == EventType::kLog) {
    event->log = slot.text;
  } else if (slot.text) {
    event->error = *slot.text;
  }
  if (slot.progress) {
    rt::LockGuard guard(slot.progress->lock);
    event->progress = slot.progress->value;
    slot.progress->unread = false;
  }
}

size_t EventLog::Read(uint64_t* cursor, size_t max, std::vector<JobEvent>* out, const EventListener* reader) {
  rt::LockGuard guard(lock_);
  size_t count = 0;
  if (*cursor == 0) *cursor = begin_;
  if ((*cursor < begin_ || *cursor > end_) && max > 0) {
    bool of_this_run = *cursor >= first_ && *cursor < begin_;
    JobEvent gap;
    gap.type = EventType::kGap;
    gap.sequence = begin_ - 1;
    gap.gap = of_this_run ? static_cast<int64_t>(begin_ - *cursor) : 0;
    out->push_back(std::move(gap));
    *cursor = begin_;
    ++count;
  }
  for (size_t bytes = 0; *cursor < end_ && count < max && bytes < kReadBytesMax; ++count) {
    Slot& slot = At(*cursor);
    bytes += slot.text_bytes;
    Fill(slot, *cursor, &out->emplace_back());
    ++*cursor;
  }
  if (reader != nullptr && *cursor == end_) {
    for (Subscriber& subscriber : readers_) {
      if (subscriber.listener.get() != reader || subscriber.armed) continue;
      subscriber.armed = true;
      ++armed_;
    }
  }
  return count;
}

void EventLog::Subscribe(std::shared_ptr<EventListener> listener, uint64_t cursor) {
  bool news;
  {
    rt::LockGuard guard(lock_);
    news = cursor != end_ && !(cursor == 0 && begin_ == end_);
    readers_.push_back({listener, !news});
    if (!news) ++armed_;
    subscribers_.fetch_add(1, std::memory_order_relaxed);
  }
  if (news) listener->OnEvents();
}

void EventLog::Unsubscribe(const EventListener* listener) {
  std::shared_ptr<EventListener> last;  // Dies after the lock is released: it may be the owner's last reference.
  rt::LockGuard guard(lock_);
  auto found =
      std::find_if(readers_.begin(), readers_.end(), [&](const Subscriber& s) { return s.listener.get() == listener; });
  if (found == readers_.end()) return;
  if (found->armed) --armed_;
  last = std::move(found->listener);
  readers_.erase(found);
  subscribers_.fetch_sub(1, std::memory_order_relaxed);
}

void EventLog::Notify() {
  // relaxed: whoever recorded the news calls Notify itself afterwards and sees its own store.
  if (!news_.load(std::memory_order_relaxed)) return;
  std::vector<std::shared_ptr<EventListener>> woken;
  {
    rt::LockGuard guard(lock_);
    news_.store(false, std::memory_order_relaxed);
    for (Subscriber& subscriber : readers_) {
      if (!subscriber.armed) continue;
      subscriber.armed = false;
      --armed_;
      woken.push_back(subscriber.listener);
    }
  }
  for (const auto& listener : woken) listener->OnEvents();
}

}  // namespace millrace::dispatch
