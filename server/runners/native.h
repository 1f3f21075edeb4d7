// NativeRunner: jobs that are C++ functions of this process, registered by name.
//
//   runners::NativeRunner native;
//   native.Register({.name = "resize"}, [](dispatch::AttemptContext& attempt) {
//     return dispatch::AttemptOutcome::Succeeded(Resize(PayloadOf(attempt.spec())));
//   });
//
//   Handlers   Run on a worker's fiber, many at the same time: what they share they must guard. They look at
//              attempt.cancel() in long computations, and wait only through sync/ and io/, which park the fiber and not
//              its thread. They need not call rt::Yield(): a fiber that computes for longer than its turn is preempted
//              (runtime/README.md).
//   Failures   A handler returns an outcome. What it throws becomes a failed attempt with the exception's text.
//   Threads    Register before the dispatcher starts; everything else from any thread, while jobs run
//              (runners/kind_table.h).
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "dispatch/runner.h"
#include "runners/kind_table.h"

namespace millrace::runners {

class NativeRunner final : public dispatch::Runner {
 public:
  static constexpr std::string_view kName = "native";

  using Handler = std::function<dispatch::AttemptOutcome(dispatch::AttemptContext&)>;
  using Kind = KindTable<Handler>::Kind;

  // INVALID_ARGUMENT: it is no name of a kind (job/validate.h), or there is no handler. ALREADY_EXISTS: it is taken.
  Status Register(dispatch::KindOptions options, Handler handler);
  // From now on these are all; they have handlers, and names that differ. Attempts that run go on with theirs.
  void Replace(std::vector<Kind> kinds) { kinds_.Replace(std::move(kinds)); }

  std::string_view name() const override { return kName; }
  const dispatch::KindOptions* FindKind(std::string_view kind) const override { return kinds_.FindOptions(kind); }
  std::vector<std::string> Kinds() const override { return kinds_.Names(); }
  dispatch::AttemptOutcome Run(dispatch::AttemptContext& attempt) override;

 private:
  KindTable<Handler> kinds_{kName};
};

}  // namespace millrace::runners
