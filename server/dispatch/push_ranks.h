// PushRanks: which pushes of one band are still in the queue, so that a job knows how many are ahead of it without
// walking along a queue of a million.
//
//   Shape     A bit for each push, in a ring of words from the oldest that is there to the newest: 128 KiB for a
//             million. Pushes that are further back than kWordsMax words are only counted: those of a queue whose
//             oldest job waits while four million come and go.
//   Costs     Add and Remove touch one word, as every job that queues comes here; Before counts bits, 64 at a time.
//   Threads   Guarded by the dispatcher's lock.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

namespace millrace::dispatch {

class PushRanks {
 public:
  static constexpr size_t kWordsMax = size_t{1} << 16;

  void Add(uint64_t push) {
    const uint64_t word = push / 64;
    if (word - first_ >= end_ - first_ && !MakeRoom(word)) {
      ++older_;
      return;
    }
    At(word) |= Bit(push);
  }

  void Remove(uint64_t push) {
    const uint64_t word = push / 64;
    if (word < first_) {
      --older_;
    } else {
      At(word) &= ~Bit(push);
    }
  }

  // How many are there that were pushed before. For one that is older than the window: not more than this.
  int64_t Before(uint64_t push) const {
    const uint64_t word = push / 64;
    if (word < first_) return older_ > 0 ? older_ - 1 : 0;
    int64_t count = older_;
    for (uint64_t each = first_; each < std::min(word, end_); ++each) count += std::popcount(At(each));
    if (word < end_) count += std::popcount(At(word) & (Bit(push) - 1));
    return count;
  }

 private:
  static uint64_t Bit(uint64_t push) { return uint64_t{1} << (push % 64); }
  uint64_t& At(uint64_t word) { return ring_[word & mask_]; }
  uint64_t At(uint64_t word) const { return ring_[word & mask_]; }

  // The window has the word then. False: it is older than the window may reach.
  bool MakeRoom(uint64_t word) {
    while (first_ < end_ && At(first_) == 0) ++first_;
    if (first_ == end_) {
      if (older_ > 0 && word < first_) return false;
      first_ = end_ = word;
    }
    if (word < first_) {  // One that comes back to its old place.
      if (older_ > 0 || end_ - word > kWordsMax) return false;
      Reach(word, end_);
      for (uint64_t each = word; each < first_; ++each) At(each) = 0;
      first_ = word;
      return true;
    }
    while (first_ < end_ && word - first_ >= kWordsMax) older_ += std::popcount(At(first_++));
    if (first_ == end_) first_ = end_ = word;
    Reach(first_, word + 1);
    for (; end_ <= word; ++end_) At(end_) = 0;
    return true;
  }

  // The ring holds so many; what is in the window keeps its words.
  void Reach(uint64_t first, uint64_t end) {
    const uint64_t size = std::bit_ceil(std::max<uint64_t>(end - first, 16));
    if (ring_ != nullptr && size <= mask_ + 1) return;
    auto larger = std::make_unique<uint64_t[]>(size);
    for (uint64_t each = first_; each < end_; ++each) larger[each & (size - 1)] = At(each);
    ring_ = std::move(larger);
    mask_ = size - 1;
  }

  std::unique_ptr<uint64_t[]> ring_;  // A power of two of words.
  uint64_t mask_ = 0;
  uint64_t first_ = 0, end_ = 0;  // The window: the numbers of its words, the end exclusive.
  int64_t older_ = 0;             // Those before it.
};

}  // namespace millrace::dispatch
