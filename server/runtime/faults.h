// A fiber that ends the process by a signal does so with its name and backtrace:
//
//   fatal error: stack overflow in fiber 17 'parser' (stack of 256 KiB; raise FiberOptions::stack_bytes or
//   RuntimeOptions::stack_bytes)
//     #0 0x... Descend(int) at parser.cc:12
//     ...
//   fatal error: SIGSEGV at address 0x8 in fiber 17 'parser'
//     ...
//
// SIGSEGV, SIGBUS, SIGFPE, SIGILL and abort(). And then as without us: by the handler that was installed before (a
// sanitizer's, a crash reporter's), else by the signal, with a core dump. Where there is such a handler, it may have a
// use for the signal: only overflows are reported then. What somebody has sent, and faults of plain threads, go
// straight to that handler or to the default.
#pragma once

namespace millrace::rt {

// Installs the handlers, once in the life of the process, and starts the reporter. Runtime::Run calls it.
void ReportFaults();

}  // namespace millrace::rt
