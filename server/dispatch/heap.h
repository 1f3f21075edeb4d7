// Heap: a 4-ary heap of objects that know their place in it. Flatter than a binary one: fewer cache lines on the way
// up, and adding is more common than taking out.
//
//   T         Has `int32_t place`, which is -1 where it is in no heap. It is in one heap at a time, which does not own
//             it.
//   Before    Before()(a, b): does `a` come before `b`? Of two that are equal either may be in front.
//   Costs     O(log n) to add, remove and update, nothing to look at the front. It allocates where it grows only.
//   Threads   Whoever owns it guards it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace millrace::dispatch {

template <typename T, typename Before>
class Heap {
 public:
  bool empty() const { return items_.empty(); }
  size_t size() const { return items_.size(); }
  T* front() const { return items_.empty() ? nullptr : items_.front(); }

  void Add(T* item) {
    items_.push_back(item);
    SiftUp(items_.size() - 1, item);
  }

  void Remove(T* item) {
    const size_t place = static_cast<size_t>(item->place);
    item->place = -1;
    T* last = items_.back();
    items_.pop_back();
    if (place != items_.size()) Settle(place, last);
  }

  // What decides its order has changed.
  void Update(T* item) { Settle(static_cast<size_t>(item->place), item); }

 private:
  static constexpr size_t kArity = 4;

  void Settle(size_t place, T* item) {
    SiftDown(place, item);
    SiftUp(static_cast<size_t>(item->place), item);
  }

  void SiftUp(size_t place, T* item) {
    while (place > 0) {
      const size_t parent = (place - 1) / kArity;
      if (!Before()(*item, *items_[parent])) break;
      Put(place, items_[parent]);
      place = parent;
    }
    Put(place, item);
  }

  void SiftDown(size_t place, T* item) {
    for (;;) {
      const size_t first = place * kArity + 1;
      if (first >= items_.size()) break;
      const size_t last = std::min(first + kArity, items_.size());
      size_t least = first;
      for (size_t child = first + 1; child < last; ++child) {
        if (Before()(*items_[child], *items_[least])) least = child;
      }
      if (!Before()(*items_[least], *item)) break;
      Put(place, items_[least]);
      place = least;
    }
    Put(place, item);
  }

  void Put(size_t place, T* item) {
    items_[place] = item;
    item->place = static_cast<int32_t>(place);
  }

  std::vector<T*> items_;
};

}  // namespace millrace::dispatch
