// LeaseHolder: a worker in another process, as the dispatcher sees it: from its Hello to the end of its last lease.
// Each stream of a worker is a holder of its own; one that comes back takes the leases of the one before along.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "dispatch/alarms.h"
#include "dispatch/lease.h"
#include "dispatch/lease_slot.h"
#include "dispatch/ready_queue.h"

namespace millrace::dispatch {

class Leases;
struct LeaseHolder;

// Those that run one kind, and may have a slot free: the one that was not asked for longest comes first. One that has
// none leaves when it is asked, and comes back when it has one.
struct KindHolders {
  std::string name;
  std::deque<LeaseHolder*> free;
  int offered_by = 0;
};

// Guarded by the dispatcher's lock.
struct LeaseHolder final : OwnAlarm, std::enable_shared_from_this<LeaseHolder> {
  explicit LeaseHolder(Leases& owner) : leases(owner) {}
  void OnDue(Turn& turn) override MR_IN_TURN;

  struct Offered {
    KindHolders* kind;
    bool listed = false;  // In kind->free.
  };

  int64_t free_slots() const {
    if (door == nullptr || silent || draining) return 0;
    return std::min<int64_t>(granted - given, slots - held);
  }

  Leases& leases;
  std::string worker, key;
  std::shared_ptr<WorkerDoor> door;  // nullptr: its stream broke, and it may come back; or it never had one.
  std::vector<Offered> offered;
  Taker taker;
  int64_t slots = 0;
  int64_t granted = 0, given = 0;  // In all.
  int64_t held = 0;
  LeaseSlot* first_held = nullptr;

  bool draining = false;   // By its own word: it takes no more.
  bool silent = false;     // Its lease ran out. It may speak again.
  bool heard_now = false;  // What it says is being done; it is served after that.
  bool ended = false;      // Nothing is given to it or taken from it any more.
  MonoTime alive_until{};

  // What was given to it. The slot may have been used again since: then its token is another one.
  struct Given {
    LeaseSlot* slot;
    uint64_t token;
    bool is_of(const LeaseHolder& holder) const {
      return slot->holder == &holder && slot->job != nullptr && slot->attempt.claim().token == token;
    }
  };
  std::deque<Given> unaccepted;  // The first that is due in front; some were accepted, or taken back.
  std::vector<Given> untold;     // Some were taken back.
  WorkerNews news;               // But for what is given.
  bool has_news = false;         // Its door was told.

  struct Unacked {
    uint64_t part;
    LeaseRef ref;
  };
  std::deque<Unacked> unacked;  // Ended, and not committed.
  int commits = 0;              // That it waits for: `self` keeps it until then.
  std::shared_ptr<LeaseHolder> self;
};

}  // namespace millrace::dispatch
