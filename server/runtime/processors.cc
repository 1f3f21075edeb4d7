#include "runtime/processors.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "runtime/preempt.h"
#include "runtime/sanitizers.h"

namespace millrace::rt {

Processors::Processors(int procs) {
  procs_.store(procs, std::memory_order_relaxed);
  MakeUpTo(procs);
  PerhapsAlone();
}

void Processors::MakeUpTo(int procs) {
  for (int i = made_.load(std::memory_order_relaxed); i < procs; ++i) {
    auto processor = std::make_unique<Processor>();
    processor->index = i;
    sanitizers::Release(processor.get());  // Partners: Hold, Arrive.
    all_[static_cast<size_t>(i)] = std::move(processor);
    // release: pairs with the acquire in `made`.
    made_.store(i + 1, std::memory_order_release);
  }
}

void Processors::NotAloneAnyMore() {
  if (alone_.exchange(false, std::memory_order_seq_cst))
    MR_CHECK(ProcessBarrier(), "membarrier(2) worked and does not any more");
}

// Without membarrier(2) NotAloneAnyMore would have nothing to rely on.
void Processors::PerhapsAlone() { alone_.store(procs() == 1 && ProcessBarrier(), std::memory_order_relaxed); }

int64_t Processors::EarliestTimer() const {
  int64_t earliest = TimerHeap::kNever;
  ForEach([&](const Processor& processor) { earliest = std::min(earliest, processor.timers.earliest_ns()); });
  return earliest;
}

bool Processors::AnyQueued() const {
  bool queued = false;
  ForEach([&](const Processor& processor) { queued = queued || !processor.run_queue.Empty(); });
  return queued;
}

void IdleProcessors::FollowProcs(int before) {
  Processor** link = &first_;
  while (Processor* processor = *link) {
    if (!all_.TooMany(*processor)) {
      link = &processor->idle_next;
      continue;
    }
    *link = processor->idle_next;
    processor->retired = true;
    protocol_.ProcessorTaken();
  }
  for (int i = before; i < all_.procs(); ++i) {
    // One that was retired and is still held has just not noticed; it stays.
    Processor& processor = all_[static_cast<size_t>(i)];
    if (processor.retired) Push(processor);
  }
}

bool IdleProcessors::AllRest() const {
  size_t resting = 0;
  for (const Processor* processor = first_; processor != nullptr; processor = processor->idle_next) ++resting;
  all_.ForEach([&](const Processor& processor) { resting += processor.retired ? 1 : 0; });
  return resting == all_.made();
}

}  // namespace millrace::rt
