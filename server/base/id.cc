#include "base/id.h"

#include <algorithm>
#include <random>

namespace millrace {

namespace {

constexpr char kAlphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
constexpr size_t kTextLength = 26;  // 130 bits: the first character holds only 3.

// -1: not a character of the alphabet.
int Digit(char c) {
  if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  for (int i = 0; i < 32; ++i) {
    if (kAlphabet[i] == c) return i;
  }
  return -1;
}

// SplitMix64 (Steele, Lea, Flood 2014): ids need spread, not secrecy.
uint64_t NextRandom(uint64_t* state) {
  uint64_t z = (*state += 0x9E3779B97F4A7C15u);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

uint64_t SeedFromDevice() {
  std::random_device device;
  return (uint64_t{device()} << 32) | device();
}

}  // namespace

std::string Id::ToString() const {
  std::string text(kTextLength, '0');
  uint64_t upper = high, lower = low;
  for (size_t i = kTextLength; i-- > 0;) {
    text[i] = kAlphabet[lower & 31];
    lower = (lower >> 5) | (upper << 59);
    upper >>= 5;
  }
  return text;
}

std::optional<Id> Id::Parse(std::string_view text) {
  if (text.size() != kTextLength) return std::nullopt;
  Id id;
  for (size_t i = 0; i < kTextLength; ++i) {
    int digit = Digit(text[i]);
    if (digit < 0 || (i == 0 && digit > 7)) return std::nullopt;
    id.high = (id.high << 5) | (id.low >> 59);
    id.low = (id.low << 5) | static_cast<uint64_t>(digit);
  }
  return id;
}

IdGenerator::IdGenerator(const Clock& clock) : IdGenerator(clock, SeedFromDevice()) {}

IdGenerator::IdGenerator(const Clock& clock, uint64_t seed) : clock_(clock), random_state_(seed) {}

Id IdGenerator::Next() {
  auto millis = static_cast<uint64_t>(clock_.Wall().time_since_epoch() / std::chrono::milliseconds(1));
  while (busy_.test_and_set(std::memory_order_acquire)) {
  }
  if (millis > last_.high >> 16) {
    // The top bit of the 80 stays clear, so counting up inside the millisecond does not run into the next one.
    last_.high = (millis << 16) | (NextRandom(&random_state_) & 0x7FFF);
    last_.low = NextRandom(&random_state_);
  } else if (++last_.low == 0) {
    ++last_.high;
  }
  Id id = last_;
  busy_.clear(std::memory_order_release);
  return id;
}

void IdGenerator::StartAbove(const Id& id) {
  while (busy_.test_and_set(std::memory_order_acquire)) {
  }
  last_ = std::max(last_, id);
  busy_.clear(std::memory_order_release);
}

}  // namespace millrace
