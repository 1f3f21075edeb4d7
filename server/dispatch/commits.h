// Commits: what the Turns write, on its way to the journal, and what follows once it is committed.
//
//   Write     A move adds its entries to batch(), which Turn hands to the journal before the lock is released.
//   Then      A move says what follows from the commit of what it wrote: a function that is called in a Turn. Where the
//             journal commits at once it is the same Turn; else it is one of its own, for all that follows from one
//             part.
//   AfterAll  Whoever writes nothing, and is to be told when all before is committed, waits for a part without entries,
//             a flush. If nothing was written since the newest flush, it waits for that one. Whoever gives up leaves
//             nothing behind. So, while a disk fails, memory does not grow with the number of calls.
//   Numbers   Parts are numbered in their order, which is the order of their commits. What was written in part n is
//             committed when committed() is n or more.
//   Lost      What follows is told how the commit ended. Only what a submission accepts may be refused. Any other part
//             that is not committed means that the store is not ours any more (Core::LoseStore).
//   Memory    Commits are used again: a job on its way allocates none.
//   Threads   Guarded by the dispatcher's lock, save CommitWaiter's call.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/status.h"
#include "dispatch/batch.h"
#include "dispatch/in_turn.h"

namespace millrace::dispatch {

class Core;
class Journal;
class Turn;

// The waiter of one part.
class Commit final : public CommitWaiter {
 public:
  explicit Commit(Core& core) : core_(core) {}
  void OnCommitted(const Status& status) override;

 private:
  friend class Commits;
  struct FollowUp {
    void (*run)(Core& core, void* subject, uint64_t tag, const Status& status, Turn& turn);
    void* subject;
    uint64_t tag;
  };

  Core& core_;
  uint64_t number_ = 0;
  bool accepts_ = false;  // What a submission accepts: it may be refused.
  std::vector<FollowUp> follow_ups_;
  Commit* next_free_ = nullptr;
};

class Commits {
 public:
  explicit Commits(Core& core) : core_(core) {}

  // Where a Turn's entries go: into the part that is open.
  Batch& batch() { return batches_[written_]; }

  // The number of the part that is open.
  uint64_t number() const { return number_; }
  // Everything up to this part is committed.
  uint64_t committed() const { return committed_; }

  // When the open part is committed, or refused, calls kMove(core, subject, tag, status, turn). `subject` lives until
  // then, or until Leave.
  template <auto kMove, typename Subject>
  Commit* Then(Subject& subject, uint64_t tag = 0) {
    return Add(Call<kMove>(subject, tag));
  }
  // The same when all is committed that was written so far.
  template <auto kMove, typename Subject>
  Commit* AfterAll(Subject& subject) {
    return AddToFlush(Call<kMove>(subject, 0));
  }
  // Nothing follows from `commit` for this subject any more.
  static void Leave(Commit& commit, const void* subject);

  // Ends the open part. For moves whose entries may be refused, before and after them.
  void ClosePart();

  // Hands over what was written. False: nothing was. What follows from parts that are committed at once is done, which
  // may write more.
  bool HandOver(Turn& turn) MR_IN_TURN {
    const bool any = open_ != nullptr || batch().open() || !batch().parts().empty();
    if (any) HandOverAll(turn);
    return any;
  }

 private:
  friend class Commit;
  template <auto kMove, typename Subject>
  static Commit::FollowUp Call(Subject& subject, uint64_t tag) {
    return {[](Core& core, void* it, uint64_t its_tag, const Status& status, Turn& turn)
                MR_IN_TURN { kMove(core, *static_cast<Subject*>(it), its_tag, status, turn); },
            &subject, tag};
  }
  Commit* Add(const Commit::FollowUp& follow_up);
  Commit* AddToFlush(const Commit::FollowUp& follow_up);
  void HandOverAll(Turn& turn) MR_IN_TURN;
  // How the part ended, and what follows.
  void Finish(Commit* commit, uint64_t number, bool accepts, const Status& status, Turn& turn) MR_IN_TURN;

  Core& core_;
  Batch batches_[2];
  size_t written_ = 0;  // Which of them; the other one is being handed over, or is empty.
  uint64_t number_ = 1, committed_ = 0;
  uint64_t first_ = 1;      // The number of the first part of batch().
  Commit* open_ = nullptr;  // The waiter of the open part, if somebody waits for it.
  // The waiter of the newest part that was closed, if that is a flush and not committed.
  Commit* flush_ = nullptr;
  Commit* free_ = nullptr;
  std::vector<std::unique_ptr<Commit>> all_;
};

}  // namespace millrace::dispatch
