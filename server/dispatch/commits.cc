#include "dispatch/commits.h"

#include <algorithm>
#include <utility>

#include "dispatch/core.h"
#include "dispatch/turn.h"

namespace millrace::dispatch {

void Commit::OnCommitted(const Status& status) {
  Turn turn(core_);
  core_.commits.Finish(this, number_, accepts_, status, turn);
}

Commit* Commits::Add(const Commit::FollowUp& follow_up) {
  if (open_ == nullptr) {
    if (free_ == nullptr) {
      all_.push_back(std::make_unique<Commit>(core_));
      free_ = all_.back().get();
    }
    open_ = std::exchange(free_, free_->next_free_);
    open_->number_ = number_;
  }
  open_->follow_ups_.push_back(follow_up);
  return open_;
}

Commit* Commits::AddToFlush(const Commit::FollowUp& follow_up) {
  if (flush_ == nullptr || batch().open() || open_ != nullptr) return Add(follow_up);
  flush_->follow_ups_.push_back(follow_up);
  return flush_;
}

void Commits::Leave(Commit& commit, const void* subject) {
  std::erase_if(commit.follow_ups_, [&](const Commit::FollowUp& follow_up) { return follow_up.subject == subject; });
}

void Commits::ClosePart() {
  Batch& written = batch();
  if (!written.open() && open_ == nullptr) return;
  if (open_ != nullptr) open_->accepts_ = written.open() && written.first_kind() == Batch::Kind::kAccept;
  flush_ = written.open() ? nullptr : open_;
  written.Close(std::exchange(open_, nullptr));
  ++number_;
}

void Commits::Finish(Commit* commit, uint64_t number, bool accepts, const Status& status, Turn& turn) {
  if (status.ok()) {
    committed_ = std::max(committed_, number);
  } else if (!accepts || status.reason() == kNotOwner) {
    core_.LoseStore(status, turn);
  }
  if (commit == nullptr) return;
  if (commit == flush_) flush_ = nullptr;
  for (const Commit::FollowUp& follow_up : commit->follow_ups_) {
    follow_up.run(core_, follow_up.subject, follow_up.tag, status, turn);
  }
  commit->follow_ups_.clear();
  commit->next_free_ = std::exchange(free_, commit);
}

void Commits::HandOverAll(Turn& turn) {
  ClosePart();
  Batch& handed_over = batch();
  written_ ^= 1;  // What follows at once writes into the other one.
  uint64_t number = std::exchange(first_, number_);
  core_.journal.Commit(handed_over);
  for (Batch::Part& part : handed_over.parts()) {
    for (Batch::Entry& entry : handed_over.entries(part)) {
      if (entry.ended) turn.Free(std::move(entry.ended));  // What the journal gave back.
    }
    if (part.answer) {
      // Only those of ours are in this batch.
      auto* commit = static_cast<Commit*>(part.waiter);
      Finish(commit, number, commit != nullptr && commit->accepts_, *part.answer, turn);
    }
    ++number;
  }
  handed_over.Clear();
}

}  // namespace millrace::dispatch
