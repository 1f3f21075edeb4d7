#include "io/signal.h"

#include <signal.h>

#include <string>
#include <utility>

#include "base/check.h"
#include "io/await.h"
#include "io/io_error.h"
#include "io/process.h"
#include "runtime/preempt.h"

namespace millrace::io {

struct Signals::State {
  asio::signal_set set{Context()};
};

Signals::Signals(std::unique_ptr<State> state) : state_(std::move(state)) {}
Signals::~Signals() = default;
Signals::Signals(Signals&&) noexcept = default;
Signals& Signals::operator=(Signals&&) noexcept = default;

Result<Signals> Signals::Catch(std::initializer_list<int> signals) {
  auto state = std::make_unique<State>();
  for (int each : signals) {
    if (each == rt::kPreemptSignal)
      return InvalidArgument("BAD_SIGNAL", "cannot catch " + SignalName(each) + ": the runtime stops fibers with it");
    std::error_code error;
    state->set.add(each, error);
    if (error) return InvalidArgument("BAD_SIGNAL", "cannot catch " + SignalName(each) + ": " + error.message());
    // Asio's handler comes without these two. It runs on the stack of whatever fiber it meets unless told otherwise,
    // and would cut short the system calls of libraries that do not expect it.
    struct sigaction action {};
    sigaction(each, nullptr, &action);
    action.sa_flags |= SA_RESTART | SA_ONSTACK;
    sigaction(each, &action, nullptr);
  }
  return Signals(std::move(state));
}

Result<int> Signals::Next(const Until& until) {
  MR_CHECK(state_ != nullptr, "Next was called on Signals that have been moved from");
  std::error_code error;
  int signal = state_->set.async_wait(await(until)[error]);
  if (!error) return signal;
  if (error == asio::error::operation_aborted || error == std::errc::timed_out) {
    return StoppedError(until, error != std::errc::timed_out, "cannot wait for a signal");
  }
  return IoError(error.value(), "cannot wait for a signal");
}

}  // namespace millrace::io
