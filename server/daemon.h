// The daemon: builds every part in the order of the tree, runs until a signal, drains, and stops the parts in reverse.
//
//   Threads   The caller's thread starts and stops things and otherwise sleeps; another one reads signals
//             (end_signals.h); a third one and those it starts run the fibers; gRPC, the HTTP port and the process host
//             have their own.
//   End       SIGTERM or SIGINT: readiness and health say no, new jobs are refused, running ones get drain_timeout, the
//             rest are stopped and handed back to their queues. A second signal ends the process at once, also while it
//             starts and while it waits for its disk after the drain; the children of exec jobs die with it.
#pragma once

#include <chrono>

#include "config/config.h"
#include "signals.h"

namespace millrace {

inline constexpr int kExitDrained = 0;
inline constexpr int kExitCutShort = 1;    // A second signal.
inline constexpr int kExitNotStarted = 2;  // The log's last line says why.
inline constexpr int kExitStoreLost = 3;   // Another daemon owns the store by now.

// For the log at the end: whoever reads it may have stopped reading.
inline constexpr std::chrono::milliseconds kLastWordsPatience{1000};

// Returns the process's exit code. Once per process.
int RunDaemon(const config::Config& config, Signals& signals);

}  // namespace millrace
