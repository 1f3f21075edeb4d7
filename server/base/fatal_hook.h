// What else there is to say before MR_FATAL and MR_CHECK (check.h) end the process.
#pragma once

namespace millrace {

// Called between the message and abort, with the address of Fatal's frame, above which its caller's is. The runtime
// names the fiber and shows its backtrace (runtime/last_report.h). One hook for the process; any thread.
using FatalHook = void (*)(const void* frame);
void SetFatalHook(FatalHook hook);

}  // namespace millrace
