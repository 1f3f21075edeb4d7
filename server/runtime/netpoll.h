// What an idle machine asks of an I/O poller. The runtime's own answer, SleepPoller, knows timers only; io/ will bring one that
// also waits for sockets, pipes and children.
//
// Duties of a poller (as Go's netpoll.go lists them):
//   Wait       One machine at a time (the scheduler sees to it), without a processor. Returns when something it watches is
//              ready, when `deadline_ns` has passed, or after Interrupt; may return early.
//   Poll       As Wait without waiting; from busy machines now and then. True: something became ready.
//   Interrupt  Any thread. Makes the present Wait, or else the next one, return at once.
//   Readying   Handlers run inside Wait and Poll on the machine's own stack and only call Ready.
#pragma once

#include <atomic>
#include <cstdint>

namespace millrace::rt {

class Netpoller {
 public:
  virtual ~Netpoller() = default;
  virtual void Wait(int64_t deadline_ns) = 0;
  virtual bool Poll() = 0;
  virtual void Interrupt() = 0;
};

class SleepPoller final : public Netpoller {
 public:
  void Wait(int64_t deadline_ns) override;
  bool Poll() override { return false; }
  void Interrupt() override;

 private:
  std::atomic<uint32_t> interrupted_{0};
};

}  // namespace millrace::rt
