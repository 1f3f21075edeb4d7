// MR_CHECK: a broken invariant stops the process and says which. It is for bugs of ours, and for misuse that a contract
// calls fatal (unlock of an unlocked mutex). Whatever a user or the world can cause is a Status.
#pragma once

namespace millrace {

// Prints "fatal error: <message>" and the place in the code, then aborts. Does not wait long for stderr, and allocates
// nothing.
[[noreturn]] void Fatal(const char* file, int line, const char* format, ...) __attribute__((format(printf, 3, 4)));

}  // namespace millrace

#define MR_FATAL(...) ::millrace::Fatal(__FILE__, __LINE__, __VA_ARGS__)

// `MR_CHECK(count >= 0, "negative WaitGroup counter: %d", count);`
#define MR_CHECK(condition, ...)                                  \
  do {                                                            \
    if (__builtin_expect(!(condition), 0)) MR_FATAL(__VA_ARGS__); \
  } while (false)
