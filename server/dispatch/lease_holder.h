// LeaseHolder: a worker in another process, as the dispatcher sees it: from its Hello to the end of its last lease.
// Each stream of a worker is a holder of its own; one that comes back takes the leases of the one before along.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/id.h"
#include "dispatch/alarms.h"
#include "dispatch/lease.h"
#include "dispatch/lease_slot.h"
#include "dispatch/ready_queue.h"
#include "dispatch/taker.h"
#include "job/labels.h"

namespace millrace::dispatch {

class Leases;
class Pool;
struct LeaseHolder;

struct KindHolders;

// A kind that a worker offers.
struct OfferedKind {
  LeaseHolder* holder = nullptr;
  KindHolders* kind = nullptr;
  KindOffer offer;
  int running = 0;      // Attempts of it, those that are being read or committed included.
  bool listed = false;  // In kind->free.

  bool may_take() const;
};

// Those that run one kind, and may have slots free: the one that was not asked for longest comes first. One that has
// none leaves when it is asked, and comes back when it has some.
struct KindHolders {
  std::string name;
  std::deque<OfferedKind*> free;
  std::vector<OfferedKind*> all;
  bool costly = false;  // To somebody, at some time, it was worth several slots.
};

// Guarded by the dispatcher's lock.
struct LeaseHolder final : OwnAlarm, std::enable_shared_from_this<LeaseHolder> {
  explicit LeaseHolder(Leases& owner) : leases(owner) {}
  void OnDue(Turn& turn) override MR_IN_TURN;

  bool takes_no_more() const { return draining || drained; }
  int64_t free_slots() const {
    if (door == nullptr || silent || takes_no_more()) return 0;
    return std::min<int64_t>(granted - given, slots - held);
  }
  // nullptr: it did not offer that kind, when it came.
  OfferedKind* Offered(const std::string& kind) {
    for (OfferedKind& each : offered) {
      if (each.offer.name == kind) return &each;
    }
    return nullptr;
  }

  Leases& leases;
  Id id;  // WorkerStatus::id: the same for all streams of one process.
  std::string worker, key, sdk, build_id;
  LabelSet labels;
  bool reads_payloads = false;
  WallTime connected{}, heard{};
  int64_t attempts_given = 0;
  std::shared_ptr<WorkerDoor> door;  // nullptr: its stream broke, and it may come back; or it never had one.
  std::vector<OfferedKind> offered;  // Does not move any more: pointers lead here.
  Taker taker;                       // Its kinds in the same order.
  bool beats = false;                // Attempts of some kind must show something now and then.
  int64_t slots = 0;
  int64_t granted = 0, given = 0;  // Slots in all, since it came.
  int64_t held = 0;                // Slots that are taken now.
  LeaseSlot* first_held = nullptr;

  bool draining = false;     // By its own word: it takes no more.
  bool drained = false;      // By an operator's.
  Pool* saves_in = nullptr;  // Where the job is that it keeps its free slots for; asked first the next time.
  bool saves = false;        // It keeps its free slots for a job that takes more of them (Taker::SetRoom).
  bool silent = false;       // Its lease ran out. It may speak again.
  bool heard_now = false;    // What it says is being done; it is served after that.
  bool ended = false;        // Nothing is given to it or taken from it any more.
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

inline bool OfferedKind::may_take() const {
  const bool room = offer.at_once_max == 0 || running < offer.at_once_max;
  return room && !holder->saves && holder->free_slots() >= offer.slots;
}

}  // namespace millrace::dispatch
