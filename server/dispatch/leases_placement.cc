// Placement of leases: a job that becomes ready looks for a worker, a worker with free slots for a job.
#include <algorithm>

#include "dispatch/core.h"
#include "dispatch/leases.h"
#include "dispatch/pool.h"
#include "dispatch/turn.h"

namespace millrace::dispatch {

bool Core::LacksPayload(const JobEntry&, const Slot& slot) {
  return !slot.leased || !static_cast<const LeaseSlot&>(slot).holder->reads_payloads;
}

// ---- A job looks for a worker

LeaseSlot* Leases::SlotFor(const JobEntry& job, bool save) {
  Pool& pool = *job.pool;
  if (!pool.may_take() || pool.missing) return nullptr;
  auto kind = kinds_.find(job.kind->name);
  if (kind == kinds_.end()) return nullptr;
  OfferedKind* const chosen = Choose(kind->second, job);
  if (chosen != nullptr) return &TakeSlot(pool, *chosen->holder, chosen);
  if (save && kind->second.costly) SaveFor(kind->second, job);
  return nullptr;
}

void Leases::SaveFor(KindHolders& kind, const JobEntry& job) {
  for (OfferedKind* each : kind.all) {
    LeaseHolder& holder = *each->holder;
    const int64_t free = holder.free_slots();
    const bool room = each->offer.at_once_max == 0 || each->running < each->offer.at_once_max;
    if (free <= 0 || free >= each->offer.slots || !room) continue;
    if (job.ties == nullptr || holder.taker.Has(job.ties->require)) SetSaves(holder, true);
  }
}

OfferedKind* Leases::Choose(KindHolders& kind, const JobEntry& job) {
  static const LabelSet kNone;
  const LabelSet& prefer = job.hot != nullptr ? job.record().spec->placement.prefer : kNone;
  if (!prefer.empty()) {
    if (OfferedKind* preferred = TakeFree(kind, job, prefer)) return preferred;
  }
  return TakeFree(kind, job, kNone);
}

OfferedKind* Leases::TakeFree(KindHolders& kind, const JobEntry& job, const LabelSet& prefer) {
  std::deque<OfferedKind*>& free = kind.free;
  while (!free.empty() && !free.front()->may_take()) {
    free.front()->listed = false;
    free.pop_front();
  }
  const auto fits = [&](const OfferedKind* each) MR_IN_TURN {
    const LeaseHolder& holder = *each->holder;
    const bool can_read = holder.reads_payloads || job.bytes <= kLeasePayloadBytesMax;
    return each->may_take() && can_read && (job.ties == nullptr || holder.taker.Has(job.ties->require)) &&
           holder.taker.Has(prefer);
  };
  auto found = std::find_if(free.begin(), free.end(), fits);
  if (found == free.end()) return nullptr;
  OfferedKind* const taken = *found;
  free.erase(found);
  free.push_back(taken);  // Workers take turns.
  return taken;
}

void Leases::ServeSavers(const std::string& kind, Turn& turn) {
  // A saver that is given a large job leads here again.
  if (savers_ == 0 || serving_savers_) return;
  auto found = kinds_.find(kind);
  if (found == kinds_.end()) return;
  // One that is not asked now is with what it says next.
  constexpr size_t kAskedMax = 16;
  std::vector<LeaseHolder*> savers;
  const std::vector<OfferedKind*>& all = found->second.all;
  for (size_t i = 0; i < all.size() && savers.size() < kAskedMax; ++i) {
    LeaseHolder& holder = *all[next_saver_++ % all.size()]->holder;
    if (holder.saves && !holder.heard_now) savers.push_back(&holder);
  }
  serving_savers_ = true;
  for (LeaseHolder* holder : savers) Serve(*holder, turn);
  serving_savers_ = false;
}

void Leases::SetSaves(LeaseHolder& holder, bool saves) {
  if (holder.saves == saves) return;
  holder.saves = saves;
  savers_ += saves ? 1 : -1;
}

// ---- A worker looks for a job

void Leases::List(LeaseHolder& holder) {
  if (holder.ended || holder.free_slots() <= 0) return;
  for (OfferedKind& offered : holder.offered) {
    if (offered.listed || !offered.may_take()) continue;
    offered.listed = true;
    offered.kind->free.push_back(&offered);
  }
}

void Leases::Measure(LeaseHolder& holder) {
  holder.taker.SetRoom(holder.free_slots());
  for (size_t i = 0; i < holder.offered.size(); ++i) {
    const OfferedKind& offered = holder.offered[i];
    holder.taker.kinds()[i].open = offered.offer.at_once_max == 0 || offered.running < offered.offer.at_once_max;
  }
}

bool Leases::MayServe(const Pool& pool) {
  return pool.leased && !pool.missing && pool.may_take() && pool.channel.anyone_in_line();
}

bool Leases::ServeOne(LeaseHolder& holder, Pool& pool, Turn& turn) {
  Measure(holder);
  while (JobEntry* job = pool.channel.Pop(holder.taker)) {
    turn.RoomAt(pool.gate);
    LeaseSlot& slot = TakeSlot(pool, holder, &holder.offered[holder.taker.last_kind()]);
    const bool costly = slot.takes > 1;
    if (core_.Assign(*job, slot, turn)) {
      turn.Wake(&slot);
      if (costly) ServeSavers(job->kind->name, turn);  // Others may have kept their slots for it.
      return true;
    }
    PutSlot(slot);  // It was too late for the job.
  }
  return false;
}

void Leases::Serve(LeaseHolder& holder, Turn& turn) {
  Pool* const kept = std::exchange(holder.saves_in, nullptr);
  SetSaves(holder, false);
  // Else, with several pools, what it kept for one of them would go to another.
  if (kept != nullptr && holder.free_slots() > 0 && MayServe(*kept)) TryServe(holder, *kept, turn);
  const std::vector<PoolTable::Row>& pools = core_.pools.All();
  while (holder.free_slots() > 0 && !holder.saves) {
    bool gave = false;
    for (size_t i = 0; i < pools.size() && !gave && !holder.saves; ++i) {
      Pool& pool = *pools[(next_pool_ + i) % pools.size()].pool;
      if (MayServe(pool)) gave = TryServe(holder, pool, turn);
    }
    ++next_pool_;
    if (!gave) break;
  }
  List(holder);
}

bool Leases::TryServe(LeaseHolder& holder, Pool& pool, Turn& turn) {
  if (ServeOne(holder, pool, turn)) return true;
  if (holder.taker.saves()) {
    SetSaves(holder, true);
    holder.saves_in = &pool;
  }
  return false;
}

void Leases::Serve(Pool& pool, Turn& turn) {
  if (!pool.channel.anyone_in_line()) return;
  for (const std::shared_ptr<LeaseHolder>& holder : holders_) Serve(*holder, turn);
}

}  // namespace millrace::dispatch
