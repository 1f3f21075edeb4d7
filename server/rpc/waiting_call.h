// WaitingCall: a unary call that dispatch answers.
#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

#include "rpc/unary_call.h"

namespace millrace::rpc {

// A call that dispatch answers later, on any thread, unless the client goes away or the server closes first.
//
//   Who answers  Dispatch does, through the derived class, which calls Answer. Once Withdraw has taken the call back
//                from dispatch, this class does. Withdraw is true for one caller at most, so Answer is called once.
//   Fiber        While Work is under way the call does not end: an answer is kept, and that the client went away or the
//                server closes is noted, until the fiber leaves. Only then is it known whether there is something to
//                withdraw. So the fiber may touch the call, and dispatch for it, to its end, and a server that stops
//                waits for it as for any call.
//   Life         Nothing but Work touches the call after Answer.
class WaitingCall : public UnaryCall, public OpenCalls::Call {
 public:
  using UnaryCall::UnaryCall;

  void OnClosing() final { Interrupt(kClosing); }

 protected:
  // True: dispatch will not answer any more.
  virtual bool Withdraw() = 0;

  // Does `work`, which may wait for the disk, on a fiber when one of `permits` is free. `work` may Answer, or leave
  // that to dispatch. To be called at the start of the call, or by a caller whom Withdraw has told that nobody else
  // answers. Where the client has gone by then, `work` is not done.
  template <typename F>
  void Work(sync::Semaphore& permits, F work) {
    state_.fetch_add(kAtWork, std::memory_order_relaxed);
    OnFiber(backend_, [this, &permits, work = std::move(work)]() mutable {
      permits.Acquire();
      if (Interrupted()) {
        Answer(WhyInterrupted());
      } else {
        work();
      }
      permits.Release();
      Leave();
    });
  }

  void Answer(const Status& status) {
    // Nobody begins to work on a call that somebody else answers, so the count only falls.
    if (state_.load(std::memory_order_acquire) >= kAtWork) {
      answer_ = status;
      if (state_.fetch_or(kAnswered, std::memory_order_acq_rel) >= kAtWork) return;  // Whoever leaves last sends it.
    }
    Send(status);
  }

  // Whether nobody waits for the answer any more, and what it is then.
  bool Interrupted() const { return (state_.load(std::memory_order_acquire) & (kClientGone | kClosing)) != 0; }
  Status WhyInterrupted() const { return Interruption(state_.load(std::memory_order_acquire)); }

  void OnDone() override {
    backend_.open_calls.Remove(this);
    UnaryCall::OnDone();
  }

 private:
  // state_ is the sum of these flags and of kAtWork for each fiber that is at work.
  static constexpr uint32_t kAnswered = 1, kClientGone = 2, kClosing = 4, kAtWork = 8;

  void OnCancel() final { Interrupt(kClientGone); }

  // Called inside a reaction of gRPC or of OpenCalls, so the call outlives it.
  void Interrupt(uint32_t why) {
    if (state_.fetch_or(why, std::memory_order_acq_rel) >= kAtWork) return;  // Leave sees it.
    if (Withdraw()) Answer(Interruption(why));
  }

  // On the fiber.
  void Leave() {
    uint32_t state = state_.load(std::memory_order_acquire);
    do {
      const bool unheard = (state & (kClientGone | kClosing)) != 0 && (state & kAnswered) == 0;
      if (unheard && Withdraw()) {
        Answer(Interruption(state));
        state |= kAnswered;
      }
    } while (
        !state_.compare_exchange_weak(state, state - kAtWork, std::memory_order_acq_rel, std::memory_order_acquire));
    const bool last = state < 2 * kAtWork;
    if (last && (state & kAnswered) != 0) Send(answer_);
  }

  Status Interruption(uint32_t why) const { return (why & kClosing) != 0 ? ClosingStatus() : GoneStatus(); }

  std::atomic<uint32_t> state_{0};
  Status answer_;  // Set together with kAnswered.
};

}  // namespace millrace::rpc
