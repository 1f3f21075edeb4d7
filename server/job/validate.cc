#include "job/validate.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <utility>

#include "job/retry.h"

namespace millrace {

namespace {

Status Bad(std::string reason, std::string message, std::string field) {
  return InvalidArgument(std::move(reason), std::move(message)).Field(std::move(field));
}

// Exact, in the largest unit that divides it: "366 days", "90 s", "1 ns".
std::string Exactly(Nanos time) {
  constexpr std::pair<int64_t, const char*> kUnits[] = {
      {86'400'000'000'000, " days"}, {1'000'000'000, " s"}, {1'000'000, " ms"}, {1'000, " us"}, {1, " ns"}};
  if (time == Nanos(0)) return "0 s";
  for (const auto& [nanos, unit] : kUnits) {
    if (time.count() % nanos == 0) return std::to_string(time.count() / nanos) + unit;
  }
  return "";
}

bool IsPrintable(std::string_view text) {  // Control characters would garble logs and tables.
  return std::none_of(text.begin(), text.end(), [](char c) { return std::iscntrl(static_cast<unsigned char>(c)); });
}

// `field` is `in`.`name`. As views: every submit comes here, and a string for each name costs more than the rest.
Status ValidateDuration(const std::optional<Nanos>& value, Nanos least, Nanos most, std::string_view in,
                        std::string_view name) {
  if (!value || (*value >= least && *value <= most)) return OkStatus();
  return DurationOutOfRange(Exactly(*value), least, most, std::string(in) + "." + std::string(name));
}

// Not isalnum, which goes by the locale.
bool IsLowerOrDigit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

template <typename Allowed>
bool IsName(std::string_view name, Allowed allowed) {
  return !name.empty() && name.size() <= kNameBytesMax && std::all_of(name.begin(), name.end(), allowed);
}

}  // namespace

Status DurationOutOfRange(const std::string& value, Nanos least, Nanos most, const std::string& field) {
  return Bad("BAD_DURATION", field + " is " + value + "; give a time from " + Exactly(least) + " to " + Exactly(most),
             field);
}

bool IsPoolName(std::string_view name) {
  return IsName(name, [](char c) { return IsLowerOrDigit(c) || c == '_' || c == '-'; });
}

bool IsKindName(std::string_view name) {
  return IsName(name,
                [](char c) { return IsLowerOrDigit(c) || (c >= 'A' && c <= 'Z') || c == '_' || c == '-' || c == '.'; });
}

Status ValidateDeadline(const JobSpec& spec) {
  if (!spec.run_at || !spec.deadline || *spec.deadline > *spec.run_at) return OkStatus();
  return Bad("DEADLINE_BEFORE_RUN_AT", "spec.deadline is not after spec.run_at, so the job could never run",
             "spec.deadline");
}

Status ValidateRequestId(std::string_view request_id) {
  if (request_id.size() <= kRequestIdBytesMax && IsPrintable(request_id)) return OkStatus();
  return Bad("BAD_REQUEST_ID",
             "request_id must be at most " + std::to_string(kRequestIdBytesMax) +
                 " bytes without control characters; a UUID is customary",
             "request_id");
}

Status ValidateRetry(const RetryOverrides& retry, std::string_view field) {
  const auto named = [field](const char* name) { return std::string(field) + "." + name; };
  if (retry.max_attempts && (*retry.max_attempts < 1 || *retry.max_attempts > kMaxAttemptsLimit)) {
    return Bad("BAD_RETRY",
               named("max_attempts") + " is " + std::to_string(*retry.max_attempts) + "; give 1 to " +
                   std::to_string(kMaxAttemptsLimit),
               named("max_attempts"));
  }
  MR_RETURN_IF_ERROR(ValidateDuration(retry.initial_backoff, Nanos(0), kDelayMax, field, "initial_backoff"));
  MR_RETURN_IF_ERROR(ValidateDuration(retry.max_backoff, Nanos(0), kDelayMax, field, "max_backoff"));
  // Written so that a NaN fails.
  if (retry.multiplier && !(*retry.multiplier >= 1 && *retry.multiplier <= kMultiplierLimit)) {
    return Bad("BAD_RETRY",
               named("backoff_multiplier") + " is " + std::to_string(*retry.multiplier) + "; give 1 to 100",
               named("backoff_multiplier"));
  }
  return OkStatus();
}

Status ValidateSpec(const JobSpec& spec, size_t payload_bytes_max) {
  if (spec.kind.empty()) return Bad("KIND_MISSING", "spec.kind is empty; name what to run", "spec.kind");
  if (!IsKindName(spec.kind)) {
    return Bad("BAD_KIND", "spec.kind must be 1 to " + std::to_string(kNameBytesMax) + " of [A-Za-z0-9._-]",
               "spec.kind");
  }
  if (!spec.pool.empty() && !IsPoolName(spec.pool)) {
    return Bad("BAD_POOL", "spec.pool must be 1 to " + std::to_string(kNameBytesMax) + " of [a-z0-9_-]", "spec.pool");
  }
  if (PayloadOf(spec).size() > payload_bytes_max) {
    return Bad("PAYLOAD_TOO_LARGE",
               "the payload has " + std::to_string(PayloadOf(spec).size()) + " bytes, the limit is " +
                   std::to_string(payload_bytes_max) + "; store it elsewhere and send a reference",
               "spec.payload")
        .With("bytes", static_cast<int64_t>(PayloadOf(spec).size()))
        .With("limit", static_cast<int64_t>(payload_bytes_max));
  }
  if (spec.delay && spec.run_at) {
    return Bad("DELAY_AND_RUN_AT", "give spec.delay or spec.run_at, not both", "spec.delay");
  }
  MR_RETURN_IF_ERROR(ValidateDuration(spec.delay, Nanos(0), kDelayMax, "spec", "delay"));
  MR_RETURN_IF_ERROR(ValidateDuration(spec.run_timeout, kRunTimeoutMin, kRunTimeoutMax, "spec", "run_timeout"));
  MR_RETURN_IF_ERROR(ValidateRetry(spec.retry, "spec.retry"));
  MR_RETURN_IF_ERROR(ValidateDeadline(spec));
  if (spec.deadline && spec.deadline_after) {
    return Bad("DEADLINE_TWICE", "give spec.deadline or spec.deadline_after, not both", "spec.deadline_after");
  }
  MR_RETURN_IF_ERROR(ValidateDuration(spec.deadline_after, kRunTimeoutMin, kDelayMax, "spec", "deadline_after"));
  if (spec.delay && spec.deadline_after && *spec.deadline_after <= *spec.delay) {
    return Bad("DEADLINE_BEFORE_RUN_AT",
               "spec.deadline_after is not longer than spec.delay, so the job could never run", "spec.deadline_after");
  }
  if (spec.unique_key) {
    const std::string& key = spec.unique_key->key;
    if (key.empty() || key.size() > kUniqueKeyBytesMax || !IsPrintable(key)) {
      return Bad("BAD_UNIQUE_KEY",
                 "spec.unique_key.key must be 1 to " + std::to_string(kUniqueKeyBytesMax) +
                     " bytes without control characters; of a longer one, send a hash",
                 "spec.unique_key.key");
    }
  }
  if (spec.trace) MR_RETURN_IF_ERROR(ValidateTrace(*spec.trace));
  if (!spec.placement.empty()) {
    MR_RETURN_IF_ERROR(
        ValidateLabels(spec.placement.require, kPlacementLabelsMax, "the job", "spec.placement.require"));
    MR_RETURN_IF_ERROR(ValidateLabels(spec.placement.prefer, kPlacementLabelsMax, "the job", "spec.placement.prefer"));
  }
  return ValidateLabels(spec.labels, kLabelsMax, "the job", "spec.labels");
}

Status ValidateLabels(const LabelSet& labels, size_t most, std::string_view whose, std::string_view field) {
  if (labels.size() > most) {
    return Bad("TOO_MANY_LABELS",
               std::string(whose) + " has " + std::to_string(labels.size()) + " labels in " + std::string(field) +
                   "; at most " + std::to_string(most) + " are kept",
               std::string(field));
  }
  for (const auto& [key, value] : labels) {
    if (key.empty() || key.size() > kLabelKeyBytesMax || !IsKindName(key)) {
      return Bad("BAD_LABEL",
                 "label key '" + key.substr(0, kLabelKeyBytesMax) + "' must be 1 to " +
                     std::to_string(kLabelKeyBytesMax) + " of [A-Za-z0-9._-]",
                 std::string(field));
    }
    if (value.size() > kLabelValueBytesMax || !IsPrintable(value)) {
      return Bad("BAD_LABEL",
                 "the value of label '" + key + "' must be at most " + std::to_string(kLabelValueBytesMax) +
                     " bytes without control characters",
                 std::string(field));
    }
  }
  return OkStatus();
}

}  // namespace millrace
