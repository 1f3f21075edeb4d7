// KindSchema: what one runner lets a kind say in [kind.NAME], beside `pool`, `timeout` and `retry`, which every kind
// has. There is one for each type in KindRuns; nothing else here knows a runner by name. To configure the kinds of
// another runner, add its options to KindRuns (config.h), a KindSchema of them in a file beside exec_kind.h, and what
// the daemon does with them.
#pragma once

#include <cstddef>
#include <type_traits>
#include <utility>
#include <variant>

#include "config/config.h"
#include "config/schema.h"

namespace millrace::config {

// struct KindSchema<Options> {
//   KindSchema(Options* options, Section* section);    // Binds the keys; both outlive it.
//   static constexpr std::string_view kRunner;         // Name of the runner whose pools such kinds may live in.
//   static constexpr const char* kKey;                 // The key that says that a kind is one of these.
//   static constexpr const char* kExample;             // That key with a value, for whoever left it out.
//   static constexpr const char* kOne, *kMany;         // "a program", "programs"
//   static bool Said(const Options& options);          // Did kKey have a value that could be read?
//   static Status Check(const dispatch::KindOptions& kind, const Options& options);
//   static void HideSecrets(Options* options);
// };
template <typename Options>
struct KindSchema;

// visit(std::type_identity<Options>()) for each type in KindRuns.
template <typename Visit, size_t... I>
void ForEachKindSchema(Visit visit, std::index_sequence<I...>) {
  (visit(std::type_identity<std::variant_alternative_t<I, KindRuns>>()), ...);
}
template <typename Visit>
void ForEachKindSchema(Visit visit) {
  ForEachKindSchema(std::move(visit), std::make_index_sequence<std::variant_size_v<KindRuns>>());
}
template <typename Options>
using KindSchemaOf = KindSchema<std::remove_cvref_t<Options>>;

}  // namespace millrace::config
