// The last report: which fiber brings the process down, and where it stands.
//
//   fatal error: send on closed channel
//     at server/sync/channel.cc:12
//   fiber 17 'worker':
//     #0 0x... millrace::sync::Channel<int>::Send(int) at server/sync/channel.h:40
//     #1 0x... HandleJob() at worker.cc:31
//     ...
//
// For MR_FATAL and MR_CHECK it comes after their message, for std::terminate before that of the C++ library or of the
// program's own handler. Signals are in faults.h.
//
//   Threads   Any. The first one speaks; others that die meanwhile wait for the end of the process. Nothing is said on
//             plain threads.
//   Needs     The reporter (reporter.h), for names and lines; without it, or when it waits for a lock that the fiber
//             holds, bare addresses are written.
#pragma once

#include "runtime/backtrace.h"

namespace millrace::rt {

struct Fiber;

// From now on fatal errors and std::terminate are reported; starts the reporter. Once in the life of the process.
// Runtime::Run calls it.
void ReportFatalErrors();

// False: the calling thread has made its report. Does not return while another thread makes one. Async-signal-safe.
bool BeginLastReport();

enum class At : uint8_t { kInstruction, kReturnAddress };
// After BeginLastReport: the backtrace of the fiber, which stands at `frame`. Async-signal-safe.
void WriteFrames(const Fiber& fiber, SavedFrame frame, At at);

}  // namespace millrace::rt
