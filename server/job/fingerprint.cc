#define XXH_INLINE_ALL
#include "job/fingerprint.h"

#include <xxhash.h>

#include <bit>
#include <string>
#include <string_view>

namespace millrace {

namespace {

// Everything has its length before it or a length of its own, so no two sequences of values have the same bytes.
class Encoder {
 public:
  void Number(uint64_t value) {
    for (int shift = 0; shift < 64; shift += 8) bytes_.push_back(static_cast<char>(value >> shift));
  }
  void Text(std::string_view text) {
    Number(text.size());
    bytes_ += text;
  }
  template <typename T>
  void Optional(const std::optional<T>& value) {
    Number(value.has_value());
    if (value) Number(ToBits(*value));
  }
  const std::string& bytes() const { return bytes_; }

 private:
  static uint64_t ToBits(Nanos value) { return static_cast<uint64_t>(value.count()); }
  static uint64_t ToBits(WallTime value) { return static_cast<uint64_t>(value.time_since_epoch().count()); }
  static uint64_t ToBits(int value) { return static_cast<uint64_t>(value); }
  static uint64_t ToBits(double value) { return std::bit_cast<uint64_t>(value); }

  std::string bytes_;
};

}  // namespace

uint64_t Fingerprint(const JobSpec& spec) {
  Encoder head;
  head.Text(spec.pool);
  head.Text(spec.kind);
  head.Number(static_cast<uint64_t>(spec.band));
  head.Optional(spec.delay);
  head.Optional(spec.run_at);
  head.Optional(spec.run_timeout);
  head.Optional(spec.deadline);
  head.Optional(spec.retry.max_attempts);
  head.Optional(spec.retry.initial_backoff);
  head.Optional(spec.retry.max_backoff);
  head.Optional(spec.retry.multiplier);
  head.Number(spec.no_retry_after_start);
  head.Number(spec.labels.size());
  for (const auto& [name, value] : spec.labels) {
    head.Text(name);
    head.Text(value);
  }
  if (spec.unique_key) {
    head.Text("unique_key");
    head.Text(spec.unique_key->key);
    head.Number(static_cast<uint64_t>(spec.unique_key->scope));
    head.Number(static_cast<uint64_t>(spec.unique_key->on_taken));
  }
  if (spec.deadline_after) {
    head.Text("deadline_after");
    head.Optional(spec.deadline_after);
  }
  // The payload may be long, so it is not copied behind the rest; the rest decides the seed.
  const std::string_view payload = PayloadOf(spec);
  return XXH3_64bits_withSeed(payload.data(), payload.size(), XXH3_64bits(head.bytes().data(), head.bytes().size()));
}

}  // namespace millrace
