// Signals of the process, awaited on a fiber.
//
//   auto signals = io::Signals::Catch({SIGTERM, SIGHUP});
//   Result<int> signal = signals->Next();
//
//   Catching   From Catch on the signals do nothing but be counted here; one that comes while nobody waits is kept.
//              When the last Signals that catches it is gone a signal has its default effect again.
//   Several    Each Signals that catches a signal gets it.
//   Blocked    A signal blocked in all threads does not arrive. Calls of other code are restarted when one does
//              (SA_RESTART).
//   Callers    One fiber at a time.
#pragma once

#include <initializer_list>
#include <memory>

#include "base/status.h"
#include "io/until.h"

namespace millrace::io {

class Signals {
 public:
  // INVALID_ARGUMENT BAD_SIGNAL: there is no such signal, or it cannot be caught (SIGKILL).
  static Result<Signals> Catch(std::initializer_list<int> signals);
  ~Signals();
  Signals(Signals&&) noexcept;
  Signals& operator=(Signals&&) noexcept;

  // The number of the next one.
  Result<int> Next(const Until& until = {});

 private:
  struct State;
  explicit Signals(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace millrace::io
