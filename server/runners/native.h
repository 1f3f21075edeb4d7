// NativeRunner: jobs that are C++ functions of this process, registered by name.
//
//   runners::NativeRunner native;
//   native.Register({.name = "resize"}, [](dispatch::AttemptContext& attempt) {
//     return dispatch::AttemptOutcome::Succeeded(Resize(PayloadOf(attempt.spec())));
//   });
//
//   Handlers   Run on a worker's fiber, many at the same time: what they share they must guard. They look at attempt.cancel() and
//              call rt::Yield() in long computations, since fibers give way only where they say so.
//   Failures   A handler returns an outcome. What it throws becomes a failed attempt with the exception's text.
//   Threads    Register before the dispatcher starts; afterwards every call is a read.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "dispatch/runner.h"

namespace millrace::runners {

class NativeRunner final : public dispatch::Runner {
 public:
  using Handler = std::function<dispatch::AttemptOutcome(dispatch::AttemptContext&)>;

  // INVALID_ARGUMENT: no name or no handler. ALREADY_EXISTS: the name is taken.
  Status Register(dispatch::KindOptions options, Handler handler);

  std::string_view name() const override { return "native"; }
  const dispatch::KindOptions* FindKind(std::string_view kind) const override;
  std::vector<std::string> Kinds() const override;
  dispatch::AttemptOutcome Run(dispatch::AttemptContext& attempt) override;

 private:
  struct Kind {
    dispatch::KindOptions options;
    Handler handler;
  };
  std::map<std::string, Kind, std::less<>> kinds_;
};

}  // namespace millrace::runners
