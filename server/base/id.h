// Sortable ids: 26 characters that order by creation, also as bytes.
//
// 128 bits as in the ULID specification: 48 bits of Unix milliseconds, then 80 bits that start random in each
// millisecond and count up inside it, so ids made by one generator are strictly increasing even when the clock steps
// back. Text is Crockford's base32 in upper case, parsed in either case.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace millrace {

struct Id {
  uint64_t high = 0;
  uint64_t low = 0;

  bool empty() const { return high == 0 && low == 0; }
  auto operator<=>(const Id&) const = default;

  std::string ToString() const;                           // 26 characters
  static std::optional<Id> Parse(std::string_view text);  // nullopt: not 26 base32 characters, or above 128 bits
};

class IdGenerator {
 public:
  explicit IdGenerator(const Clock& clock);
  IdGenerator(const Clock& clock, uint64_t seed);  // The same seed and clock give the same ids.

  // Strictly greater than every id this generator gave before. Any thread; a short internal lock.
  Id Next();
  // From now on every id is also greater than this one, which an earlier generator gave. Any thread.
  void StartAbove(const Id& id);

 private:
  const Clock& clock_;
  uint64_t random_state_;
  Id last_{};
  std::atomic_flag busy_ = ATOMIC_FLAG_INIT;
};

}  // namespace millrace

template <>
struct std::hash<millrace::Id> {
  // The low half counts up inside a millisecond and starts random, so it alone spreads well.
  size_t operator()(const millrace::Id& id) const noexcept {
    return static_cast<size_t>(id.low * 0x9E3779B97F4A7C15u ^ id.high);
  }
};
