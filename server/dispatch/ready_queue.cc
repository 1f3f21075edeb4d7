#include "dispatch/ready_queue.h"

#include "base/check.h"

namespace millrace::dispatch {

// ---- Lines ----------------------------------------------------------------------------------------------------------

KindLines::KindLines(ReadyQueue* owner, const std::string& kind) : queue(owner), name(kind) {
  for (size_t band = 0; band < bands.size(); ++band) {
    bands[band].plain.band = static_cast<Band>(band);
    bands[band].plain.home = this;
  }
}

Line& KindLines::LineOf(Band band, const std::vector<Permit*>& permits) {
  auto [found, is_new] = with_permits.try_emplace({band, permits});
  Line& line = found->second;
  if (is_new) {
    line.band = band;
    line.permits = &found->first.second;
    line.home = this;
  }
  return line;
}

KindLines& ReadyQueue::LinesOf(const std::string& kind) {
  if (last_kind_ == nullptr || last_kind_->name != kind) {
    last_kind_ = &kinds_.try_emplace(kind, this, kind).first->second;
  }
  return *last_kind_;
}

Line& ReadyQueue::LineOf(const JobEntry& entry) {
  KindLines& kind = LinesOf(entry.kind->name);
  if (entry.ties == nullptr || entry.ties->permits.empty()) return kind.bands[static_cast<size_t>(entry.band)].plain;
  return kind.LineOf(entry.band, entry.ties->permits);
}

void ReadyQueue::Reorder(KindBand& kind, Band band) {
  Heap<KindBand, ByRank>& heap = bands_.of(band);
  const Line* first = kind.lines.front();
  if (first == nullptr) return heap.Remove(&kind);
  kind.rank = first->rank;
  if (kind.place >= 0) {
    heap.Update(&kind);
  } else {
    heap.Add(&kind);
  }
}

void ReadyQueue::Offer(Line& line) {
  KindBand& kind = line.home->bands[static_cast<size_t>(line.band)];
  kind.lines.Add(&line);
  ++lines_offered_;
  Reorder(kind, line.band);
}

void ReadyQueue::Withdraw(Line& line) {
  KindBand& kind = line.home->bands[static_cast<size_t>(line.band)];
  kind.lines.Remove(&line);
  --lines_offered_;
  Reorder(kind, line.band);
}

void ReadyQueue::Rank(Line& line) {
  line.rank = line.jobs.front()->push_number;
  if (line.waits()) return line.permit->Update(line);
  if (line.place < 0) return Offer(line);
  KindBand& kind = line.home->bands[static_cast<size_t>(line.band)];
  kind.lines.Update(&line);
  Reorder(kind, line.band);
}

void ReadyQueue::Emptied(Line& line) {
  if (line.waits()) {
    line.permit->Leave(line);
  } else {
    Withdraw(line);
    if (line.woken) line.permit->Unwake(line);
  }
  if (line.permits == nullptr) return;
  std::map<std::pair<Band, std::vector<Permit*>>, Line>& lines = line.home->with_permits;
  lines.erase(lines.find({line.band, *line.permits}));
}

void ReadyQueue::Enter(JobEntry* entry, Line& line) {
  entry->line = &line;
  entry->in_queue = InQueue::kInLine;
  if (line.jobs.front() == entry) Rank(line);
}

void ReadyQueue::Leave(JobEntry* entry) {
  Line& line = *std::exchange(entry->line, nullptr);
  entry->in_queue = InQueue::kNo;
  const bool first = line.jobs.front() == entry;
  line.jobs.Remove(entry);
  if (line.jobs.empty()) {
    Emptied(line);
  } else if (first) {
    Rank(line);
  }
}

// ---- Room -----------------------------------------------------------------------------------------------------------

ReadyQueue::ReadyQueue(int64_t capacity_jobs, int64_t capacity_bytes)
    : capacity_jobs_(capacity_jobs), capacity_bytes_(capacity_bytes) {}

void ReadyQueue::SetCapacity(int64_t jobs, int64_t bytes) {
  capacity_jobs_ = jobs;
  capacity_bytes_ = bytes;
}

bool ReadyQueue::HasRoom(int64_t jobs, int64_t bytes) const {
  return (rendezvous() || jobs_ + reserved_jobs_ + jobs <= capacity_jobs_) &&
         bytes_ + reserved_bytes_ + bytes <= capacity_bytes_;
}

bool ReadyQueue::CouldHold(int64_t jobs, int64_t bytes) const {
  return (rendezvous() || jobs <= capacity_jobs_) && bytes <= capacity_bytes_;
}

void ReadyQueue::Reserve(int64_t jobs, int64_t bytes) {
  reserved_jobs_ += jobs;
  reserved_bytes_ += bytes;
}

void ReadyQueue::Unreserve(int64_t jobs, int64_t bytes) {
  reserved_jobs_ -= jobs;
  reserved_bytes_ -= bytes;
  MR_CHECK(reserved_jobs_ >= 0 && reserved_bytes_ >= 0, "more places were given up than reserved");
}

void ReadyQueue::Count(const JobEntry& entry, int64_t jobs) {
  jobs_ += jobs;
  jobs_of_[static_cast<size_t>(entry.band)] += jobs;
  bytes_ += jobs * static_cast<int64_t>(entry.bytes);
}

// ---- Jobs -----------------------------------------------------------------------------------------------------------

void ReadyQueue::Push(JobEntry* entry) {
  entry->push_number = pushes_++;
  Line& line = LineOf(*entry);
  line.jobs.PushBack(entry);
  Enter(entry, line);
  Count(*entry, 1);
}

Line* ReadyQueue::First(const Taker& taker, bool best_band) {
  if (taker.any_kind_) {
    const KindBand* kind = bands_.First(best_band);
    return kind != nullptr ? kind->lines.front() : nullptr;
  }
  Line* first = nullptr;
  for (const std::string& kind : taker.kinds_) {
    auto known = kinds_.find(kind);
    if (known == kinds_.end()) continue;
    for (const KindBand& band : known->second.bands) {
      Line* line = band.lines.front();
      if (line == nullptr) continue;
      const bool sooner = first == nullptr || (best_band && line->band < first->band) ||
                          (line->rank < first->rank && (!best_band || line->band == first->band));
      if (sooner) first = line;
      if (best_band) break;
    }
  }
  return first;
}

JobEntry* ReadyQueue::Pop(Taker& taker) {
  // Those that find nothing are not counted: they might take all the turns of age, and never give a job for one.
  const bool best_band = (taker.jobs_taken_ + 1) % kAgeingTurns != 0;
  while (Line* line = First(taker, best_band)) {
    const bool needs = line->permits != nullptr;
    if (needs && !Permit::TakeFor(*line)) continue;
    JobEntry* entry = line->jobs.front();
    entry->permitted = needs;
    ++taker.jobs_taken_;
    Leave(entry);
    Count(*entry, -1);
    return entry;
  }
  return nullptr;
}

void ReadyQueue::Remove(JobEntry* entry) {
  if (entry->in_queue == InQueue::kAside) {
    TakeAside(entry);
    return Permits::GiveBack(*entry);
  }
  Leave(entry);
  Count(*entry, -1);
}

void ReadyQueue::TakeAside(JobEntry* entry) {
  entry->in_queue = InQueue::kNo;
  --aside_;
  Count(*entry, -1);
}

void ReadyQueue::SetAside(JobEntry* entry) {
  entry->in_queue = InQueue::kAside;
  ++aside_;
  Count(*entry, 1);
}

void ReadyQueue::PushAgain(JobEntry* entry) {
  PutInOrder(entry);
  Count(*entry, 1);
}

void ReadyQueue::PutBack(JobEntry* entry) {
  entry->in_queue = InQueue::kNo;
  --aside_;
  PutInOrder(entry);
  Permits::GiveBack(*entry);  // Now that it is among those that may be woken.
}

void ReadyQueue::PutInOrder(JobEntry* entry) {
  Line& line = LineOf(*entry);
  // Behind those that were put back meanwhile and are older: as many as there are workers at most. (Jobs whose records
  // are damaged may be more, and go to the end: Core::RunOneDue.)
  JobEntry* next = line.jobs.front();
  while (next != nullptr && next->push_number < entry->push_number) next = next->next;
  line.jobs.PushBefore(next, entry);
  Enter(entry, line);
}

BlockedOn ReadyQueue::WaitsFor(const JobEntry& entry) {
  return entry.line != nullptr && entry.line->waits() ? entry.line->permit->reason() : BlockedOn::kNothing;
}

const JobEntry* ReadyQueue::Oldest() const {
  const KindBand* kind = bands_.First(/*best_band=*/false);
  return kind != nullptr ? kind->lines.front()->jobs.front() : nullptr;
}

std::optional<WallTime> ReadyQueue::oldest() const {
  const JobEntry* entry = Oldest();
  return entry != nullptr ? std::optional(entry->queued_wall) : std::nullopt;
}

std::optional<Nanos> ReadyQueue::oldest_age(MonoTime now) const {
  const JobEntry* entry = Oldest();
  return entry != nullptr ? std::optional(Nanos(now - entry->queued_at)) : std::nullopt;
}

void ReadyQueue::CheckInvariants() const {
  int64_t jobs = aside_, offered = 0;
  const auto check = [&](const Line& line) MR_IN_TURN {
    for (const JobEntry* entry = line.jobs.front(); entry != nullptr; entry = entry->next) {
      ++jobs;
      MR_CHECK(entry->line == &line && entry->in_queue == InQueue::kInLine && !entry->permitted,
               "job %s is in line and elsewhere", entry->id.ToString().c_str());
    }
    MR_CHECK(line.jobs.empty() == (line.place < 0), "a line is offered without jobs, or has some and is not offered");
    if (line.jobs.empty()) return;
    MR_CHECK(line.rank == line.jobs.front()->push_number, "a line does not rank by its front job");
    if (line.waits()) return line.permit->CheckInvariants();
    ++offered;
  };
  for (const auto& [kind, lines] : kinds_) {
    for (const KindBand& band : lines.bands) {
      check(band.plain);
      MR_CHECK(band.lines.empty() == (band.place < 0), "a kind's sub-queue is not where it should be");
      MR_CHECK(band.lines.empty() || band.rank == band.lines.front()->rank, "a sub-queue does not rank by its line");
    }
    for (const auto& [needs, line] : lines.with_permits) check(line);
  }
  MR_CHECK(jobs == jobs_ && offered == lines_offered_, "a queue counts %lld jobs and %lld lines, and has %lld and %lld",
           static_cast<long long>(jobs_), static_cast<long long>(lines_offered_), static_cast<long long>(jobs),
           static_cast<long long>(offered));
}

}  // namespace millrace::dispatch
