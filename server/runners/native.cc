#include "runners/native.h"

#include <exception>
#include <utility>

#include "job/validate.h"
#include "runners/text.h"

namespace millrace::runners {

using dispatch::AttemptContext;
using dispatch::AttemptOutcome;
using dispatch::KindOptions;

namespace {
// An error is shown in lists and kept with the job; a longer text belongs in the log.
constexpr size_t kErrorBytesMax = 4096;
}  // namespace

Status NativeRunner::Register(KindOptions options, Handler handler) {
  const std::string& name = options.name;
  if (!IsKindName(name)) {
    return InvalidArgument("BAD_KIND",
                           "native kind '" + Printable(name, 64) + "': a name is 1 to 63 of A-Z a-z 0-9 . _ -");
  }
  if (!handler) return InvalidArgument("BAD_KIND", "native kind '" + name + "' has no handler").With("kind", name);
  return kinds_.Add({std::move(options), std::move(handler)});
}

AttemptOutcome NativeRunner::Run(AttemptContext& attempt) {
  const Kind* kind = kinds_.Find(attempt.spec().kind);
  if (kind == nullptr) {
    return AttemptOutcome::Failed("no native handler is registered for kind '" + attempt.spec().kind + "'");
  }
  AttemptOutcome outcome;
  try {
    outcome = kind->own(attempt);
  } catch (const std::exception& error) {
    outcome = AttemptOutcome::Failed(error.what());
  } catch (...) {
    outcome = AttemptOutcome::Failed("the handler threw something that is no std::exception");
  }
  if (outcome.result == AttemptResult::kSucceeded && outcome.output.size() > kResultBytesMax) {
    return AttemptOutcome::Failed("the result has " + std::to_string(outcome.output.size()) + " bytes; " +
                                  std::to_string(kResultBytesMax) + " is the limit");
  }
  outcome.error = Printable(outcome.error, kErrorBytesMax);
  return outcome;
}

}  // namespace millrace::runners
