// The one list of the fields of JobSpec. The fingerprint, the store's records and the weight of a job go over it, so a
// field that is added here is in all three (README.md: how to add one).
//
//   Order   Of fingerprints and of records, whose bytes are kept: fields are appended, never moved, never removed.
//   Later   A field that came after the first version is in a fingerprint by its name and only where it is given, so a
//           job that does not use it keeps its fingerprint. One that differs from call to call although the client
//           means the same job is in no fingerprint (kNoContent).
//   Types   Whoever goes over the list handles each type of field in an overload; a type that it does not know does not
//           compile.
#pragma once

#include <cstdint>
#include <tuple>
#include <utility>

#include "job/job.h"

namespace millrace {

// `since` of a field that no job which is kept has: admission takes it away.
inline constexpr uint8_t kNotKept = UINT8_MAX;

enum class FieldUse : uint8_t { kContent, kNoContent };

template <typename Struct, typename Value>
struct SpecField {
  constexpr SpecField(const char* proto_name, Value Struct::*of, uint8_t version, FieldUse in = FieldUse::kContent)
      : name(proto_name), member(of), since(version), part(in) {}

  const char* name;  // As in the proto; part of fingerprints.
  Value Struct::*member;
  uint8_t since;  // The first version of the store's records that holds it (store/FORMAT.md).
  FieldUse part;

  bool later() const { return since > 1; }
  bool in_fingerprint() const { return part == FieldUse::kContent; }
  // Does the job say anything here?
  bool IsGiven(const Struct& spec) const {
    static const Struct kNothing{};
    return spec.*member != kNothing.*member;
  }
};

inline constexpr std::tuple kSpecFields{
    SpecField("pool", &JobSpec::pool, 1),
    SpecField("kind", &JobSpec::kind, 1),
    SpecField("payload", &JobSpec::payload, 1),  // Bytes lie apart everywhere, as they may be megabytes.
    SpecField("band", &JobSpec::band, 1),
    SpecField("delay", &JobSpec::delay, 1),
    SpecField("run_at", &JobSpec::run_at, 1),
    SpecField("run_timeout", &JobSpec::run_timeout, 1),
    SpecField("deadline", &JobSpec::deadline, 1),
    SpecField("retry", &JobSpec::retry, 1),
    SpecField("no_retry_after_start", &JobSpec::no_retry_after_start, 1),
    SpecField("labels", &JobSpec::labels, 1),
    SpecField("unique_key", &JobSpec::unique_key, 2),
    SpecField("deadline_after", &JobSpec::deadline_after, kNotKept),
    // A call that is repeated is often part of another span.
    SpecField("trace", &JobSpec::trace, 5, FieldUse::kNoContent),
    SpecField("placement", &JobSpec::placement, 6),
};

// Parts of a field. A member cannot be added to them: it would change the bytes of the field that has them.
inline constexpr std::tuple kRetryFields{
    SpecField("max_attempts", &RetryOverrides::max_attempts, 1),
    SpecField("initial_backoff", &RetryOverrides::initial_backoff, 1),
    SpecField("max_backoff", &RetryOverrides::max_backoff, 1),
    SpecField("backoff_multiplier", &RetryOverrides::multiplier, 1),
};
inline constexpr std::tuple kUniqueKeyFields{
    SpecField("key", &UniqueKey::key, 2),
    SpecField("scope", &UniqueKey::scope, 2),
    SpecField("on_taken", &UniqueKey::on_taken, 2),
};

// visit(const SpecField<Struct, Value>&), one after the other.
template <typename Fields, typename Visit>
constexpr void ForEachField(const Fields& fields, Visit&& visit) {
  std::apply([&visit](const auto&... field) { (visit(field), ...); }, fields);
}

// ---- A member that is in no list does not compile: each name below is a member, and each member is a field.
inline auto MembersOf(const JobSpec& spec) {
  const auto& [pool, kind, payload, band, delay, run_at, run_timeout, deadline, deadline_after, retry,
               no_retry_after_start, labels, unique_key, trace, placement] = spec;
  return std::tie(pool, kind, payload, band, delay, run_at, run_timeout, deadline, deadline_after, retry,
                  no_retry_after_start, labels, unique_key, trace, placement);
}
inline auto MembersOf(const RetryOverrides& retry) {
  const auto& [max_attempts, initial_backoff, max_backoff, multiplier] = retry;
  return std::tie(max_attempts, initial_backoff, max_backoff, multiplier);
}
inline auto MembersOf(const UniqueKey& unique) {
  const auto& [key, scope, on_taken] = unique;
  return std::tie(key, scope, on_taken);
}
template <typename Struct, typename Fields>
inline constexpr bool kAllListed =
    std::tuple_size_v<decltype(MembersOf(std::declval<const Struct&>()))> == std::tuple_size_v<Fields>;
static_assert(kAllListed<JobSpec, decltype(kSpecFields)>, "add the new field to kSpecFields");
static_assert(kAllListed<RetryOverrides, decltype(kRetryFields)>, "a new part changes the bytes of `retry`");
static_assert(kAllListed<UniqueKey, decltype(kUniqueKeyFields)>, "a new part changes the bytes of `unique_key`");

}  // namespace millrace
