#include "dispatch/heap.h"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace millrace::dispatch {
namespace {

struct Item {
  int rank = 0;
  int32_t place = -1;
};
struct Lower {
  bool operator()(const Item& a, const Item& b) const { return a.rank < b.rank; }
};

TEST(Heap, TheLeastIsInFrontWhateverIsAddedTakenOutOrChanged) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  std::vector<Item> items(100);
  Heap<Item, Lower> heap;
  std::multiset<int> model;
  for (int step = 0; step < 20'000; ++step) {
    Item& item = items[random() % items.size()];
    const int rank = static_cast<int>(random() % 50);
    if (item.place < 0) {
      item.rank = rank;
      heap.Add(&item);
      model.insert(rank);
    } else {
      model.erase(model.find(item.rank));
      if (random() % 2 == 0) {
        heap.Remove(&item);
        ASSERT_EQ(item.place, -1);
      } else {
        item.rank = rank;
        heap.Update(&item);
        model.insert(rank);
      }
    }
    ASSERT_EQ(heap.size(), model.size());
    ASSERT_EQ(heap.front() != nullptr ? heap.front()->rank : -1, model.empty() ? -1 : *model.begin());
  }
}

}  // namespace
}  // namespace millrace::dispatch
