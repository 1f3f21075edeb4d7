#include "dispatch/ready_queue.h"

#include <algorithm>

#include "base/check.h"

namespace millrace::dispatch {

namespace {

// Neither the names of kinds and labels nor the values have a control character.
std::string KeyOf(const std::string& kind, const LabelSet& require) {
  std::string key = kind;
  for (const auto& [name, value] : require) key += '\n' + Taker::TagOf(name, value);
  return key;
}

}  // namespace

// ---- Lines ----------------------------------------------------------------------------------------------------------

KindLines::KindLines(ReadyQueue* owner, const std::string& kind, const LabelSet& required)
    : queue(owner), name(kind), require(required) {
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

bool KindLines::empty() const {
  return with_permits.empty() &&
         std::all_of(bands.begin(), bands.end(), [](const KindBand& band) { return band.plain.jobs.empty(); });
}

KindLines& ReadyQueue::LinesOf(const std::string& kind) {
  if (last_kind_ == nullptr || last_kind_->name != kind) {
    last_kind_ = &kinds_.try_emplace(kind, this, kind).first->second;
  }
  return *last_kind_;
}

KindLines& ReadyQueue::LinesOf(const std::string& kind, const LabelSet& require) {
  auto [found, is_new] = placed_.try_emplace(KeyOf(kind, require), this, kind, require);
  if (is_new) {
    KindLines& lines = found->second;
    std::unordered_map<std::string, std::vector<KindLines*>>& by_tag = placed_by_tag_[kind];
    size_t fewest = SIZE_MAX;
    for (const auto& [name, value] : require) {
      std::string tag = Taker::TagOf(name, value);
      const auto there = by_tag.find(tag);
      const size_t count = there == by_tag.end() ? 0 : there->second.size();
      if (count >= fewest) continue;
      fewest = count;
      lines.found_by = std::move(tag);
    }
    by_tag[lines.found_by].push_back(&lines);
  }
  return found->second;
}

void ReadyQueue::DropIfEmpty(KindLines& kind) {
  if (kind.require.empty() || !kind.empty()) return;
  auto by_tag = placed_by_tag_.find(kind.name);
  auto tagged = by_tag->second.find(kind.found_by);
  std::erase(tagged->second, &kind);
  if (tagged->second.empty()) by_tag->second.erase(tagged);
  if (by_tag->second.empty()) placed_by_tag_.erase(by_tag);
  placed_.erase(KeyOf(kind.name, kind.require));
}

Line& ReadyQueue::LineOf(const JobEntry& entry) {
  const auto band = static_cast<size_t>(entry.band);
  const Ties* ties = entry.ties.get();
  if (ties == nullptr) return LinesOf(entry.kind->name).bands[band].plain;
  KindLines& kind = ties->require.empty() ? LinesOf(entry.kind->name) : LinesOf(entry.kind->name, ties->require);
  return ties->permits.empty() ? kind.bands[band].plain : kind.LineOf(entry.band, ties->permits);
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
  KindLines& kind = *line.home;
  if (line.permits != nullptr) kind.with_permits.erase(kind.with_permits.find({line.band, *line.permits}));
  DropIfEmpty(kind);
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

void ReadyQueue::CountIn(const JobEntry& entry) {
  const auto band = static_cast<size_t>(entry.band);
  ++jobs_;
  ++jobs_of_[band];
  bytes_ += entry.bytes;
  ranks_[band].Add(entry.push_number);
}

void ReadyQueue::CountOut(const JobEntry& entry) {
  const auto band = static_cast<size_t>(entry.band);
  --jobs_;
  --jobs_of_[band];
  bytes_ -= entry.bytes;
  ranks_[band].Remove(entry.push_number);
}

// ---- Jobs -----------------------------------------------------------------------------------------------------------

void ReadyQueue::Push(JobEntry* entry) {
  entry->push_number = pushes_++;
  Line& line = LineOf(*entry);
  line.jobs.PushBack(entry);
  Enter(entry, line);
  CountIn(*entry);
}

void ReadyQueue::Consider(const KindLines& lines, size_t kind, bool best_band, Choice* first) {
  for (const KindBand& band : lines.bands) {
    Line* line = band.lines.front();
    if (line == nullptr) continue;
    const Line* best = first->line;
    const bool sooner = best == nullptr || (best_band && line->band < best->band) ||
                        (line->rank < best->rank && (!best_band || line->band == best->band));
    if (sooner) *first = {line, kind};
    if (best_band) break;
  }
}

ReadyQueue::Choice ReadyQueue::First(const Taker& taker, bool best_band) const {
  if (taker.any_kind_) {
    const KindBand* kind = bands_.First(best_band);
    return {kind != nullptr ? kind->lines.front() : nullptr, 0};
  }
  Choice first;
  for (size_t i = 0; i < taker.kinds_.size(); ++i) {
    const Taker::Kind& kind = taker.kinds_[i];
    if (!kind.open) continue;
    auto known = kinds_.find(kind.name);
    if (known != kinds_.end()) Consider(known->second, i, best_band, &first);
    if (placed_.empty()) continue;
    auto by_tag = placed_by_tag_.find(kind.name);
    if (by_tag == placed_by_tag_.end()) continue;
    for (const std::string& tag : taker.tags_) {
      auto tagged = by_tag->second.find(tag);
      if (tagged == by_tag->second.end()) continue;
      for (const KindLines* lines : tagged->second) {
        if (taker.Has(lines->require)) Consider(*lines, i, best_band, &first);
      }
    }
  }
  return first;
}

JobEntry* ReadyQueue::Pop(Taker& taker) {
  // Those that find nothing are not counted: they might take all the turns of age, and never give a job for one.
  const bool best_band = (taker.jobs_taken_ + 1) % kAgeingTurns != 0;
  taker.saves_ = false;
  for (;;) {
    const Choice first = First(taker, best_band);
    Line* const line = first.line;
    if (line == nullptr) return nullptr;
    if (!taker.any_kind_ && taker.kinds_[first.kind].slots > taker.room_) {
      taker.saves_ = true;
      return nullptr;
    }
    const bool needs = line->permits != nullptr;
    if (needs && !Permit::TakeFor(*line)) continue;
    JobEntry* entry = line->jobs.front();
    entry->permitted = needs;
    ++taker.jobs_taken_;
    taker.last_kind_ = first.kind;
    Leave(entry);
    CountOut(*entry);
    return entry;
  }
}

void ReadyQueue::Remove(JobEntry* entry) {
  if (entry->in_queue == InQueue::kAside) {
    TakeAside(entry);
    return Permits::GiveBack(*entry);
  }
  Leave(entry);
  CountOut(*entry);
}

void ReadyQueue::TakeAside(JobEntry* entry) {
  entry->in_queue = InQueue::kNo;
  --aside_;
  CountOut(*entry);
}

void ReadyQueue::SetAside(JobEntry* entry) {
  entry->in_queue = InQueue::kAside;
  ++aside_;
  CountIn(*entry);
}

void ReadyQueue::PushAgain(JobEntry* entry) {
  PutInOrder(entry);
  CountIn(*entry);
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

int64_t ReadyQueue::JobsAhead(const JobEntry& entry) const {
  const auto band = static_cast<size_t>(entry.band);
  int64_t ahead = ranks_[band].Before(entry.push_number);
  for (size_t better = 0; better < band; ++better) ahead += jobs_of_[better];
  return ahead;
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
  const auto check_all = [&](const KindLines& lines) MR_IN_TURN {
    for (const KindBand& band : lines.bands) {
      check(band.plain);
      MR_CHECK(band.lines.empty() == (band.place < 0), "a kind's sub-queue is not where it should be");
      MR_CHECK(band.lines.empty() || band.rank == band.lines.front()->rank, "a sub-queue does not rank by its line");
    }
    for (const auto& [needs, line] : lines.with_permits) check(line);
  };
  for (const auto& [kind, lines] : kinds_) check_all(lines);
  size_t tagged = 0;
  for (const auto& [key, lines] : placed_) {
    MR_CHECK(!lines.empty(), "lines of jobs that require labels are kept although there are none");
    check_all(lines);
  }
  for (const auto& [kind, by_tag] : placed_by_tag_) {
    for (const auto& [tag, lines] : by_tag) tagged += lines.size();
  }
  MR_CHECK(tagged == placed_.size(), "jobs that require labels are not found by these");
  MR_CHECK(jobs == jobs_ && offered == lines_offered_, "a queue counts %lld jobs and %lld lines, and has %lld and %lld",
           static_cast<long long>(jobs_), static_cast<long long>(lines_offered_), static_cast<long long>(jobs),
           static_cast<long long>(offered));
}

}  // namespace millrace::dispatch
