#include "client/outcome.h"

#include <google/protobuf/stubs/common.h>

#include <algorithm>
#include <cstdint>
#include <utility>

namespace millrace::client {

namespace {

constexpr size_t kTextBytesMax = 4096;

}  // namespace

Outcome Outcome::Success(std::string result) {
  Outcome outcome;
  outcome.succeeded = true;
  outcome.result = std::move(result);
  return outcome;
}

Outcome Outcome::Failure(std::string error) {
  Outcome outcome;
  outcome.error = std::move(error);
  return outcome;
}

std::string ToText(std::string text) {
  namespace utf8 = google::protobuf::internal;
  if (text.size() > kTextBytesMax) text.resize(kTextBytesMax);
  if (utf8::IsStructurallyValidUTF8(text)) return text;
  std::string copy(text.size(), '\0');
  return {utf8::UTF8CoerceToStructurallyValid(text, copy.data(), '?'), text.size()};
}

v1::AttemptEnd ToEnd(Outcome outcome, const v1::AttemptRef& ref, int64_t result_bytes_max) {
  v1::AttemptEnd end;
  *end.mutable_ref() = ref;
  if (outcome.succeeded && outcome.result.size() > kMessageResultBytesMax) {
    const int64_t most = std::max(result_bytes_max, static_cast<int64_t>(kMessageResultBytesMax));
    const char* whose = result_bytes_max > 0 ? "result_bytes_max of the daemon's configuration"
                                             : "of a daemon of this version; a newer one may take more";
    outcome = Outcome::Failure("the result has " + std::to_string(outcome.result.size()) + " bytes, and " +
                               std::to_string(most) + " are the limit (" + whose +
                               "); store it elsewhere and return a reference");
    outcome.do_not_retry = true;
  }
  if (outcome.succeeded) {
    end.set_result(std::move(outcome.result));
    return end;
  }
  v1::AttemptFailure& failure = *end.mutable_failure();
  failure.set_error(ToText(std::move(outcome.error)));
  failure.set_do_not_retry(outcome.do_not_retry);
  if (outcome.retry_after && *outcome.retry_after >= std::chrono::milliseconds(0)) {
    failure.mutable_retry_after()->set_seconds(outcome.retry_after->count() / 1000);
    failure.mutable_retry_after()->set_nanos(static_cast<int32_t>(outcome.retry_after->count() % 1000 * 1'000'000));
  }
  return end;
}

}  // namespace millrace::client
