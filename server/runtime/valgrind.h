// What Valgrind must be told about fibers: where their stacks are. Without it every switch looks like a write to a
// stack of megabytes. Its requests are a few instructions that do nothing on a real processor.
#pragma once

#if __has_include(<valgrind/valgrind.h>) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#include <valgrind/valgrind.h>
#define MR_HAS_VALGRIND 1
#endif

namespace millrace::rt::valgrind {

// Returns what ForgetStack wants.
inline unsigned AnnounceStack([[maybe_unused]] const void* low, [[maybe_unused]] const void* top) {
#if defined(MR_HAS_VALGRIND)
  return VALGRIND_STACK_REGISTER(low, top);
#else
  return 0;
#endif
}

inline void ForgetStack([[maybe_unused]] unsigned stack) {
#if defined(MR_HAS_VALGRIND)
  VALGRIND_STACK_DEREGISTER(stack);
#endif
}

}  // namespace millrace::rt::valgrind
