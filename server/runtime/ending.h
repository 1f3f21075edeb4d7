// Ending: how a machine that does not come to its next search for work is brought to rest when the run ends
// (scheduler_stop.cc has the rest of the story). Its thread is stopped for good where it is, and what it holds there
// goes with it. So it is asked first, and gets the more time the more it may hold:
//
//   20 ms    in the program's own code, or asleep for something outside
//   100 ms   in a library, whose own locks it may hold
//   200 ms   asleep for a lock, whose holder may still come free of it
//   10 s     anywhere, in the middle of malloc too
//
//   Threads   Hurry: the thread that ends the run. StopIfAllowed and Abandon: the machine's own.
#pragma once

#include <cstdint>
#include <optional>

#include "runtime/backtrace.h"
#include "runtime/machine.h"
#include "runtime/thread_state.h"

namespace millrace::rt {

class Ending {
 public:
  // Where a thread may be stopped that has had `waited_ns` to end by itself; nothing: nowhere yet. `in_call`: inside
  // rt::Blocking, where it holds what the program has chosen to hold.
  static std::optional<Machine::Stop> Allowed(int64_t waited_ns, SleepsFor what, bool in_call);

  // Asks a machine that still runs, again and again until its life says that it does not.
  static void Hurry(Machine& machine, int64_t waited_ns);

  // In the signal handler, after the run has ended. Returns if the thread may not be stopped here.
  static void StopIfAllowed(Machine& machine, const SavedFrame& interrupted);

  // Stops the calling thread for good. Nothing of it is touched again. Its fiber may own anything, so nothing is
  // released either.
  [[noreturn]] static void Abandon(Machine& machine);
};

}  // namespace millrace::rt
