// A fiber that overruns its stack ends the process with its name and backtrace:
//
//   fatal error: stack overflow in fiber 17 'parser' (stack of 256 KiB; raise FiberOptions::stack_bytes or RuntimeOptions::stack_bytes)
//     #0 0x... Descend(int) at parser.cc:12
//     ...
//
// and then as without us: by the handler that was installed before (a sanitizer's, a crash reporter's), else by SIGSEGV with a core dump.
// All other faults go straight to that handler, or to the default.
#pragma once

namespace millrace::rt {

// Installs the handler for SIGSEGV and SIGBUS, once in the life of the process, and starts the reporter. Runtime::Run calls it.
void ReportStackOverflows();

}  // namespace millrace::rt
