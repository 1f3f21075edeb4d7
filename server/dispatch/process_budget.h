// ProcessBudget: the bytes that all unfinished jobs hold together, and the line of submissions that wait for some.
//
//   Bound     DispatcherOptions.process_bytes_max, which whoever takes asks for. What was accepted before is never
//             given up, so more may be held than a bound that was lowered, and more by what running jobs show.
//   Threads   Guarded by the dispatcher's lock, save what running jobs show.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "base/check.h"
#include "dispatch/gate.h"
#include "dispatch/in_turn.h"
#include "dispatch/turn.h"

namespace millrace::dispatch {

class ProcessBudget {
 public:
  int64_t bytes() const MR_IN_TURN { return held_ + shown_->load(std::memory_order_relaxed); }
  bool HasRoom(int64_t more, int64_t bound) const MR_IN_TURN { return bytes() + more <= bound; }
  void Hold(int64_t more) MR_IN_TURN { held_ += more; }
  void Release(int64_t less, Turn& turn) MR_IN_TURN {
    held_ -= less;
    MR_CHECK(held_ >= 0, "more bytes of jobs were released than held");
    turn.RoomAt(gate_);
  }
  Gate& gate() MR_IN_TURN { return gate_; }

  // Progress and log of running jobs. Shared, as the journal may hold a job longer than we are there.
  const std::shared_ptr<std::atomic<int64_t>>& shown() const { return shown_; }

 private:
  int64_t held_ MR_GUARDED_BY(in_turn) = 0;
  Gate gate_ MR_GUARDED_BY(in_turn);
  const std::shared_ptr<std::atomic<int64_t>> shown_ = std::make_shared<std::atomic<int64_t>>(0);
};

}  // namespace millrace::dispatch
