// What the runtime asks of an I/O poller. Its own, SleepPoller, knows timers only; io/ brings one that also waits for
// sockets, pipes and children (UseNetpoller in runtime.h).
//
// Duties of a poller (as Go's netpoll.go lists them):
//   Wait       One machine at a time (the scheduler sees to it), without a processor: it may therefore wait for locks
//              that fibers hold. Returns when something it watches became ready, when `deadline_ns` (CLOCK_MONOTONIC)
//              has passed, or after Interrupt; may return early.
//   Watching   Does anybody wait for I/O? While true the runtime keeps a machine in Wait, also when all processors are
//              busy.
//   Interrupt  Any thread. Makes the present Wait, or else the next one, return at once.
//   Readying   Handlers run inside Wait on the machine's own stack and only call Ready.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "base/thread_annotations.h"
#include "base/thread_mutex.h"

namespace millrace::rt {

class Netpoller {
 public:
  virtual ~Netpoller() = default;
  virtual void Wait(int64_t deadline_ns) = 0;
  virtual bool Watching() const = 0;
  virtual void Interrupt() = 0;
};

class SleepPoller final : public Netpoller {
 public:
  void Wait(int64_t deadline_ns) override;
  bool Watching() const override { return false; }
  void Interrupt() override;

 private:
  std::atomic<uint32_t> interrupted_{0};
};

// The poller of a runtime: a SleepPoller until a program brings another one, once.
class NetpollerSlot {
 public:
  Netpoller& Get() const { return *present_.load(std::memory_order_seq_cst); }
  // On a fiber, since `make` may allocate and lock. All callers get what the first one has made.
  Netpoller& Use(std::unique_ptr<Netpoller> (*make)());

 private:
  SleepPoller sleep_poller_;
  ThreadMutex mutex_;  // One makes it.
  std::unique_ptr<Netpoller> made_ MR_GUARDED_BY(mutex_);
  std::atomic<Netpoller*> present_{&sleep_poller_};
};

}  // namespace millrace::rt
