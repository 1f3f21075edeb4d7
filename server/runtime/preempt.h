// What a signal may do to the calling thread, in one thread-local word:
//
//   0              User code on a fiber: the preemption signal may stop it here, wherever that is.
//   1, 2, ...      It holds that many runtime locks. It must not be stopped, since others would wait for the lock; its
//                  processor may be taken away, though, while it sleeps in the kernel (say in malloc, under the lock).
//   kPinned, ...   It works with its processor: neither.
//
// Whoever changes the word does it in one instruction on the thread's own memory, so no signal comes in between, and
// the compiler has no address of it that it could keep while the fiber moves to another thread. Sysmon reads the word
// of another thread after a membarrier(2), which is why no fence is needed here (Dekker's protocol with the fence on
// the rare side only).
#pragma once

#include <csignal>
#include <cstdint>

namespace millrace::rt {

struct Machine;

namespace internal {

inline constexpr uint32_t kPinned = 0x10000;

#if defined(__x86_64__)
extern constinit thread_local uint32_t preempt_word asm("millrace_preempt_word");
template <uint32_t kAmount>
inline void AddToPreemptWord() {
  asm volatile("addl %0, %%fs:millrace_preempt_word@tpoff" ::"i"(kAmount) : "memory", "cc");
}
template <uint32_t kAmount>
inline void SubtractFromPreemptWord() {
  asm volatile("subl %0, %%fs:millrace_preempt_word@tpoff" ::"i"(kAmount) : "memory", "cc");
}
#else
extern constinit thread_local uint32_t preempt_word;
// Out of line: inlined, the address might be remembered across a switch.
void ChangePreemptWord(uint32_t amount);
template <uint32_t kAmount>
inline void AddToPreemptWord() {
  ChangePreemptWord(kAmount);
}
template <uint32_t kAmount>
inline void SubtractFromPreemptWord() {
  ChangePreemptWord(-kAmount);
}
#endif

}  // namespace internal

// Around a runtime lock.
inline void DisablePreemption() { internal::AddToPreemptWord<1>(); }
inline void EnablePreemption() { internal::SubtractFromPreemptWord<1>(); }

// Around work with the processor. Allocates nothing, takes no lock that user code can hold.
inline void Pin() { internal::AddToPreemptWord<internal::kPinned>(); }
inline void Unpin() { internal::SubtractFromPreemptWord<internal::kPinned>(); }

class PinScope {
 public:
  PinScope() { Pin(); }
  ~PinScope() { Unpin(); }
  PinScope(const PinScope&) = delete;
  PinScope& operator=(const PinScope&) = delete;
};

// Go's choice as well: debuggers pass it on silently, hardly anybody uses it, and its default action is to be ignored.
inline constexpr int kPreemptSignal = SIGURG;

// Can fibers be stopped by a signal in this build? ThreadSanitizer holds signals back until the next intercepted call
// (llvm#83844), which would make preemption something else than what is shipped; there fibers only switch where they
// wait.
#if defined(__SANITIZE_THREAD__)
inline constexpr bool kPreemptionWorks = false;
#else
inline constexpr bool kPreemptionWorks = true;
#endif

// Once for the process. A SIGURG that does not come from the runtime goes on to the handler that was there before.
void InstallPreemptHandler();

// Asks the thread to stop its fiber, or to answer a TraceRequest (trace_running.h). It decides itself whether it may
// (Scheduler::OnPreemptSignal). Any thread.
void SendPreemptSignal(const Machine& machine);

// Makes every running thread of the process pass a full memory barrier. False: the kernel cannot (or must not) do that.
bool ProcessBarrier();

}  // namespace millrace::rt
