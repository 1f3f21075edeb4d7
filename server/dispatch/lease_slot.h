// LeaseSlot: the slot of an attempt that runs in another process. It is made when it is first needed and used again.
#pragma once

#include "dispatch/slot.h"

namespace millrace::dispatch {

struct LeaseHolder;
struct OfferedKind;

struct LeaseSlot final : Slot {
  LeaseSlot(Core& owner, Pool& home) : Slot(owner, home, ""), core(owner) { leased = true; }

  // A job that is to be read first was set aside for it: a fiber reads it.
  void Wake() override;
  LeaseRef ref() const { return {attempt.id(), attempt.claim()}; }

  Core& core;
  LeaseHolder* holder = nullptr;  // Whoever has it; nullptr: it is free.
  OfferedKind* as = nullptr;      // The kind that the holder offered; nullptr: it did not.
  int64_t takes = 1;              // So many of the holder's slots.
  bool told = false;              // The worker was sent the lease.
  bool accepted = false;
  bool reading = false;  // A fiber has it.
  MonoTime accept_by{};
  MonoTime shown{};  // When the attempt showed something last, or was given to its holder.
  // Among those of its holder.
  LeaseSlot* next_held = nullptr;
  LeaseSlot* previous_held = nullptr;
};

}  // namespace millrace::dispatch
