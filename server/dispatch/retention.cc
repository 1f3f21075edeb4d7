#include "dispatch/retention.h"

#include <algorithm>

#include "dispatch/dispatcher.h"

namespace millrace::dispatch {

void Retention::Add(const Kept& kept, MonoTime since) {
  static_assert(sizeof(Item) <= 48);
  Ledger& ledger = LedgerOf(kept.job.state);
  const EndedJob& job = kept.job;
  ledger.by_finished = ledger.items.empty() || (ledger.by_finished && ledger.items.back().finished <= job.finished);
  ledger.items.push_back({job.id, job.finished, since, kept.request_id, job.bytes, job.state});
  ++ledger.jobs;
  ledger.bytes += job.bytes + kJobOverheadBytes;
}

std::deque<Retention::Item>::iterator Retention::Ledger::Find(const JobRecord& record) {
  const WallTime finished = EndedOf(record).finished;
  auto place = items.begin();
  if (by_finished) {
    place = std::lower_bound(items.begin(), items.end(), finished,
                             [](const Item& item, WallTime wanted) { return item.finished < wanted; });
  }
  for (; place != items.end() && !(by_finished && place->finished != finished); ++place) {
    if (place->id == record.id && place->finished == finished && place->state == record.life.state) return place;
  }
  return items.end();
}

Retention::Kept Retention::Ledger::Take(std::deque<Item>::iterator item) {
  const Kept kept = item->kept();
  item->state = JobState::kQueued;
  --jobs;
  bytes -= kept.job.bytes + kJobOverheadBytes;
  while (!items.empty() && items.front().gone()) items.pop_front();
  while (!items.empty() && items.back().gone()) items.pop_back();
  if (static_cast<int64_t>(items.size()) > 2 * jobs + 64) {
    std::erase_if(items, [](const Item& each) { return each.gone(); });
  }
  return kept;
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
