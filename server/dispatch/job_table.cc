#include "dispatch/job_table.h"

#include <algorithm>
#include <iterator>

#include "base/check.h"

namespace millrace::dispatch {

namespace {

// The first slot whose id is not below `id`.
template <typename Slots>
auto LowerBound(Slots& slots, const JobId& id) {
  return std::lower_bound(slots.begin(), slots.end(), id,
                          [](const auto& slot, const JobId& wanted) { return slot.id < wanted; });
}

}  // namespace

size_t JobTable::LeafFor(const JobId& id) const {
  auto after = std::upper_bound(leaves_.begin(), leaves_.end(), id,
                                [](const JobId& wanted, const auto& leaf) { return wanted < leaf->slots.front().id; });
  return after == leaves_.begin() ? 0 : static_cast<size_t>(after - leaves_.begin()) - 1;
}

void JobTable::Insert(std::shared_ptr<JobEntry> entry) {
  const JobId id = entry->record.id;
  if (leaves_.empty() || leaves_.back()->slots.size() == kLeafJobs) {
    leaves_.push_back(std::make_unique<Leaf>());
    leaves_.back()->slots.reserve(kLeafJobs);
  }
  Leaf& leaf = *leaves_.back();
  MR_CHECK(leaf.slots.empty() || leaf.slots.back().id < id, "job %s came after a later one", id.ToString().c_str());
  leaf.slots.push_back({id, std::move(entry)});
  ++leaf.live;
  ++size_;
}

JobEntry* JobTable::Find(const JobId& id) const {
  if (leaves_.empty()) return nullptr;
  const std::vector<Slot>& slots = leaves_[LeafFor(id)]->slots;
  auto place = LowerBound(slots, id);
  return place != slots.end() && place->id == id ? place->entry.get() : nullptr;
}

std::shared_ptr<JobEntry> JobTable::Erase(const JobId& id) {
  if (leaves_.empty()) return nullptr;
  size_t index = LeafFor(id);
  Leaf& leaf = *leaves_[index];
  auto place = LowerBound(leaf.slots, id);
  if (place == leaf.slots.end() || place->id != id || !place->entry) return nullptr;
  std::shared_ptr<JobEntry> entry = std::move(place->entry);
  --size_;
  if (--leaf.live == 0) {
    leaves_.erase(leaves_.begin() + static_cast<ptrdiff_t>(index));
  } else if (leaf.live * 4 <= leaf.slots.size()) {
    Compact(index);
  }
  return entry;
}

void JobTable::Compact(size_t index) {
  std::vector<Slot>& slots = leaves_[index]->slots;
  std::erase_if(slots, [](const Slot& slot) { return slot.entry == nullptr; });
  // The newest leaf keeps its memory: it is about to be filled.
  if (index + 1 != leaves_.size()) slots.shrink_to_fit();
  if (index == 0) return;
  Leaf& left = *leaves_[index - 1];
  if (left.slots.size() + slots.size() > kLeafJobs / 2) return;
  std::move(slots.begin(), slots.end(), std::back_inserter(left.slots));
  left.live += leaves_[index]->live;
  leaves_.erase(leaves_.begin() + static_cast<ptrdiff_t>(index));
}

JobEntry* JobTable::FirstAfter(const JobId& id) const {
  if (leaves_.empty()) return nullptr;
  for (size_t index = LeafFor(id); index < leaves_.size(); ++index) {
    const std::vector<Slot>& slots = leaves_[index]->slots;
    for (auto place = LowerBound(slots, id); place != slots.end(); ++place) {
      if (place->id != id && place->entry) return place->entry.get();
    }
  }
  return nullptr;
}

JobEntry* JobTable::LastBefore(const JobId& id) const {
  if (leaves_.empty()) return nullptr;
  for (size_t index = LeafFor(id) + 1; index-- > 0;) {
    const std::vector<Slot>& slots = leaves_[index]->slots;
    for (auto place = LowerBound(slots, id); place != slots.begin();) {
      if ((--place)->entry) return place->entry.get();
    }
  }
  return nullptr;
}

}  // namespace millrace::dispatch
