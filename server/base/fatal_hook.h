// A function that prints more before MR_FATAL and MR_CHECK (check.h) end the process.
#pragma once

namespace millrace {

// Called between the message and abort, with the address of Fatal's frame; the frame of its caller is above it. The
// runtime names the fiber and shows its backtrace (runtime/last_report.h). There is one hook for the process. It may be
// called on any thread.
using FatalHook = void (*)(const void* frame);
void SetFatalHook(FatalHook hook);

}  // namespace millrace
