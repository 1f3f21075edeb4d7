// Operation: one asynchronous operation of Asio and the fiber that waits for its end. Everything lives on the fiber's
// stack: the result, the memory Asio needs for the operation, and the race between its end, a deadline and a
// cancellation.
//
//   The fiber    makes it, starts the operation with Handler(), calls Wait. True: it has ended. False: it may not wait
//                any longer; then it asks Asio to cancel and calls AwaitEnd. The frame must not be left before one of
//                the two has returned.
//   The handler  runs on the machine that polls: stores the result, then calls Complete, and touches nothing of it
//                afterwards.
//   Races        The end may come before the fiber has parked. Deadline and cancellation only win the race and ready
//                the fiber; the fiber itself cancels, because neither a timer nor whoever cancels may take Asio's
//                locks.
#pragma once

#include <atomic>
#include <cstddef>
#include <new>
#include <utility>

#include "io/asio.h"
#include "io/asio_netpoll.h"
#include "io/until.h"
#include "runtime/park.h"
#include "sync/wake_race.h"

namespace millrace::io::internal {

class Operation {
 public:
  explicit Operation(AsioNetpoller& poller) : poller_(poller), race_(rt::CurrentFiber()) { poller_.BeginWatching(); }
  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;

  // Instead of Wait, when it could not be started.
  void NotStarted() { poller_.EndWatching(); }

  bool Wait(const Until& until, rt::WaitReason reason);
  // Why Wait has returned false.
  bool cancelled() const { return cancelled_; }
  // Cancels by the signal that Handler is connected to, when the operation may consist of several: where its handlers
  // run, so that they do not go on meanwhile.
  void CancelAndAwaitEnd(rt::WaitReason reason);
  void AwaitEnd(rt::WaitReason reason) { ended_.Wait(reason); }

  void Complete();

  asio::cancellation_signal& signal() { return signal_; }

  // Asio's operation goes here and not to the heap. Of composed operations one part at a time does.
  void* Allocate(size_t bytes) {
    if (bytes <= sizeof memory_ && !memory_taken_.exchange(true, std::memory_order_acquire)) return memory_;
    return ::operator new(bytes);
  }
  void Deallocate(void* memory) {
    if (memory == memory_) {
      memory_taken_.store(false, std::memory_order_release);
    } else {
      ::operator delete(memory);
    }
  }

 private:
  AsioNetpoller& poller_;
  sync::internal::WakeRace race_;
  rt::Parker ended_;  // Woken by Complete when it has lost the race.
  bool cancelled_ = false;
  asio::cancellation_signal signal_;
  std::atomic<bool> memory_taken_{false};
  alignas(std::max_align_t) std::byte memory_[256];
};

template <typename T>
class OperationAllocator {
 public:
  using value_type = T;
  explicit OperationAllocator(Operation* operation) : operation_(operation) {}
  template <typename U>
  OperationAllocator(const OperationAllocator<U>& other) : operation_(other.operation_) {}  // NOLINT: as allocators do

  T* allocate(size_t count) { return static_cast<T*>(operation_->Allocate(count * sizeof(T))); }
  void deallocate(T* memory, size_t) { operation_->Deallocate(memory); }
  template <typename U>
  bool operator==(const OperationAllocator<U>& other) const {
    return operation_ == other.operation_;
  }

 private:
  template <typename U>
  friend class OperationAllocator;
  Operation* operation_;
};

// The handler given to Asio: Frame has `Operation operation` and `void Store(arguments...)`.
template <typename Frame>
class Handler {
 public:
  using allocator_type = OperationAllocator<void>;
  using cancellation_slot_type = asio::cancellation_slot;

  // `cancellable`: what connects it to the signal costs an allocation.
  Handler(Frame* frame, bool cancellable) : frame_(frame), cancellable_(cancellable) {}

  allocator_type get_allocator() const noexcept { return allocator_type(&frame_->operation); }
  cancellation_slot_type get_cancellation_slot() const noexcept {
    return cancellable_ ? frame_->operation.signal().slot() : asio::cancellation_slot();
  }

  template <typename... Arguments>
  void operator()(Arguments&&... arguments) {
    Frame* frame = frame_;
    frame->Store(std::forward<Arguments>(arguments)...);
    frame->operation.Complete();
  }

 private:
  Frame* frame_;
  bool cancellable_;
};

}  // namespace millrace::io::internal
