#include "dispatch/runner.h"

#include <utility>

namespace millrace::dispatch {

AttemptOutcome AttemptOutcome::Succeeded(std::string output) {
  AttemptOutcome outcome;
  outcome.output = std::move(output);
  return outcome;
}

AttemptOutcome AttemptOutcome::Failed(std::string error) {
  AttemptOutcome outcome;
  outcome.result = AttemptResult::kFailed;
  outcome.error = std::move(error);
  return outcome;
}

AttemptOutcome AttemptOutcome::NotStarted(std::string error) {
  AttemptOutcome outcome = Failed(std::move(error));
  outcome.not_started = true;
  return outcome;
}

}  // namespace millrace::dispatch
