// What AddressSanitizer and ThreadSanitizer must be told about fibers. Empty in other builds.
//
// ASan must know the bounds of the stack that is being entered. TSan sees every fiber as a thread of its own; a switch
// alone is no synchronisation (no_sync), so a race between two fibers of one machine is still reported. What does order
// fibers is Ready -> resume, said with Release and Acquire here, and our atomics.
//
// The runtime's own work must order nothing else: two fibers that went through the same queue, heap or lock of ours
// have not synchronised, and a race between them is one. So all of it is hidden from TSan (IgnoreScope), on machines'
// own stacks, in sysmon and the housekeeper, and where fibers do it. In return what does order fibers is said where
// they do it: a fiber that parks releases what its ParkCommit will unlock (Park).
//
// Code that touches a machine's or processor's plain fields from a fiber's stack is marked MR_NO_TSAN: for TSan the
// fiber is another thread than the machine's own stack, though in truth both are one.
#pragma once

#include <cstddef>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>

#include <thread>

extern "C" {
void AnnotateIgnoreSyncBegin(const char* file, int line);
void AnnotateIgnoreSyncEnd(const char* file, int line);
void AnnotateIgnoreReadsBegin(const char* file, int line);
void AnnotateIgnoreReadsEnd(const char* file, int line);
void AnnotateIgnoreWritesBegin(const char* file, int line);
void AnnotateIgnoreWritesEnd(const char* file, int line);
}
#endif

#if defined(__SANITIZE_THREAD__)
#define MR_NO_TSAN __attribute__((no_sanitize("thread"), noinline))
#else
#define MR_NO_TSAN
#endif

// For functions that look at memory which others write and which may be poisoned: other fibers' stacks and control
// blocks.
#define MR_NO_SANITIZE __attribute__((no_sanitize("address", "thread", "undefined"), noinline))

namespace millrace::rt::sanitizers {

// Before leaving a stack for good or for a while. `save` null: the stack being left is not used again.
inline void StartSwitch([[maybe_unused]] void** save, [[maybe_unused]] const void* to_low,
                        [[maybe_unused]] size_t to_bytes) {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(save, to_low, to_bytes);
#endif
}

// First thing on the stack entered; `from_*` receive the bounds of the stack that was left.
inline void FinishSwitch([[maybe_unused]] void* save, [[maybe_unused]] const void** from_low = nullptr,
                         [[maybe_unused]] size_t* from_bytes = nullptr) {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(save, from_low, from_bytes);
#endif
}

inline void Unpoison([[maybe_unused]] void* low, [[maybe_unused]] size_t bytes) {
#if defined(__SANITIZE_ADDRESS__)
  __asan_unpoison_memory_region(low, bytes);
#endif
}

inline void* CreateFiber() {
#if defined(__SANITIZE_THREAD__)
  return __tsan_create_fiber(0);
#else
  return nullptr;
#endif
}

// libstdc++ counts references without atomics while the process has one thread. For TSan fibers are threads, also on
// one machine.
inline void LeaveSingleThreadedMode() {
#if defined(__SANITIZE_THREAD__)
  std::thread([] {}).join();
#endif
}

inline void* CurrentThread() {
#if defined(__SANITIZE_THREAD__)
  return __tsan_get_current_fiber();
#else
  return nullptr;
#endif
}

inline void DestroyFiber([[maybe_unused]] void* fiber) {
#if defined(__SANITIZE_THREAD__)
  if (fiber != nullptr) __tsan_destroy_fiber(fiber);
#endif
}

// Right before the registers are switched, in a function that is MR_NO_TSAN.
inline void SwitchTo([[maybe_unused]] void* fiber) {
#if defined(__SANITIZE_THREAD__)
  __tsan_switch_to_fiber(fiber, __tsan_switch_to_fiber_no_sync);
#endif
}

// TSan sees no access and no synchronisation of this fiber, or of a machine's own stack, until the end of the scope. No
// fiber is left in it.
class IgnoreScope {
 public:
#if defined(__SANITIZE_THREAD__)
  IgnoreScope() {
    AnnotateIgnoreSyncBegin(__FILE__, __LINE__);
    AnnotateIgnoreReadsBegin(__FILE__, __LINE__);
    AnnotateIgnoreWritesBegin(__FILE__, __LINE__);
  }
  ~IgnoreScope() {
    AnnotateIgnoreWritesEnd(__FILE__, __LINE__);
    AnnotateIgnoreReadsEnd(__FILE__, __LINE__);
    AnnotateIgnoreSyncEnd(__FILE__, __LINE__);
  }
#else
  IgnoreScope() {}
  ~IgnoreScope() {}
#endif
  IgnoreScope(const IgnoreScope&) = delete;
  IgnoreScope& operator=(const IgnoreScope&) = delete;
};

inline void Release([[maybe_unused]] void* address) {
#if defined(__SANITIZE_THREAD__)
  __tsan_release(address);
#endif
}

// As Release, in an IgnoreScope too: what a machine did on its own stack, which is all that it knows of.
inline void Publish([[maybe_unused]] void* address) {
#if defined(__SANITIZE_THREAD__)
  AnnotateIgnoreSyncEnd(__FILE__, __LINE__);
  __tsan_release(address);
  AnnotateIgnoreSyncBegin(__FILE__, __LINE__);
#endif
}

inline void Acquire([[maybe_unused]] void* address) {
#if defined(__SANITIZE_THREAD__)
  __tsan_acquire(address);
#endif
}

}  // namespace millrace::rt::sanitizers
