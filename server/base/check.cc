#include "base/check.h"

#include <atomic>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>

#include "base/fatal_hook.h"
#include "base/stderr.h"

namespace millrace {

namespace {
constinit std::atomic<FatalHook> fatal_hook{nullptr};
}

void SetFatalHook(FatalHook hook) { fatal_hook.store(hook, std::memory_order_release); }

void Fatal(const char* file, int line, const char* format, ...) {
  // One write of a stack buffer: stdio's lock may be held by a thread that will never run again.
  char text[1024];
  int length = snprintf(text, sizeof text, "fatal error: ");
  va_list arguments;
  va_start(arguments, format);
  length += vsnprintf(text + length, sizeof text - length, format, arguments);
  va_end(arguments);
  if (length > static_cast<int>(sizeof text) - 128) length = static_cast<int>(sizeof text) - 128;
  length += snprintf(text + length, sizeof text - length, "\n  at %s:%d\n", file, line);
  WriteStderr({text, static_cast<size_t>(length)});
  if (FatalHook hook = fatal_hook.load(std::memory_order_acquire)) hook(__builtin_frame_address(0));
  abort();
}

}  // namespace millrace
