#include "dispatch/retention.h"

#include <algorithm>

#include "dispatch/dispatcher.h"

namespace millrace::dispatch {

void Retention::Add(const Kept& kept, MonoTime since) {
  static_assert(sizeof(Item) <= 48);
  Ledger& ledger = LedgerOf(kept.job.state);
  const EndedJob& job = kept.job;
  if (ledger.items.empty() || job.finished < ledger.items.back().finished) {
    ledger.runs.push_back(ledger.left + ledger.items.size());
  }
  ledger.items.push_back({job.id, job.finished, since, kept.request_id, job.bytes, job.state});
  ++ledger.jobs;
  ledger.bytes += job.bytes + kJobOverheadBytes;
}

std::deque<Retention::Item>::iterator Retention::Ledger::Find(const JobRecord& record) {
  const WallTime finished = EndedOf(record).finished;
  auto place_of = [&](uint64_t run) { return items.begin() + static_cast<ptrdiff_t>(run - left); };
  auto end = items.end();
  // The newest run first: who is looked for has mostly ended a short while ago.
  for (auto run = runs.rbegin(); run != runs.rend(); end = place_of(*run++)) {
    ++looked_at;
    if (finished < place_of(*run)->finished || std::prev(end)->finished < finished) continue;
    auto place = std::lower_bound(place_of(*run), end, finished, [&](const Item& item, WallTime wanted) {
      ++looked_at;
      return item.finished < wanted;
    });
    for (; place != end && place->finished == finished; ++place) {
      ++looked_at;
      if (place->id == record.id && place->state == record.life.state) return place;
    }
  }
  return items.end();
}

Retention::Kept Retention::Ledger::Take(std::deque<Item>::iterator item) {
  const Kept kept = item->kept();
  item->state = JobState::kQueued;
  --jobs;
  bytes -= kept.job.bytes + kJobOverheadBytes;
  DropTombstones();
  return kept;
}

void Retention::Ledger::DropTombstones() {
  for (; !items.empty() && items.front().gone(); items.pop_front()) ++left;
  while (!items.empty() && items.back().gone()) items.pop_back();
  while (runs.size() > 1 && runs[1] <= left) runs.pop_front();
  runs.front() = std::max(runs.front(), left);
  while (!runs.empty() && runs.back() >= left + items.size()) runs.pop_back();
  if (static_cast<int64_t>(items.size()) <= 2 * jobs + 64) return;
  std::erase_if(items, [](const Item& each) { return each.gone(); });
  left = 0;
  runs.clear();
  for (size_t i = 0; i < items.size(); ++i) {
    if (i == 0 || items[i].finished < items[i - 1].finished) runs.push_back(i);
  }
}

bool Retention::Contains(const JobRecord& record) {
  Ledger& ledger = LedgerOf(record.life.state);
  return ledger.Find(record) != ledger.items.end();
}

std::optional<Retention::Kept> Retention::Remove(const JobRecord& record) {
  Ledger& ledger = LedgerOf(record.life.state);
  auto found = ledger.Find(record);
  return found != ledger.items.end() ? std::optional(ledger.Take(found)) : std::nullopt;
}

MonoTime Retention::Ledger::leaves(const Grace& grace) const {
  if (far_over(grace)) return MonoTime::min();
  return Later(items.front().since, over() ? grace.age : std::max(limit.age_max, grace.age));
}

std::optional<Retention::Kept> Retention::PopTrimmed(MonoTime now) {
  for (Ledger* ledger : {&finished_, &dead_}) {
    if (ledger->items.empty()) continue;
    if (now < ledger->leaves(grace_)) continue;
    ++ledger->trimmed;
    return ledger->Take(ledger->items.begin());
  }
  return std::nullopt;
}

MonoTime Retention::Next() const {
  MonoTime next = MonoTime::max();
  for (const Ledger* ledger : {&finished_, &dead_}) {
    if (!ledger->items.empty()) next = std::min(next, ledger->leaves(grace_));
  }
  return next;
}

}  // namespace millrace::dispatch
