// Validate: is this something a client may ask for? One clear answer that names the field and the fix. Limits that
// depend on the state of the system (full, unknown pool) are not looked at here.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/status.h"
#include "job/job.h"

namespace millrace {

inline constexpr size_t kNameBytesMax = 63;  // Pool and kind.
inline constexpr size_t kLabelsMax = 32;
inline constexpr size_t kPlacementLabelsMax = 16;  // Of each sort.
inline constexpr size_t kLabelKeyBytesMax = 63;
inline constexpr size_t kLabelValueBytesMax = 255;
inline constexpr size_t kRequestIdBytesMax = 128;
inline constexpr size_t kUniqueKeyBytesMax = 128;
inline constexpr Nanos kDelayMax = std::chrono::hours(24 * 366);
inline constexpr Nanos kRunTimeoutMin = std::chrono::milliseconds(1);
inline constexpr Nanos kRunTimeoutMax = std::chrono::hours(24 * 31);

// INVALID_ARGUMENT with the field as the client wrote it ("spec.run_timeout").
Status ValidateSpec(const JobSpec& spec, size_t payload_bytes_max);
// A part of ValidateSpec, for when admission has made `deadline` of `deadline_after`.
Status ValidateDeadline(const JobSpec& spec);
Status ValidateRequestId(std::string_view request_id);
// BAD_LABEL, TOO_MANY_LABELS. `whose`: "the job".
Status ValidateLabels(const LabelSet& labels, size_t most, std::string_view whose, std::string_view field);

// `field` is what the message calls the setting, for a config file as for a request. Kinds are checked by the same
// rules.
Status ValidateRetry(const RetryOverrides& retry, std::string_view field);

// BAD_DURATION, in the same words wherever a duration is refused, also one that Nanos cannot hold.
Status DurationOutOfRange(const std::string& value, Nanos least, Nanos most, const std::string& field);

// Names of pools: 1 to 63 of [a-z0-9_-], as they become metric labels. Kinds may also have upper case and dots.
bool IsPoolName(std::string_view name);
bool IsKindName(std::string_view name);

}  // namespace millrace
