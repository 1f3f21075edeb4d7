// Budget: a number of bytes that many holders share, so that what they hold together has a bound.
//
//   Refusal   TryTake takes all that was asked for or nothing. Nobody waits: whoever is refused tells its client to
//             come again.
//   Part      A budget may be a part of another one: what is taken from it is taken from both, so those who share the
//             part leave the rest to others.
//   Threads   Any; lock-free. The counter orders nothing but itself.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace millrace {

class Budget {
 public:
  // `whole` outlives its part.
  explicit Budget(size_t limit, Budget* whole = nullptr) : limit_(static_cast<int64_t>(limit)), whole_(whole) {}
  Budget(const Budget&) = delete;
  Budget& operator=(const Budget&) = delete;

  [[nodiscard]] bool TryTake(size_t bytes) {
    const auto wanted = static_cast<int64_t>(bytes);
    const bool fits = used_.fetch_add(wanted, std::memory_order_relaxed) + wanted <= limit_;
    if (fits && (whole_ == nullptr || whole_->TryTake(bytes))) return true;
    used_.fetch_sub(wanted, std::memory_order_relaxed);
    return false;
  }
  // Takes also beyond the limit: for what is small and cannot be refused any more. TryTake then fails until enough was
  // given back.
  void Take(size_t bytes) {
    used_.fetch_add(static_cast<int64_t>(bytes), std::memory_order_relaxed);
    if (whole_ != nullptr) whole_->Take(bytes);
  }
  void Give(size_t bytes) {
    used_.fetch_sub(static_cast<int64_t>(bytes), std::memory_order_relaxed);
    if (whole_ != nullptr) whole_->Give(bytes);
  }

  int64_t limit() const { return limit_; }
  bool is_part() const { return whole_ != nullptr; }
  // What is held at this moment; it may include for a moment what is about to be refused.
  int64_t used() const { return used_.load(std::memory_order_relaxed); }

 private:
  const int64_t limit_;
  Budget* const whole_;
  std::atomic<int64_t> used_{0};
};

// What one holder has taken; given back when it dies.
class BudgetShare {
 public:
  explicit BudgetShare(Budget& budget) : budget_(budget) {}
  ~BudgetShare() { Release(); }
  BudgetShare(const BudgetShare&) = delete;
  BudgetShare& operator=(const BudgetShare&) = delete;

  const Budget& budget() const { return budget_; }

  [[nodiscard]] bool TryTake(size_t bytes) {
    if (!budget_.TryTake(bytes)) return false;
    bytes_ += bytes;
    return true;
  }
  void Take(size_t bytes) {
    budget_.Take(bytes);
    bytes_ += bytes;
  }
  // Holds `bytes` instead of what it has taken: gives back the rest, or takes what is missing, also beyond the limit.
  void Settle(size_t bytes) {
    if (bytes < bytes_) budget_.Give(bytes_ - bytes);
    if (bytes > bytes_) budget_.Take(bytes - bytes_);
    bytes_ = bytes;
  }
  void Release() {
    if (bytes_ > 0) budget_.Give(std::exchange(bytes_, 0));
  }

 private:
  Budget& budget_;
  size_t bytes_ = 0;
};

}  // namespace millrace
