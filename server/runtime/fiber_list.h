// FiberList: a queue of fibers linked by Fiber::next. Not thread-safe; its owner has a lock.
#pragma once

#include <cstdint>

#include "runtime/fiber.h"
#include "runtime/sanitizers.h"

namespace millrace::rt {

class FiberList {
 public:
  Fiber* front() const { return head_; }
  bool empty() const { return head_ == nullptr; }
  int64_t count() const { return count_; }

  MR_NO_TSAN void PushBack(Fiber* fiber) {
    fiber->next = nullptr;
    (tail_ != nullptr ? tail_->next : head_) = fiber;
    tail_ = fiber;
    ++count_;
  }

  MR_NO_TSAN Fiber* PopFront() {
    Fiber* fiber = head_;
    if (fiber == nullptr) return nullptr;
    head_ = fiber->next;
    if (head_ == nullptr) tail_ = nullptr;
    --count_;
    return fiber;
  }

  // Takes all of `other`.
  MR_NO_TSAN void Append(FiberList& other) {
    if (other.head_ == nullptr) return;
    (tail_ != nullptr ? tail_->next : head_) = other.head_;
    tail_ = other.tail_;
    count_ += other.count_;
    other = FiberList();
  }

 private:
  Fiber* head_ = nullptr;
  Fiber* tail_ = nullptr;
  int64_t count_ = 0;
};

}  // namespace millrace::rt
