// What the exit status of `millrace` means; README.md of client/ and --help print the same table.
#pragma once

#include "base/status.h"
#include "millrace/v1/job.pb.h"

namespace millrace::cli {

enum class ExitCode : int {
  kOk = 0,           // Done; every job waited for has succeeded.
  kJobFailed = 1,    // A job waited for FAILED.
  kDamaged = 1,      // `admin verify` found damage.
  kUsage = 2,        // Wrong arguments, or a request that the daemon calls invalid.
  kUnreachable = 3,  // No daemon there, or it is stopping; or a disk says no.
  kNotFound = 4,     // No such job, pool, kind, worker or store.
  kFull = 5,         // The pool or the process is full.
  kTimedOut = 6,     // --timeout passed.
  kJobEnded = 7,     // A job waited for was CANCELLED, EXPIRED or QUARANTINED.
  kWrongState = 8,   // The job, pool or store is in a state that does not allow this; a request id was reused.
  kDenied = 9,       // Not allowed with these credentials.
  kInternal = 10,    // A bug or a broken part, here or in the daemon.
  kInterrupted = 130,
};

ExitCode FromStatus(const Status& status);

// For a job in a terminal state.
ExitCode FromState(v1::JobState state);

// For several jobs together: kJobFailed beats kJobEnded, which beats kOk; any other code beats all three.
ExitCode Worst(ExitCode a, ExitCode b);

extern const char kExitCodeHelp[];

}  // namespace millrace::cli
