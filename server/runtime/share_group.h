// ShareGroup: fibers that compute for long and take turns as one. HogLine: the groups that have such fibers ready, in
// the order of their turns.
//
//   Turns       One fiber of the group whose turn is longest ago, then the next group (round robin, as deficit round
//               robin with slices of one size: Shreedhar and Varghese, 1995). So of three groups with 1, 10 and 500
//               fibers each gets a third of the time that hogs have, as far as its fibers can use it. Within a group by
//               age.
//   No group    Fibers without one are a group together.
//   Lifetime    A group lives longer than its fibers run.
//   Threads     All under the scheduler's lock.
#pragma once

#include "runtime/fiber.h"
#include "runtime/fiber_list.h"
#include "runtime/sanitizers.h"

namespace millrace::rt {

class ShareGroup {
 public:
  ShareGroup() = default;
  ShareGroup(const ShareGroup&) = delete;
  ShareGroup& operator=(const ShareGroup&) = delete;

 private:
  friend class HogLine;
  MR_NO_TSAN bool empty() const { return stopped_.empty() && gave_way_.empty(); }

  FiberList stopped_, gave_way_;
  ShareGroup* next_ = nullptr;  // In the line.
};

class HogLine {
 public:
  MR_NO_TSAN void Push(Fiber* fiber, bool stopped) {
    ShareGroup& group = fiber->share_group != nullptr ? *fiber->share_group : rest_;
    if (group.empty()) Join(group);
    (stopped ? group.stopped_ : group.gave_way_).PushBack(fiber);
  }

  // nullptr: there is none.
  MR_NO_TSAN Fiber* Pop() {
    ShareGroup* group = first_;
    if (group == nullptr) return nullptr;
    const Fiber *a = group->stopped_.front(), *b = group->gave_way_.front();
    const bool stopped = b == nullptr || (a != nullptr && a->account.since <= b->account.since);
    return Take(nullptr, *group, stopped);
  }
  // One that a signal has stopped.
  MR_NO_TSAN Fiber* PopStopped() {
    ShareGroup* before = nullptr;
    for (ShareGroup* group = first_; group != nullptr; before = group, group = group->next_) {
      if (!group->stopped_.empty()) return Take(before, *group, true);
    }
    return nullptr;
  }

 private:
  MR_NO_TSAN void Join(ShareGroup& group) {
    group.next_ = nullptr;
    (last_ != nullptr ? last_->next_ : first_) = &group;
    last_ = &group;
  }

  MR_NO_TSAN Fiber* Take(ShareGroup* before, ShareGroup& group, bool stopped) {
    Fiber* fiber = (stopped ? group.stopped_ : group.gave_way_).PopFront();
    (before != nullptr ? before->next_ : first_) = group.next_;
    if (last_ == &group) last_ = before;
    if (!group.empty()) Join(group);
    return fiber;
  }

  ShareGroup rest_;
  ShareGroup* first_ = nullptr;
  ShareGroup* last_ = nullptr;
};

}  // namespace millrace::rt
