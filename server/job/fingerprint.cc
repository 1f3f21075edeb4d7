#define XXH_INLINE_ALL
#include "job/fingerprint.h"

#include <xxhash.h>

#include <bit>
#include <string>
#include <string_view>
#include <type_traits>

#include "job/spec_fields.h"

namespace millrace {

namespace {

// Everything has its length before it or a length of its own, so no two sequences of values have the same bytes.
class Encoder {
 public:
  template <typename Struct, typename Fields>
  void AddFields(const Struct& from, const Fields& fields) {
    ForEachField(fields, [&](const auto& field) { Add(from.*field.member); });
  }
  void AddSpec(const JobSpec& spec) {
    ForEachField(kSpecFields, [&](const auto& field) {
      if (!field.in_fingerprint()) return;
      if (field.later()) {
        if (!field.IsGiven(spec)) return;
        Text(field.name);
      }
      Add(spec.*field.member);
    });
  }
  const std::string& bytes() const { return bytes_; }

 private:
  void Number(uint64_t value) {
    for (int shift = 0; shift < 64; shift += 8) bytes_.push_back(static_cast<char>(value >> shift));
  }
  void Text(std::string_view text) {
    Number(text.size());
    bytes_ += text;
  }

  void Add(const std::string& text) { Text(text); }
  void Add(const Bytes&) {}  // Hashed where it lies.
  void Add(const Trace&) {}  // Not content.
  template <typename T>
  requires std::is_enum_v<T> || std::is_same_v<T, bool>
  void Add(T value) { Number(static_cast<uint64_t>(value)); }
  template <typename T>
  void Add(const std::optional<T>& value) {
    Number(value.has_value());
    if (value) Number(ToBits(*value));
  }
  void Add(const RetryOverrides& retry) { AddFields(retry, kRetryFields); }
  void Add(const LabelSet& labels) {
    Number(labels.size());
    for (const auto& [name, value] : labels) {
      Text(name);
      Text(value);
    }
  }
  void Add(const Placement& placement) {
    Add(placement.require);
    Add(placement.prefer);
  }
  void Add(const std::optional<UniqueKey>& unique) {
    if (unique) AddFields(*unique, kUniqueKeyFields);
  }

  static uint64_t ToBits(Nanos value) { return static_cast<uint64_t>(value.count()); }
  static uint64_t ToBits(WallTime value) { return static_cast<uint64_t>(value.time_since_epoch().count()); }
  static uint64_t ToBits(int value) { return static_cast<uint64_t>(value); }
  static uint64_t ToBits(double value) { return std::bit_cast<uint64_t>(value); }

  std::string bytes_;
};

}  // namespace

uint64_t Fingerprint(const JobSpec& spec) {
  Encoder head;
  head.AddSpec(spec);
  // The payload may be long, so it is not copied behind the rest; the rest decides the seed.
  const std::string_view payload = PayloadOf(spec);
  return XXH3_64bits_withSeed(payload.data(), payload.size(), XXH3_64bits(head.bytes().data(), head.bytes().size()));
}

}  // namespace millrace
