#include "runners/native.h"

#include <exception>
#include <utility>

#include "runners/text.h"

namespace millrace::runners {

using dispatch::AttemptContext;
using dispatch::AttemptOutcome;
using dispatch::KindOptions;

namespace {
// An error is shown in lists and kept with the job; what is longer belongs into the log.
constexpr size_t kErrorBytesMax = 4096;
}  // namespace

Status NativeRunner::Register(KindOptions options, Handler handler) {
  std::string name = options.name;
  if (name.empty()) return InvalidArgument("BAD_KIND", "a native kind needs a name");
  if (!handler) return InvalidArgument("BAD_KIND", "native kind '" + name + "' has no handler").With("kind", name);
  if (!kinds_.try_emplace(name, Kind{std::move(options), std::move(handler)}).second) {
    return AlreadyExists("KIND_EXISTS", "native kind '" + name + "' is registered twice").With("kind", name);
  }
  return OkStatus();
}

const KindOptions* NativeRunner::FindKind(std::string_view kind) const {
  auto found = kinds_.find(kind);
  return found == kinds_.end() ? nullptr : &found->second.options;
}

std::vector<std::string> NativeRunner::Kinds() const {
  std::vector<std::string> names;
  for (const auto& [name, kind] : kinds_) names.push_back(name);
  return names;
}

AttemptOutcome NativeRunner::Run(AttemptContext& attempt) {
  auto found = kinds_.find(attempt.spec().kind);
  if (found == kinds_.end())
    return AttemptOutcome::Failed("no native handler is registered for kind '" + attempt.spec().kind + "'");
  AttemptOutcome outcome;
  try {
    outcome = found->second.handler(attempt);
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
