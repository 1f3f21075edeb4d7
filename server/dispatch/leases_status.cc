// Workers in other processes as others see them: lists, and why a job waits for them.
#include <algorithm>
#include <string>
#include <utility>

#include "base/check.h"
#include "dispatch/core.h"
#include "dispatch/leases.h"
#include "dispatch/turn.h"

namespace millrace::dispatch {

WorkerStatus Leases::StatusOf(const LeaseHolder& holder, bool with_held) const {
  WorkerStatus status{.id = holder.id,
                      .name = holder.worker,
                      .sdk = holder.sdk,
                      .build_id = holder.build_id,
                      .labels = holder.labels,
                      .kinds = {},
                      .slots = holder.slots,
                      .slots_used = holder.held,
                      .connected = holder.connected,
                      .heard = holder.heard,
                      .attempts_given = holder.attempts_given,
                      .held = {}};
  status.state = holder.door == nullptr   ? WorkerState::kAway
                 : holder.silent          ? WorkerState::kSilent
                 : holder.takes_no_more() ? WorkerState::kDraining
                                          : WorkerState::kConnected;
  for (const OfferedKind& each : holder.offered) status.kinds.push_back(each.offer);
  if (!with_held) return status;
  for (const LeaseSlot* slot = holder.first_held; slot != nullptr; slot = slot->next_held) {
    if (slot->job == nullptr || !slot->told) continue;  // It does not know of it yet.
    const JobRecord& record = slot->job->record();
    status.held.push_back({.job = slot->job->id,
                           .kind = slot->job->kind->name,
                           .attempt = slot->attempt.claim().attempt,
                           .start = record.history.empty() ? WallTime{} : record.history.back().start,
                           .accepted = slot->accepted});
  }
  std::sort(status.held.begin(), status.held.end(), [](const auto& a, const auto& b) { return a.start < b.start; });
  return status;
}

WorkersPage Leases::Workers(const WorkersQuery& query) const {
  Turn turn(core_);
  std::vector<const LeaseHolder*> found;
  for (const std::shared_ptr<LeaseHolder>& holder : holders_) {
    if (query.after && !(*query.after < holder->id)) continue;
    if (!query.kind.empty() && holder->Offered(query.kind) == nullptr) continue;
    found.push_back(holder.get());
  }
  const size_t count = std::min(query.limit, found.size());
  const auto earlier = [](const LeaseHolder* a, const LeaseHolder* b) { return a->id < b->id; };
  std::partial_sort(found.begin(), found.begin() + static_cast<ptrdiff_t>(count), found.end(), earlier);
  WorkersPage page{.workers = {}, .more = found.size() > count};
  for (size_t i = 0; i < count; ++i) page.workers.push_back(StatusOf(*found[i], /*with_held=*/false));
  return page;
}

Result<LeaseHolder*> Leases::FindHolder(std::string_view worker) const {
  LeaseHolder* found = nullptr;
  const std::optional<Id> id = Id::Parse(worker);
  for (const std::shared_ptr<LeaseHolder>& holder : holders_) {
    if (id && holder->id == *id) return holder.get();
    if (holder->worker != worker) continue;
    if (found != nullptr) {
      return FailedPrecondition("AMBIGUOUS_WORKER", "several workers are called '" + std::string(worker) +
                                                        "'; give an id: millrace workers list")
          .Field("worker");
    }
    found = holder.get();
  }
  if (found != nullptr) return found;
  return NotFound("UNKNOWN_WORKER", "no worker is called '" + std::string(worker) +
                                        "' or has this id; those that are there: millrace workers list")
      .Field("worker");
}

Result<WorkerStatus> Leases::GetWorker(std::string_view worker) const {
  Turn turn(core_);
  Result<LeaseHolder*> holder = FindHolder(worker);
  if (!holder.ok()) return holder.status();
  return StatusOf(**holder, /*with_held=*/true);
}

Result<WorkerStatus> Leases::SetDrained(std::string_view worker, bool drained) {
  Turn turn(core_);
  Result<LeaseHolder*> found = FindHolder(worker);
  if (!found.ok()) return found.status();
  LeaseHolder& holder = **found;
  if (std::exchange(holder.drained, drained) != drained) {
    holder.news.drained = drained;
    Tell(holder, turn);
    CountWorkers(turn);
    if (!drained) Serve(holder, turn);
  }
  return StatusOf(holder, /*with_held=*/true);
}

Waiting Leases::WhyInLine(const JobEntry& job) const {
  using enum Waiting::Reason;
  const std::string name = "'" + job.kind->name + "'";
  auto kind = kinds_.find(job.kind->name);
  if (kind == kinds_.end()) {
    return {.reason = kNoWorker, .message = "no worker that is connected offers the kind " + name};
  }
  int with_labels = 0, taking = 0;
  int64_t slots = 0, used = 0;
  for (const OfferedKind* each : kind->second.all) {
    const LeaseHolder& holder = *each->holder;
    if (job.ties != nullptr && !holder.taker.Has(job.ties->require)) continue;
    ++with_labels;
    if (holder.door == nullptr || holder.silent || holder.takes_no_more()) continue;
    ++taking;
    slots += holder.slots;
    used += holder.held;
  }
  const std::string offer = "workers that offer the kind " + name + ": " + std::to_string(kind->second.all.size());
  if (with_labels == 0) {
    std::string labels;
    for (const auto& [label, value] : job.ties->require) {
      labels += (labels.empty() ? "" : ", ") + label + "=" + value;
    }
    return {.reason = kNoLabels, .message = offer + ", and none of them has the labels that it requires: " + labels};
  }
  if (taking == 0) {
    return {.reason = kNoWorker, .message = offer + ", and those that could run it are draining or away"};
  }
  return {.reason = kNoSlot,
          .message = "the workers that could run it (" + std::to_string(taking) +
                     ") have no room for it: " + std::to_string(used) + " of " + std::to_string(slots) +
                     " slots are taken; others may be kept for a larger job, or not granted"};
}

void Leases::CheckInvariants() const {
  int savers = 0;
  for (const std::shared_ptr<LeaseHolder>& holder : holders_) {
    int64_t held = 0;
    std::vector<int> running(holder->offered.size());
    for (const LeaseSlot* slot = holder->first_held; slot != nullptr; slot = slot->next_held) {
      MR_CHECK(slot->holder == holder.get(), "a slot is held by another worker than it says");
      held += slot->takes;
      if (slot->as != nullptr) ++running[static_cast<size_t>(slot->as - holder->offered.data())];
    }
    MR_CHECK(held == holder->held, "worker '%s' counts %lld slots that are taken and has %lld", holder->worker.c_str(),
             static_cast<long long>(holder->held), static_cast<long long>(held));
    savers += holder->saves;
    for (size_t i = 0; i < running.size(); ++i) {
      const OfferedKind& offered = holder->offered[i];
      MR_CHECK(offered.running == running[i], "worker '%s' counts %d attempts of kind '%s' and has %d",
               holder->worker.c_str(), offered.running, offered.offer.name.c_str(), running[i]);
      MR_CHECK(offered.listed || holder->heard_now || !offered.may_take(),
               "worker '%s' could run kind '%s', and nobody would find it", holder->worker.c_str(),
               offered.offer.name.c_str());
    }
  }
  MR_CHECK(savers == savers_, "%d workers save their slots, and %d are counted", savers, savers_);
}

}  // namespace millrace::dispatch
