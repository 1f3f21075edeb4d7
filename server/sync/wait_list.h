// WaitList: who waits, oldest first. An intrusive list whose nodes live on the stacks of the fibers that wait, so that
// waiting allocates nothing. Everything but LooksEmpty happens under the lock of the primitive that owns the list.
//
//   struct Waiter : WaitLink<Waiter> { rt::Fiber* fiber; };
#pragma once

#include <atomic>

namespace millrace::sync::internal {

template <typename Node>
class WaitList;

template <typename Node>
class WaitLink {
 public:
  // Is it in a list? Under the list's lock.
  bool linked() const { return linked_; }

 private:
  friend class WaitList<Node>;
  Node* next_ = nullptr;
  Node* prev_ = nullptr;
  bool linked_ = false;
};

template <typename Node>
class WaitList {
 public:
  bool empty() const { return first() == nullptr; }
  // Without the lock: true at some moment of the call.
  bool LooksEmpty() const { return first_.load(std::memory_order_acquire) == nullptr; }
  bool single() const { return first() == last_ && last_ != nullptr; }
  Node* front() const { return first(); }

  void PushBack(Node* node) {
    node->next_ = nullptr;
    node->prev_ = last_;
    node->linked_ = true;
    if (last_ == nullptr) {
      SetFirst(node);
    } else {
      last_->next_ = node;
    }
    last_ = node;
  }

  void PushFront(Node* node) {
    Node* old = first();
    node->next_ = old;
    node->prev_ = nullptr;
    node->linked_ = true;
    if (old == nullptr) {
      last_ = node;
    } else {
      old->prev_ = node;
    }
    SetFirst(node);
  }

  // nullptr when empty.
  Node* PopFront() {
    Node* node = first();
    if (node != nullptr) Remove(node);
    return node;
  }

  void Remove(Node* node) {
    if (node->prev_ == nullptr) {
      SetFirst(node->next_);
    } else {
      node->prev_->next_ = node->next_;
    }
    if (node->next_ == nullptr) {
      last_ = node->prev_;
    } else {
      node->next_->prev_ = node->prev_;
    }
    node->linked_ = false;
  }

 private:
  Node* first() const { return first_.load(std::memory_order_relaxed); }
  // release: whoever sees the list empty without the lock also sees what happened before (a close, a count).
  void SetFirst(Node* node) { first_.store(node, std::memory_order_release); }

  std::atomic<Node*> first_{nullptr};
  Node* last_ = nullptr;
};

}  // namespace millrace::sync::internal
