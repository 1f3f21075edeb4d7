// How leases move; leases_placement.cc has who gets which job, leases_face.cc what workers say and are told.
#include "dispatch/leases.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/units.h"
#include "dispatch/core.h"
#include "dispatch/pool.h"
#include "dispatch/turn.h"
#include "sync/wait_group.h"

namespace millrace::dispatch {

// The fibers that read jobs for slots.
struct Leases::Readers {
  sync::WaitGroup all;
};

Leases::Leases(Core& core)
    : core_(core), recovered_(std::make_shared<LeaseHolder>(*this)), readers_(std::make_unique<Readers>()) {}

Leases::~Leases() = default;

void LeaseHolder::OnDue(Turn& turn) { leases.OnDue(*this, turn); }

void LeaseSlot::Wake() {
  // Read first: the slot may be used again once the fiber has begun.
  Core& owner = core;
  owner.leases.StartReader(*this);
}

// ---- Slots ----------------------------------------------------------------------------------------------------------

LeaseSlot& Leases::TakeSlot(Pool& pool, LeaseHolder& holder, OfferedKind* as) {
  std::vector<LeaseSlot*>& free = free_slots_[&pool];
  LeaseSlot* slot;
  if (free.empty()) {
    slot = &slots_.emplace_back(core_, pool);
  } else {
    slot = free.back();
    free.pop_back();
  }
  slot->name = holder.worker;
  slot->told = slot->accepted = slot->reading = false;
  slot->waits = true;
  Attach(*slot, holder, as);
  holder.given += slot->takes;
  ++holder.attempts_given;
  return *slot;
}

void Leases::Attach(LeaseSlot& slot, LeaseHolder& holder, OfferedKind* as) {
  slot.holder = &holder;
  slot.as = as;
  slot.takes = as != nullptr ? as->offer.slots : 1;
  if (as != nullptr) ++as->running;
  slot.previous_held = nullptr;
  slot.next_held = std::exchange(holder.first_held, &slot);
  if (slot.next_held != nullptr) slot.next_held->previous_held = &slot;
  holder.held += slot.takes;
}

void Leases::Detach(LeaseSlot& slot) {
  LeaseHolder& holder = *std::exchange(slot.holder, nullptr);
  if (slot.as != nullptr) --std::exchange(slot.as, nullptr)->running;
  (slot.previous_held != nullptr ? slot.previous_held->next_held : holder.first_held) = slot.next_held;
  if (slot.next_held != nullptr) slot.next_held->previous_held = slot.previous_held;
  holder.held -= slot.takes;
}

void Leases::PutSlot(LeaseSlot& slot) {
  LeaseHolder& holder = *slot.holder;
  holder.given -= slot.takes;
  --holder.attempts_given;
  Detach(slot);
  free_slots_[&slot.pool].push_back(&slot);
  List(holder);
}

void Leases::DropSlot(LeaseSlot& slot, Turn& turn) {
  LeaseHolder& holder = *slot.holder;
  slot.attempt.LetGo(turn);
  PutSlot(slot);
  if (holder.ended) return Release(holder, turn);
  if (!holder.heard_now) Serve(holder, turn);
}

// ---- A lease is given -----------------------------------------------------------------------------------------------

void Leases::Started(LeaseSlot& slot, Turn& turn) {
  LeaseHolder& holder = *slot.holder;
  JobEntry& job = *slot.job;
  if (Core::TooLate(job, turn)) {
    slot.attempt.RequestStop(kStopDeadline, DeadlineExceeded("DEADLINE", Core::kTooLate));
  }
  if (slot.attempt.stop_requested()) return Lose(slot, "stopped before it began", turn);  // Its cause decides.
  core_.ArmRunTimeout(job, Nanos(0), turn);
  if (holder.door == nullptr) return TakeBack(slot, "the worker left before it was told of the attempt", turn);
  if (holder.reads_payloads) core_.LeaveOutPayload(job, turn);
  const LeaseHolder::Given given{&slot, slot.attempt.claim().token};
  holder.untold.push_back(given);
  slot.accept_by = turn.mono() + core_.options().leases.accept_within;
  holder.unaccepted.push_back(given);
  core_.SetBy(holder, slot.accept_by, turn);
  Tell(holder, turn);
}

void Leases::Tell(LeaseHolder& holder, Turn& turn) {
  if (holder.door != nullptr && !std::exchange(holder.has_news, true)) turn.Tell(holder.door);
}

void Leases::ExpectReader() { readers_->all.Add(1); }

void Leases::StartReader(LeaseSlot& slot) {
  core_.runtime.Go({.name = "lease reader"}, [this, &slot] {
    ReadAndStart(slot);
    readers_->all.Done();
  });
}

void Leases::ReadAndStart(LeaseSlot& slot) {
  for (;;) {
    const ColdJob mine = *std::exchange(slot.cold, std::nullopt);
    Result<std::shared_ptr<HotJob>> read = core_.ReadHot(mine.id);
    Turn turn(core_);
    slot.waits = true;
    LeaseHolder& holder = *slot.holder;
    if (holder.ended || holder.door == nullptr) {
      core_.PutBackAside(mine.id, turn);
      PutSlot(slot);
      return Release(holder, turn);
    }
    const bool rest = !core_.StartCold(mine, &read, slot, turn);
    if (slot.job != nullptr) return turn.Wake(&slot);  // Or the commit of its start does.
    if (slot.cold) continue;
    PutSlot(slot);
    if (!rest) Serve(holder, turn);
    return Release(holder, turn);
  }
}

void Leases::AwaitReaders() { readers_->all.Wait(); }

// ---- A lease ends ---------------------------------------------------------------------------------------------------

LeaseSlot* Leases::Find(const LeaseRef& ref) {
  JobEntry* job = core_.table.Find(ref.job);
  if (job == nullptr || job->state() != JobState::kRunning || job->life.claim != ref.claim) return nullptr;
  Slot& slot = job->hot->attempt->slot();
  return slot.leased ? static_cast<LeaseSlot*>(&slot) : nullptr;
}

void Leases::Finish(LeaseSlot& slot, FinishedAttempt&& finished, Turn& turn) {
  const Claim claim = slot.attempt.claim();
  Status status = core_.Finish(*slot.job, claim, std::move(finished), turn);
  MR_CHECK(status.ok(), "%s", status.ToString().c_str());
  LeaseHolder& holder = *slot.holder;
  if (!slot.told) {
    holder.given -= slot.takes;
    --holder.attempts_given;
  }
  Detach(slot);
  slot.attempt.LetGo(turn);
  free_slots_[&slot.pool].push_back(&slot);
  if (holder.ended) return Release(holder, turn);
  if (!holder.heard_now) Serve(holder, turn);
}

void Leases::TakeBack(LeaseSlot& slot, const std::string& why, Turn& turn) {
  slot.attempt.RequestStop(kStopRelease, Cancelled("TAKEN_BACK", why));
  Finish(slot, {.outcome = AttemptOutcome::Failed(why), .output = {}, .timings = {}}, turn);
}

void Leases::Lose(LeaseSlot& slot, const std::string& why, Turn& turn) {
  AttemptOutcome lost = AttemptOutcome::Failed(why);
  lost.result = AttemptResult::kLost;
  const Nanos ran = turn.mono() - slot.attempt.started();
  Finish(slot, {.outcome = std::move(lost), .output = {}, .timings = {.run = ran, .blocked_outside = ran}}, turn);
}

void Leases::LoseOrTakeBack(LeaseSlot& slot, const std::string& why, Turn& turn) {
  if (slot.job == nullptr) return;  // Its reader sees to it.
  if (slot.awaits_start) return;    // Started will see that its holder is gone.
  if (slot.accepted) return Lose(slot, why, turn);
  TakeBack(slot, why, turn);
}

void Leases::StopAsked(LeaseSlot& slot, const Status& why, Turn& turn) {
  if (!slot.told) return;  // Started sees it, or TakeNews.
  core_.ArmGiveUp(*slot.job, core_.options().leases.finish_within, turn);
  slot.holder->news.stopped.push_back({slot.ref(), why});
  Tell(*slot.holder, turn);
}

void Leases::GiveUp(LeaseSlot& slot, Turn& turn) {
  LeaseHolder& holder = *slot.holder;
  holder.news.revoked.push_back(
      {slot.ref(), DeadlineExceeded("GIVEN_UP", "the attempt was asked to stop and did not")});
  Tell(holder, turn);
  Lose(slot, "the worker did not stop the attempt in time", turn);
}

void Leases::Recover(JobEntry& job, Turn& turn) {
  LeaseHolder& holder = *recovered_;
  LeaseSlot& slot = TakeSlot(*job.pool, holder, nullptr);
  slot.told = slot.accepted = true;
  slot.job = &job;
  slot.attempt.Begin(job, turn.mono());
  slot.attempt.set_begun();
  job.hot->attempt = &slot.attempt;
  job.pool->SetBusy(job.pool->workers_busy + 1, turn.mono());
  holder.alive_until = turn.mono() + core_.options().leases.lease;
  core_.SetBy(holder, holder.alive_until, turn);
  const JobRecord& record = job.record();
  const Nanos ran = record.history.empty() ? Nanos(0) : Nanos(turn.wall() - record.history.back().start);
  core_.ArmRunTimeout(job, std::max(ran, Nanos(0)), turn);
  if (record.cancel_requested) {
    core_.StopAttempt(job, kStopCancel, Cancelled("CANCELLED", "cancelled, before the daemon was started anew"), turn);
  }
}

void Leases::OnDue(LeaseHolder& holder, Turn& turn) {
  // The next life of the daemon goes on with them.
  if (core_.draining) return;
  constexpr Nanos kLookAgain = std::chrono::seconds(1);
  if (core_.journal.Failing()) return core_.SetBy(holder, turn.mono() + kLookAgain, turn);
  if (holder.alive_until <= turn.mono()) {
    const std::string why = &holder == recovered_.get() ? "no worker came back for it after the daemon was started anew"
                            : holder.door == nullptr
                                ? "worker '" + holder.worker + "' lost its connection and did not come back in time"
                                : "worker '" + holder.worker + "' was silent for longer than its lease";
    holder.silent = true;
    int steps = 64;  // Others wait for the lock.
    for (LeaseSlot* slot = holder.first_held; slot != nullptr && steps > 0;) {
      LeaseSlot* const next = slot->next_held;
      // Some are not to be had just now: their start is being committed, or they are being read.
      if (slot->job != nullptr && !slot->awaits_start) {
        if (holder.door != nullptr && slot->told) holder.news.unknown.push_back(slot->ref());
        LoseOrTakeBack(*slot, why, turn);
        --steps;
      }
      slot = next;
    }
    if (!holder.news.unknown.empty()) Tell(holder, turn);
    if (steps == 0) return core_.SetBy(holder, turn.mono(), turn);
    if (holder.door == nullptr && holder.held == 0 && &holder != recovered_.get()) return End(holder, turn);
    if (holder.held > 0) core_.SetBy(holder, turn.mono() + kLookAgain, turn);
    return;
  }
  while (!holder.unaccepted.empty()) {
    const LeaseHolder::Given given = holder.unaccepted.front();
    const bool waits = given.is_of(holder) && !given.slot->accepted;
    if (waits && given.slot->accept_by > turn.mono()) break;
    holder.unaccepted.pop_front();
    if (!waits) continue;
    LeaseSlot& slot = *given.slot;
    if (slot.told) {
      holder.news.revoked.push_back(
          {slot.ref(), DeadlineExceeded("NOT_ACCEPTED", "the worker did not say in time that it has the attempt")});
      Tell(holder, turn);
    }
    TakeBack(slot, "worker '" + holder.worker + "' did not accept the attempt in time", turn);
  }
  MonoTime next = holder.unaccepted.empty() ? holder.alive_until : holder.unaccepted.front().slot->accept_by;
  if (holder.beats) next = std::min(next, StopSilent(holder, turn));
  core_.SetBy(holder, std::min(holder.alive_until, next), turn);
}

MonoTime Leases::StopSilent(LeaseHolder& holder, Turn& turn) {
  MonoTime next = MonoTime::max();
  for (LeaseSlot* slot = holder.first_held; slot != nullptr; slot = slot->next_held) {
    if (slot->as == nullptr || !slot->as->offer.beat_within || !slot->told || slot->attempt.stopped() != kStopNone) {
      continue;
    }
    const Nanos within = *slot->as->offer.beat_within;
    if (slot->shown + within > turn.mono()) {
      next = std::min(next, slot->shown + within);
      continue;
    }
    core_.StopAttempt(
        *slot->job, kStopTimeout,
        DeadlineExceeded(
            "NO_BEAT", "nothing was heard of the attempt for longer than its beat_within of " + FormatDuration(within)),
        turn);
  }
  // One that is to be heard of every millisecond costs no look at all of them for each.
  constexpr Nanos kLookLeast = std::chrono::milliseconds(100);
  return next == MonoTime::max() ? next : std::max(next, turn.mono() + kLookLeast);
}

// ---- Holders --------------------------------------------------------------------------------------------------------

void Leases::End(LeaseHolder& holder, Turn& turn) {
  if (std::exchange(holder.ended, true)) return;
  core_.alarms.Disarm(&holder);
  holder.door = nullptr;
  SetSaves(holder, false);
  // With more of them somebody drains what never comes back.
  constexpr size_t kDrainedAwayMax = 10'000;
  if (holder.drained && !holder.news.replaced && drained_away_.size() < kDrainedAwayMax) {
    drained_away_[holder.key] = holder.id;
  }
  for (LeaseSlot* slot = holder.first_held; slot != nullptr; slot = slot->next_held) slot->as = nullptr;
  for (OfferedKind& offered : holder.offered) {
    if (offered.listed) std::erase(offered.kind->free, &offered);
    std::erase(offered.kind->all, &offered);
    if (offered.kind->all.empty()) kinds_.erase(kinds_.find(offered.kind->name));
  }
  holder.offered.clear();
  // Its last slots may be with their readers, which look at it once more.
  auto mine = std::find_if(holders_.begin(), holders_.end(), [&](const auto& each) { return each.get() == &holder; });
  if (mine == holders_.end()) return;
  holder.self = std::move(*mine);
  holders_.erase(mine);
  CountWorkers(turn);
  Release(holder, turn);
}

void Leases::Release(LeaseHolder& holder, Turn& turn) {
  if (holder.ended && holder.held == 0 && holder.commits == 0) turn.Free(std::move(holder.self));
}

void Leases::CountWorkers(Turn& turn) {
  int64_t slots = 0;
  for (const std::shared_ptr<LeaseHolder>& holder : holders_) {
    if (holder->door != nullptr && !holder->takes_no_more()) slots += holder->slots;
  }
  for (const auto& [name, pool] : core_.pools.All()) {
    if (pool->leased) pool->SetWorkersWanted(static_cast<int>(std::min<int64_t>(slots, 1'000'000)), turn.mono());
  }
}

int64_t Leases::workers() const {
  return std::count_if(holders_.begin(), holders_.end(), [](const auto& each) { return each->door != nullptr; });
}

}  // namespace millrace::dispatch
