#include "dispatch/listing.h"

#include <algorithm>
#include <iterator>
#include <memory>
#include <utility>

#include "dispatch/core.h"

namespace millrace::dispatch {

namespace {

constexpr JobId kFirst{}, kLast{~uint64_t{0}, ~uint64_t{0}};
// How many jobs are looked at before others have the lock, and are read at a time.
constexpr size_t kStep = 256;
// A job that is retried while the ended are read is in neither half: they are read again, so often at most.
constexpr int kTries = 8;

Filter::Subject SubjectOf(const JobEntry& job) MR_IN_TURN {
  return {.pool = job.pool->name(),
          .kind = job.kind->name,
          .band = job.band,
          .state = job.visible_state(),
          .labels = job.hot ? &job.record().spec->labels.map() : nullptr,
          .created = job.created,
          .labels_unknown = !job.hot && job.labelled};
}

Filter::Subject SubjectOf(const JobRecord& record) {
  const JobSpec& spec = *record.spec;
  return {spec.pool, spec.kind, spec.band, record.life.state, &spec.labels.map(), record.created};
}

bool AnyState(const Filter& filter, bool terminal) {
  for (int state = 0; state < kJobStates; ++state) {
    const auto each = static_cast<JobState>(state);
    if (IsTerminal(each) == terminal && filter.Allows(each)) return true;
  }
  return false;
}

}  // namespace

Status GoneStatus() { return Cancelled("CALL_CANCELLED", "the client cancelled the call or went away"); }

Listing::Listing(Core& core, const ListQuery& query)
    : core_(core),
      query_(query),
      wants_ended_(AnyState(query.filter, /*terminal=*/true)),
      end_(query.newest_first ? kFirst : kLast),
      at_(query.after.value_or(query.newest_first ? kLast : kFirst)) {}

std::vector<Listing::Found> Listing::FindLiving(size_t limit, JobId* last) {
  std::vector<Found> found;
  *last = at_;
  Turn turn(core_);
  for (size_t step = 0; step < kStep && found.size() < limit; ++step) {
    const std::shared_ptr<JobEntry>* next =
        query_.newest_first ? core_.table.LastBefore(*last) : core_.table.FirstAfter(*last);
    if (next == nullptr) {
      *last = end_;
      break;
    }
    const JobEntry& job = **next;
    *last = job.id;
    if (job.hidden || !query_.filter.Matches(SubjectOf(job))) continue;
    Found& one = found.emplace_back(Found{.id = job.id});
    if (job.hot && !(query_.full && PayloadLeftOut(job.hot->visible()))) one.job = SnapshotOf(*job.hot, query_.full);
    one.check_labels = !job.hot && job.labelled && query_.filter.uses_labels();
  }
  return found;
}

Status Listing::CheckLabels(std::vector<Found>* found) {
  Status status;
  std::erase_if(*found, [&](const Found& each) {
    if (!each.check_labels || !status.ok()) return false;
    const Result<std::shared_ptr<const JobRecord>> read = core_.journal.Read(each.id, Journal::Part::kBasic);
    if (read.ok()) return !query_.filter.MatchesLabels((*read)->spec->labels.map());
    // Gone meanwhile: if it ended, it is found among the ended.
    if (read.status().code() != StatusCode::kNotFound) status = read.status();
    return true;
  });
  return status;
}

void Listing::CheckEnded(std::vector<std::shared_ptr<const JobRecord>>* ended, std::vector<Found>* revived,
                         uint64_t* revivals) {
  Turn turn(core_);
  std::erase_if(*ended, [&](const std::shared_ptr<const JobRecord>& record) MR_IN_TURN {
    if (core_.retention.Contains(*record)) return false;
    const JobEntry* job = core_.table.Find(record->id);
    if (job != nullptr && query_.filter.Matches(SubjectOf(*job)) &&
        query_.filter.MatchesLabels(record->spec->labels.map())) {
      revived->push_back({.id = job->id});
    }
    return true;
  });
  *revivals = core_.revivals;
}

Result<std::vector<Listing::Found>> Listing::Next(size_t limit) {
  std::vector<Found> found;
  while (found.empty() && !over_) {
    if (query_.gone && query_.gone()) return GoneStatus();
    JobId last;
    std::vector<std::shared_ptr<const JobRecord>> ended;
    for (int i = 0; i < kTries; ++i) {
      uint64_t before, after;
      {
        Turn turn(core_);
        before = core_.revivals;
      }
      // First those in the table: who ends after that is found among the ended.
      found = FindLiving(limit, &last);
      MR_RETURN_IF_ERROR(CheckLabels(&found));
      ended.clear();
      if (wants_ended_) {
        auto read = core_.journal.ReadEnded({.after = at_, .last = last, .limit = kStep});
        if (!read.ok()) return read.status();
        ended = *std::move(read);
      }
      if (ended.size() == kStep) {  // Further on there may be more of them.
        last = ended.back()->id;
        std::erase_if(found, [&](const Found& each) { return Before(last, each.id); });
      }
      CheckEnded(&ended, &found, &after);
      if (before == after) break;
    }
    for (const std::shared_ptr<const JobRecord>& record : ended) {
      if (!query_.filter.Matches(SubjectOf(*record))) continue;
      Found& one = found.emplace_back(Found{.id = record->id});
      if (!query_.full) one.job = SnapshotOf(*record, /*full=*/false);
    }
    // A job that ended in between is there twice: the later view comes second and stays.
    std::stable_sort(found.begin(), found.end(), [&](const Found& a, const Found& b) { return Before(a.id, b.id); });
    auto same = [](const Found& a, const Found& b) { return a.id == b.id; };
    found.erase(found.begin(), std::unique(found.rbegin(), found.rend(), same).base());
    if (found.size() > limit) {
      found.erase(found.begin() + static_cast<ptrdiff_t>(limit), found.end());
      last = found.back().id;
    }
    at_ = last;
    over_ = last == end_;
  }
  return found;
}

}  // namespace millrace::dispatch
