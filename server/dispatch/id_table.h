// IdTable: jobs by id, in id order.
//
// The leaves of a B+ tree without the tree: most ids are the highest so far, so new jobs go to the end of the last
// leaf, and finding one is two binary searches. 32 bytes a job, an allocation for every kLeafJobs jobs, and a listing
// walks memory in order. Erasing leaves a hole; a leaf that is mostly holes is compacted and merged into its neighbour,
// so one old job pins next to nothing. An id may come back, or come late: its leaf makes room, or is split.
//   Threads   Whoever owns it guards it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <memory>
#include <utility>
#include <vector>

#include "base/check.h"
#include "job/job.h"

namespace millrace::dispatch {

template <typename T>
class IdTable {
 public:
  static constexpr size_t kLeafJobs = 256;

  // The id must not be there.
  void Insert(const JobId& id, std::shared_ptr<T> entry) {
    ++size_;
    size_t index;
    if (leaves_.empty() || (leaves_.back()->slots.size() == kLeafJobs && leaves_.back()->slots.back().id < id)) {
      index = leaves_.size();
      leaves_.push_back(std::make_unique<Leaf>());
      leaves_.back()->slots.reserve(kLeafJobs);
    } else {
      index = LeafFor(id);
      if (leaves_[index]->slots.size() == kLeafJobs) index = MakeRoom(index, id);
    }
    Leaf& leaf = *leaves_[index];
    ++leaf.live;
    if (leaf.slots.empty() || leaf.slots.back().id < id) {
      leaf.slots.push_back({id, std::move(entry)});
      return;
    }
    auto place = LowerBound(leaf.slots, id);
    if (place->id == id) {
      MR_CHECK(!place->entry, "job %s was inserted twice", id.ToString().c_str());
      place->entry = std::move(entry);
    } else {
      leaf.slots.insert(place, {id, std::move(entry)});
    }
  }

  T* Find(const JobId& id) const {  // nullptr: unknown.
    const std::shared_ptr<T>* found = FindShared(id);
    return found != nullptr ? found->get() : nullptr;
  }
  // Valid until the next change; nullptr: unknown.
  const std::shared_ptr<T>* FindShared(const JobId& id) const {
    if (leaves_.empty()) return nullptr;
    const Slots& slots = leaves_[LeafFor(id)]->slots;
    auto place = LowerBound(slots, id);
    return place != slots.end() && place->id == id && place->entry ? &place->entry : nullptr;
  }

  std::shared_ptr<T> Erase(const JobId& id) {  // nullptr: unknown.
    if (leaves_.empty()) return nullptr;
    const size_t index = LeafFor(id);
    Leaf& leaf = *leaves_[index];
    auto place = LowerBound(leaf.slots, id);
    if (place == leaf.slots.end() || place->id != id || !place->entry) return nullptr;
    std::shared_ptr<T> entry = std::move(place->entry);
    --size_;
    if (--leaf.live == 0) {
      if (leaves_.size() > 1) {
        Drop(index);
      } else {
        leaf.slots.clear();  // It is about to be filled again.
      }
    } else if (leaf.live * 4 <= leaf.slots.size()) {
      Compact(index);
    }
    return entry;
  }

  size_t size() const { return size_; }

  // Neighbours in id order, for listings; nullptr: none. They work for ids that are gone, so a listing can go on after
  // a pause.
  const std::shared_ptr<T>* FirstAfter(const JobId& id) const {
    if (leaves_.empty()) return nullptr;
    for (size_t index = LeafFor(id); index < leaves_.size(); ++index) {
      const Slots& slots = leaves_[index]->slots;
      for (auto place = LowerBound(slots, id); place != slots.end(); ++place) {
        if (place->id != id && place->entry) return &place->entry;
      }
    }
    return nullptr;
  }
  const std::shared_ptr<T>* LastBefore(const JobId& id) const {
    if (leaves_.empty()) return nullptr;
    for (size_t index = LeafFor(id) + 1; index-- > 0;) {
      const Slots& slots = leaves_[index]->slots;
      for (auto place = LowerBound(slots, id); place != slots.begin();) {
        if ((--place)->entry) return &place->entry;
      }
    }
    return nullptr;
  }

  size_t leaves() const { return leaves_.size(); }

 private:
  struct Slot {
    JobId id;
    std::shared_ptr<T> entry;  // nullptr: a hole.
  };
  using Slots = std::vector<Slot>;
  struct Leaf {
    Slots slots;
    size_t live = 0;
  };

  // The first slot whose id is not below `id`.
  template <typename S>
  static auto LowerBound(S& slots, const JobId& id) {
    return std::lower_bound(slots.begin(), slots.end(), id,
                            [](const Slot& slot, const JobId& wanted) { return slot.id < wanted; });
  }

  // The leaf that holds the id, or would; leaves_ is not empty. Only a leaf that is the only one may be without slots.
  size_t LeafFor(const JobId& id) const {
    if (leaves_.size() == 1 || leaves_.back()->slots.front().id <= id) return leaves_.size() - 1;
    auto after = std::upper_bound(leaves_.begin(), leaves_.end(), id, [](const JobId& wanted, const auto& leaf) {
      return wanted < leaf->slots.front().id;
    });
    return after == leaves_.begin() ? 0 : static_cast<size_t>(after - leaves_.begin()) - 1;
  }

  // The leaf is full: gives the one that has room for the id now.
  size_t MakeRoom(size_t index, const JobId& id) {
    Slots& slots = leaves_[index]->slots;
    if (leaves_[index]->live < kLeafJobs) {
      std::erase_if(slots, [](const Slot& slot) { return slot.entry == nullptr; });
      return index;
    }
    auto upper = std::make_unique<Leaf>();
    const auto middle = slots.begin() + static_cast<ptrdiff_t>(kLeafJobs / 2);
    upper->slots.assign(std::make_move_iterator(middle), std::make_move_iterator(slots.end()));
    slots.erase(middle, slots.end());
    leaves_[index]->live = slots.size();
    upper->live = upper->slots.size();
    const bool above = upper->slots.front().id < id;
    leaves_.insert(leaves_.begin() + static_cast<ptrdiff_t>(index) + 1, std::move(upper));
    return above ? index + 1 : index;
  }

  void Drop(size_t index) { leaves_.erase(leaves_.begin() + static_cast<ptrdiff_t>(index)); }

  void Compact(size_t index) {
    Slots& slots = leaves_[index]->slots;
    std::erase_if(slots, [](const Slot& slot) { return slot.entry == nullptr; });
    // The newest leaf keeps its memory: it is about to be filled.
    if (index + 1 != leaves_.size()) slots.shrink_to_fit();
    if (index == 0) return;
    Leaf& left = *leaves_[index - 1];
    if (left.slots.size() + slots.size() > kLeafJobs / 2) return;
    std::move(slots.begin(), slots.end(), std::back_inserter(left.slots));
    left.live += leaves_[index]->live;
    Drop(index);
  }

  std::vector<std::unique_ptr<Leaf>> leaves_;
  size_t size_ = 0;
};

}  // namespace millrace::dispatch
