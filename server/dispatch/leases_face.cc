// What workers in other processes say, and what they are told.
#include <algorithm>
#include <utility>

#include "dispatch/core.h"
#include "dispatch/lease_offer.h"
#include "dispatch/leases.h"
#include "dispatch/turn.h"
#include "dispatch/visit.h"

namespace millrace::dispatch {

Status LeaseLost(const LeaseRef& ref) {
  return FailedPrecondition("LEASE_LOST", "attempt " + std::to_string(ref.claim.attempt) + " of job " +
                                              ref.job.ToString() +
                                              " is not this worker's any more: it was given up before, or has ended")
      .With("job", ref.job.ToString())
      .With("attempt", ref.claim.attempt);
}

LeaseOptions Leases::Options() const { return core_.options().leases; }

size_t Leases::ResultBytesMax() const { return core_.options().result_bytes_max; }

// ---- A worker comes and goes ----------------------------------------------------------------------------------------

Result<Leases::Entered> Leases::Enter(const WorkerOffer& offer, std::shared_ptr<WorkerDoor> door) {
  MR_RETURN_IF_ERROR(CheckOffer(offer));
  auto holder = std::make_shared<LeaseHolder>(*this);
  holder->worker = offer.worker;
  holder->key = offer.key;
  holder->sdk = offer.sdk;
  holder->build_id = offer.build_id;
  holder->reads_payloads = offer.reads_payloads;
  holder->slots = offer.slots;
  holder->labels = LabelsOf(offer);
  std::vector<Taker::Kind> kinds;
  kinds.reserve(offer.kinds.size());
  for (const KindOffer& kind : offer.kinds) kinds.push_back({.name = kind.name, .slots = kind.slots});
  holder->taker = Taker(std::move(kinds), holder->labels);
  holder->offered.reserve(offer.kinds.size());
  Turn turn(core_);
  if (core_.draining) return Admission::ShuttingDown();
  const std::vector<PoolTable::Row>& pools = core_.pools.All();
  if (std::none_of(pools.begin(), pools.end(), [](const auto& row) MR_IN_TURN { return row.pool->leased; })) {
    return FailedPrecondition("NO_REMOTE_POOL",
                              "no pool is run by workers in other processes; add to the configuration: [pool.remote] "
                              "runner = \"remote\"");
  }
  holder->door = std::move(door);
  holder->alive_until = turn.mono() + core_.options().leases.lease;
  holder->connected = holder->heard = turn.wall();
  for (const KindOffer& each : offer.kinds) {
    KindHolders& kind = kinds_[each.name];
    kind.name = each.name;
    holder->beats = holder->beats || each.beat_within;
    kind.costly = kind.costly || each.slots > 1;
    OfferedKind& offered = holder->offered.emplace_back();
    offered.holder = holder.get();
    offered.kind = &kind;
    offered.offer = each;
    kind.all.push_back(&offered);
  }
  holder->id = core_.ids.Next();
  Entered entered{.holder = holder, .kept = {}, .lost = {}, .worker_id = {}};
  Adopt(*holder, offer, &entered, turn);
  entered.worker_id = holder->id;
  holders_.push_back(holder);
  CountWorkers(turn);
  core_.SetBy(*holder, holder->alive_until, turn);
  return entered;
}

void Leases::Adopt(LeaseHolder& holder, const WorkerOffer& offer, Entered* entered, Turn& turn) {
  std::shared_ptr<LeaseHolder> before;
  for (const std::shared_ptr<LeaseHolder>& each : holders_) {
    if (each->key == offer.key) before = each;
  }
  if (auto away = drained_away_.find(offer.key); away != drained_away_.end()) {
    holder.id = away->second;
    holder.drained = true;
    holder.news.drained = true;
    drained_away_.erase(away);
  }
  for (const HeldLease& held : offer.held) {
    LeaseSlot* const slot = Find(held.ref);
    // Another process that claims it has guessed its token, and so has whoever was not told of it.
    if (slot == nullptr || !slot->told || (slot->holder != before.get() && slot->holder != recovered_.get())) {
      if (!held.finished) entered->lost.push_back(held.ref);
      continue;
    }
    Detach(*slot);
    slot->accepted = true;
    Attach(*slot, holder, holder.Offered(slot->job->kind->name));
    slot->shown = turn.mono();
    if (slot->as != nullptr && slot->as->offer.beat_within) {
      core_.SetBy(holder, slot->shown + *slot->as->offer.beat_within, turn);
    }
    entered->kept.push_back(held.ref);
    if (slot->attempt.stopped() != kStopNone) {
      holder.news.stopped.push_back({held.ref, Cancelled("STOPPED", slot->attempt.stop_reason())});
    }
  }
  if (before) {
    holder.id = before->id;
    holder.attempts_given += before->attempts_given;
    holder.drained = before->drained;
    if (holder.drained) holder.news.drained = true;
    before->silent = true;  // What it gives up now does not go back to it.
    for (LeaseSlot* slot = before->first_held; slot != nullptr;) {
      LeaseSlot* const next = slot->next_held;
      LoseOrTakeBack(*slot, "worker '" + offer.worker + "' came back without it", turn);
      slot = next;
    }
    before->news = {};
    before->news.replaced = true;
    before->has_news = false;
    Tell(*before, turn);
    End(*before, turn);
  }
  if (!holder.news.empty()) Tell(holder, turn);
}

void Leases::Leave(LeaseHolder& holder, Leaving how) {
  Turn turn(core_);
  if (holder.ended) return;
  holder.door = nullptr;
  for (LeaseSlot* slot = holder.first_held; slot != nullptr;) {
    LeaseSlot* const next = slot->next_held;
    const bool known = slot->told && !slot->awaits_start && slot->job != nullptr;
    if (how == Leaving::kGoodbye && known) {
      TakeBack(*slot, "worker '" + holder.worker + "' said goodbye", turn);
    } else if (!slot->told && slot->job != nullptr && !slot->awaits_start) {
      TakeBack(*slot, "the worker left before it was told of the attempt", turn);
    }
    slot = next;
  }
  holder.news = {};
  if (core_.draining && how == Leaving::kBroken) return;  // The next life of the daemon goes on with its leases.
  // One that comes back is the same worker, with its id and an operator's drain.
  if (holder.held == 0 && how == Leaving::kGoodbye) return End(holder, turn);
  if (how == Leaving::kBroken) {
    holder.alive_until = std::min(holder.alive_until, turn.mono() + core_.options().leases.resume_grace);
  } else {
    holder.alive_until = turn.mono();
  }
  core_.SetBy(holder, holder.alive_until, turn);
  CountWorkers(turn);
}

// ---- What it says ---------------------------------------------------------------------------------------------------

LeaseSlot* Leases::Own(const LeaseHolder& holder, const LeaseRef& ref) {
  LeaseSlot* const slot = Find(ref);
  return slot != nullptr && slot->holder == &holder && slot->told ? slot : nullptr;
}

void Leases::Accept(LeaseSlot& slot) {
  slot.accepted = true;
  // Mostly it is the first one: they are accepted in the order in which they were given.
  std::deque<LeaseHolder::Given>& waiting = slot.holder->unaccepted;
  while (!waiting.empty() && (!waiting.front().is_of(*slot.holder) || waiting.front().slot->accepted))
    waiting.pop_front();
}

void Leases::Show(LeaseSlot& slot, WorkerWords::Shown&& shown, Unheard* unheard, Turn& turn) {
  slot.shown = turn.mono();
  if (shown.checkpoint) {
    Status saved = CheckCheckpoint(*shown.checkpoint);
    if (saved.ok()) {
      slot.attempt.KeepCheckpoint(std::move(*shown.checkpoint), turn);
    } else {
      unheard->other.push_back({slot.ref(), std::move(saved)});
    }
  }
  if (shown.progress) slot.attempt.ShowProgress(shown.progress->fraction, std::move(shown.progress->message), turn);
  if (!shown.log.empty()) slot.attempt.ShowLog(shown.log, turn);
}

void Leases::AckWhenCommitted(LeaseHolder& holder, const LeaseRef& ref) {
  const uint64_t part = core_.commits.number();
  if (holder.unacked.empty() || holder.unacked.back().part != part) {
    core_.commits.Then<&Leases::EndsCommitted>(holder, part);
    ++holder.commits;
  }
  holder.unacked.push_back({part, ref});
}

void Leases::EndsCommitted(Core& core, LeaseHolder& holder, uint64_t part, const Status& status, Turn& turn) {
  while (!holder.unacked.empty() && holder.unacked.front().part <= part) {
    if (status.ok() && !holder.ended) holder.news.acked.push_back(holder.unacked.front().ref);
    holder.unacked.pop_front();
  }
  if (!holder.news.acked.empty()) core.leases.Tell(holder, turn);
  --holder.commits;
  core.leases.Release(holder, turn);
}

Status Leases::Hear(LeaseHolder& holder, WorkerWords&& words, Unheard* unheard) {
  if (words.slots_granted && *words.slots_granted < 0) {
    return InvalidArgument("BAD_CREDIT",
                           "slots_granted_total is " + std::to_string(*words.slots_granted) + "; it counts up from 0")
        .Field("credit.slots_granted_total");
  }
  for (WorkerWords::Ended& ended : words.ended) {
    FinishedAttempt& finished = ended.finished;
    CheckResult(&finished.outcome);
    if (!finished.outcome.output.empty()) finished.output = MakeBytes(std::move(finished.outcome.output));
  }
  Turn turn(core_);
  if (holder.ended || holder.door == nullptr) return OkStatus();  // Its successor speaks for it.
  holder.heard_now = true;
  holder.heard = turn.wall();
  holder.alive_until = turn.mono() + core_.options().leases.lease;
  if (std::exchange(holder.silent, false)) core_.SetBy(holder, holder.alive_until, turn);
  for (const LeaseRef& ref : words.accepted) {
    if (LeaseSlot* slot = Own(holder, ref)) {
      Accept(*slot);
    } else {
      unheard->refused.push_back(ref);
    }
  }
  for (WorkerWords::Shown& shown : words.shown) {
    if (LeaseSlot* slot = Own(holder, shown.ref)) {
      Show(*slot, std::move(shown), unheard, turn);
    } else {
      unheard->refused.push_back(shown.ref);
    }
  }
  for (WorkerWords::Ended& ended : words.ended) {
    LeaseSlot* const slot = Own(holder, ended.ref);
    if (slot == nullptr) {
      unheard->ended.push_back(ended.ref);
      continue;
    }
    FinishByWorker(*slot, std::move(ended.finished), turn);
    AckWhenCommitted(holder, ended.ref);
  }
  for (const LeaseRef& ref : words.released) {
    if (LeaseSlot* slot = Own(holder, ref)) {
      TakeBack(*slot, "worker '" + holder.worker + "' gave it back", turn);
    } else {
      unheard->refused.push_back(ref);
    }
  }
  if (words.slots_granted) holder.granted = std::max(holder.granted, *words.slots_granted);
  if (words.draining && !std::exchange(holder.draining, true)) CountWorkers(turn);
  if (words.held) HearHeld(holder, *words.held, turn);
  holder.heard_now = false;
  Serve(holder, turn);
  return OkStatus();
}

void Leases::HearHeld(LeaseHolder& holder, const std::vector<LeaseRef>& held, Turn& turn) {
  std::vector<uint64_t> unacked;
  for (const LeaseHolder::Unacked& each : holder.unacked) unacked.push_back(each.ref.claim.token);
  std::sort(unacked.begin(), unacked.end());
  std::vector<LeaseSlot*> named;
  for (const LeaseRef& ref : held) {
    LeaseSlot* const slot = Own(holder, ref);
    if (slot != nullptr) {
      Accept(*slot);
      named.push_back(slot);
    } else if (!std::binary_search(unacked.begin(), unacked.end(), ref.claim.token)) {
      holder.news.unknown.push_back(ref);
    }
  }
  std::sort(named.begin(), named.end());
  for (LeaseSlot* slot = holder.first_held; slot != nullptr;) {
    LeaseSlot* const next = slot->next_held;
    // What it has not accepted may be on its way.
    if (slot->accepted && !std::binary_search(named.begin(), named.end(), slot)) {
      Lose(*slot, "worker '" + holder.worker + "' does not know of it any more", turn);
    }
    slot = next;
  }
  if (!holder.news.unknown.empty()) Tell(holder, turn);
}

bool Leases::AckAgain(LeaseHolder& holder, const LeaseRef& ref) {
  bool found = false;
  const auto look = [&](const JobRecord& record) MR_IN_TURN {
    found = EndedByWorker(record, ref);
    if (found && !holder.ended) AckWhenCommitted(holder, ref);
    return OkStatus();
  };
  Status status = Visit(
      core_, ref.job, Journal::Part::kBasic, [&](JobEntry& job, Turn&) MR_IN_TURN { return look(job.record()); },
      [&](const std::shared_ptr<const JobRecord>& record, Turn&) MR_IN_TURN { return look(*record); });
  if (status.ok() && found) return true;
  Turn turn(core_);
  ++late_results_;
  return false;
}

// ---- What it is told ------------------------------------------------------------------------------------------------

void Leases::RefuseLarge(LeaseSlot& slot, Turn& turn) {
  Finish(slot,
         {.outcome = AttemptOutcome::Failed(
              "the payload has " + std::to_string(slot.job->record().payload_bytes) +
              " bytes, and the library of worker '" + slot.holder->worker +
              "' does not read such a one apart (capability payload_ref); use a newer one, or send a reference"),
          .output = {},
          .timings = {}},
         turn);
}

void Leases::TakeNews(LeaseHolder& holder, WorkerNews* news) {
  Turn turn(core_);
  holder.has_news = false;
  std::swap(*news, holder.news);
  if (holder.ended) return;
  std::vector<LeaseHolder::Given> untold;
  untold.swap(holder.untold);
  for (const LeaseHolder::Given& given : untold) {
    if (!given.is_of(holder)) continue;
    LeaseSlot* const slot = given.slot;
    if (slot->attempt.stop_requested()) {
      Lose(*slot, "stopped before it began", turn);
      continue;
    }
    const JobRecord& record = slot->job->record();
    const bool apart = record.payload_bytes > static_cast<int64_t>(kLeaseInlineBytes) && holder.reads_payloads;
    if (!apart && record.payload_bytes > static_cast<int64_t>(kLeasePayloadBytesMax)) {
      RefuseLarge(*slot, turn);
      continue;
    }
    slot->told = true;
    slot->shown = turn.mono();
    if (apart) slot->shown += TimeToCarry(record.payload_bytes);
    if (slot->as != nullptr && slot->as->offer.beat_within) {
      core_.SetBy(holder, slot->shown + *slot->as->offer.beat_within, turn);
    }
    slot->attempt.set_begun();  // From here on nobody knows whether something of it has begun.
    news->given.push_back(
        {.ref = slot->ref(),
         .spec = record.spec,
         .run_timeout = record.spec->run_timeout ? record.spec->run_timeout : slot->job->kind->run_timeout,
         .losses = record.losses,
         .checkpoint = record.checkpoint,
         .payload_apart = apart ? record.payload_bytes : 0});
  }
}

}  // namespace millrace::dispatch
