#include "base/units.h"

#include <charconv>
#include <cmath>
#include <span>

namespace millrace {
namespace {

struct Unit {
  std::string_view name;
  int64_t factor;
};

constexpr Unit kTimes[] = {{"d", 86'400'000'000'000},
                           {"h", 3'600'000'000'000},
                           {"m", 60'000'000'000},
                           {"s", 1'000'000'000},
                           {"ms", 1'000'000},
                           {"us", 1'000},
                           {"ns", 1}};
constexpr Unit kSizes[] = {{"TiB", int64_t{1} << 40},
                           {"GiB", int64_t{1} << 30},
                           {"MiB", int64_t{1} << 20},
                           {"KiB", int64_t{1} << 10},
                           {"B", 1}};

// The digits at the start of `text`, which loses them.
std::string_view TakeDigits(std::string_view* text) {
  const std::string_view digits = text->substr(0, text->find_first_not_of("0123456789"));
  text->remove_prefix(digits.size());
  return digits;
}

// The factor of the unit at the start of `text`, which loses it; the unit goes on to the next number. 0: there is no
// such unit.
int64_t TakeUnit(std::string_view* text, std::span<const Unit> units) {
  const std::string_view name = text->substr(0, text->find_first_of("0123456789."));
  text->remove_prefix(name.size());
  for (const Unit& unit : units) {
    if (unit.name == name) return unit.factor;
  }
  return 0;
}

std::optional<int64_t> Product(std::string_view digits, int64_t factor) {
  int64_t number = 0, product = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc() || __builtin_mul_overflow(number, factor, &product)) return std::nullopt;
  return product;
}

// A number with its unit at the start of `text`, which loses them.
std::optional<int64_t> TakeTime(std::string_view* text) {
  const std::string_view whole = TakeDigits(text);
  std::string_view fraction;
  if (text->starts_with('.')) {
    const std::string_view point = *text;
    text->remove_prefix(1);
    fraction = point.substr(0, 1 + TakeDigits(text).size());
  }
  if (whole.empty() && fraction.size() <= 1) return std::nullopt;
  const int64_t factor = TakeUnit(text, kTimes);
  if (factor == 0) return std::nullopt;

  double part = 0;  // It stays 0 where the fraction is too small for a double.
  std::from_chars(fraction.data(), fraction.data() + fraction.size(), part, std::chars_format::fixed);
  int64_t time = std::llround(part * static_cast<double>(factor));
  if (whole.empty()) return time;
  const std::optional<int64_t> product = Product(whole, factor);
  if (!product || __builtin_add_overflow(time, *product, &time)) return std::nullopt;
  return time;
}

}  // namespace

std::optional<Nanos> ParseDuration(std::string_view text) {
  if (text.empty()) return std::nullopt;
  int64_t sum = 0;
  while (!text.empty()) {
    const std::optional<int64_t> time = TakeTime(&text);
    if (!time || __builtin_add_overflow(sum, *time, &sum)) return std::nullopt;
  }
  return Nanos(sum);
}

std::string FormatDuration(Nanos duration) {
  int64_t rest = duration.count();
  std::string text;
  for (const Unit& unit : kTimes) {
    const int64_t count = rest / unit.factor;
    if (count == 0) continue;
    text += std::to_string(count) + std::string(unit.name);
    rest %= unit.factor;
  }
  return text.empty() ? "0s" : text;
}

std::optional<int64_t> ParseSize(std::string_view text) {
  const std::string_view digits = TakeDigits(&text);
  const int64_t factor = TakeUnit(&text, kSizes);
  if (digits.empty() || factor == 0 || !text.empty()) return std::nullopt;
  return Product(digits, factor);
}

std::string FormatSize(int64_t bytes) {
  for (const Unit& unit : kSizes) {
    if (bytes != 0 && bytes % unit.factor == 0) return std::to_string(bytes / unit.factor) + std::string(unit.name);
  }
  return "0B";
}

}  // namespace millrace
