// IdleProtocol: how whoever has work and whoever runs out of it see each other, so that no fiber is left in a queue
// with a processor idle and everybody asleep. Rules 1 to 3 of scheduler.h as steps with names; Go's "delicate dance"
// (proc.go, findRunnable and wakep).
//
//   Work to give     push it; if MustWake: TryBecomeWaker, take an idle processor under the lock and wake a machine for
//                    it, which then spins on the waker's account (or CouldNotWake).
//   Looking for it   MaySpin, StartSpinning, look; with work found: StopSpinning, and if MayNeedSuccessor and there is
//                    more wake one as above.
//   Going idle       under the lock: look at the global queue, MustSpin (rule 3), else ProcessorIdle. Then
//                    StopSpinning, BeforeLastLook and, in this order, look at all queues once more. With work there:
//                    take a processor back and start anew.
//
//   Threads   Any. What says "under the lock" means the scheduler's, which guards the list of idle processors.
//   Proof     tests/model/idle_protocol_test.cc tries all orders, and each step left out or done too early.
#pragma once

#include <atomic>

namespace millrace::rt {

class IdleProtocol {
 public:
  // ---- Whoever has pushed work (rule 1)

  // The work is in a queue. True: a processor is idle and nobody is looking for work.
  bool MustWake() const {
    // Partner: the fence in BeforeLastLook. Acquire and release would let both sides miss each other.
    std::atomic_thread_fence(std::memory_order_seq_cst);
    return LooksIdle();
  }
  // One at a time: a machine is woken spinning only when none spins. False: somebody else does it, and will see the
  // work.
  bool TryBecomeWaker() {
    int nobody = 0;
    return spinning_.compare_exchange_strong(nobody, 1, std::memory_order_seq_cst);
  }
  // The waker has not found an idle processor. Under the lock.
  void CouldNotWake() {
    need_spinning_.store(true, std::memory_order_relaxed);  // Rule 3.
    spinning_.fetch_sub(1, std::memory_order_seq_cst);
  }

  // ---- A machine that looks for work

  // At most half of the busy processors' machines search at a time: more would only fight over the same queues.
  bool MaySpin(int processors) const {
    int busy = processors - idle_processors_.load(std::memory_order_relaxed);
    return 2 * spinning_.load(std::memory_order_relaxed) < busy;
  }
  void StartSpinning() {
    need_spinning_.store(false, std::memory_order_relaxed);
    spinning_.fetch_add(1, std::memory_order_seq_cst);
  }
  void StopSpinning() { spinning_.fetch_sub(1, std::memory_order_seq_cst); }
  // Rule 2, after StopSpinning with work found. Whoever pushed while we were spinning left it to us; whoever pushes
  // from now on sees that we are not. True: if there is more work, or a timer that nobody watches, one must be woken.
  bool MayNeedSuccessor() const { return MustWake(); }

  // ---- A machine that goes idle

  // Under the lock, when it does not spin: somebody could not wake a machine for work that may be out of our sight
  // (rule 3).
  bool MustSpin() const { return need_spinning_.load(std::memory_order_relaxed); }
  // Under the lock: one came into the list of idle processors, or left it.
  void ProcessorIdle() { idle_processors_.fetch_add(1, std::memory_order_seq_cst); }
  void ProcessorTaken() { idle_processors_.fetch_sub(1, std::memory_order_seq_cst); }
  // The processor is in the list and we do not spin any more: whoever pushes from here on wakes somebody. What was
  // pushed before is seen by looking at all queues after this.
  void BeforeLastLook() const {
    std::atomic_thread_fence(std::memory_order_seq_cst);
  }  // Partner: the fence in MustWake.

  // ---- A moment's view
  // MustWake, without the barrier that makes it sure.
  bool LooksIdle() const {
    return idle_processors_.load(std::memory_order_relaxed) > 0 && spinning_.load(std::memory_order_relaxed) == 0;
  }
  int spinning() const { return spinning_.load(std::memory_order_relaxed); }
  int idle_processors() const { return idle_processors_.load(std::memory_order_seq_cst); }

 private:
  std::atomic<int> spinning_{0};
  std::atomic<int> idle_processors_{0};
  std::atomic<bool> need_spinning_{false};  // Read and set under the lock, cleared by whoever spins.
};

}  // namespace millrace::rt
