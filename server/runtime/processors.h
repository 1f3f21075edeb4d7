// Processors: all there are, by number, and how many there should be. IdleProcessors: those that no machine holds.
//
//   Number    procs() changes under load (scheduler_resize.cc). What has been made stays: a processor whose index is
//             procs() or more is one too many. The machine that holds it retires it at its next search for work. Its
//             timers stay, and others fire them.
//   Where     Each processor is held by one machine, or idle, or retired (Processor::retired); and for a moment in the
//             hands of whoever moves it.
//   Threads   Processors: any; MakeUpTo, SetProcs and the two that change alone() by one thread at a time.
//             IdleProcessors: under the scheduler's lock (SharedQueues::lock).
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "runtime/idle_protocol.h"
#include "runtime/processor.h"
#include "runtime/runtime.h"

namespace millrace::rt {

class Processors {
 public:
  explicit Processors(int procs);

  int procs() const { return procs_.load(std::memory_order_relaxed); }
  bool TooMany(const Processor& processor) const { return processor.index >= procs(); }
  // There is one processor, so whoever has it need not look whether another one is idle.
  bool alone() const { return alone_.load(std::memory_order_relaxed); }

  // Made so far, retired ones too.
  size_t made() const {
    // acquire: pairs with the release in MakeUpTo.
    return static_cast<size_t>(made_.load(std::memory_order_acquire));
  }
  Processor& operator[](size_t index) const { return *all_[index]; }
  template <typename F>
  void ForEach(F&& fn) const {
    for (size_t i = 0, n = made(); i < n; ++i) fn(*all_[i]);
  }

  // In nanoseconds; TimerHeap::kNever when there is none.
  int64_t EarliestTimer() const;
  bool AnyQueued() const;

  // ---- Changing the number
  void MakeUpTo(int procs);
  void SetProcs(int procs) { procs_.store(procs, std::memory_order_seq_cst); }
  // Whoever has pushed without looking for an idle processor, since it was alone, has done so before this returns.
  void NotAloneAnyMore();
  // After the number has changed.
  void PerhapsAlone();

 private:
  // Read at every switch and hardly ever written.
  std::atomic<int> procs_{0};
  std::atomic<bool> alone_{false};
  std::atomic<int> made_{0};
  std::array<std::unique_ptr<Processor>, kMaxProcs> all_;
};

class IdleProcessors {
 public:
  IdleProcessors(const Processors& all, IdleProtocol& protocol) : all_(all), protocol_(protocol) {}

  // nullptr: there is none.
  Processor* Pop() {
    Processor* processor = first_;
    if (processor == nullptr) return nullptr;
    first_ = processor->idle_next;
    ++taken_;
    protocol_.ProcessorTaken();
    return processor;
  }
  // One too many is retired instead.
  void Push(Processor& processor) {
    processor.retired = all_.TooMany(processor);
    if (processor.retired) return;
    processor.idle_next = first_;
    first_ = &processor;
    protocol_.ProcessorIdle();
  }
  // The number was `before`. Retires what is too many and brings back what was retired.
  void FollowProcs(int before);

  // How often one has been popped, ever. As long as it stands still no idle processor has come to run anything.
  uint64_t taken() const { return taken_; }
  // Each one is idle or retired. They are counted: one too many that is still held is neither, while as many as there
  // should be are idle.
  bool AllRest() const;

 private:
  const Processors& all_;
  IdleProtocol& protocol_;
  Processor* first_ = nullptr;
  uint64_t taken_ = 0;
};

}  // namespace millrace::rt
