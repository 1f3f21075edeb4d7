#include "config/units.h"

#include <charconv>
#include <limits>
#include <span>

namespace millrace::config {
namespace {

struct Unit {
  std::string_view name;
  int64_t factor;
};

constexpr Unit kTimes[] = {{"d", 86'400'000'000'000}, {"h", 3'600'000'000'000}, {"m", 60'000'000'000},
                           {"s", 1'000'000'000},      {"ms", 1'000'000},        {"us", 1'000}};
constexpr Unit kSizes[] = {{"TiB", int64_t{1} << 40},
                           {"GiB", int64_t{1} << 30},
                           {"MiB", int64_t{1} << 20},
                           {"KiB", int64_t{1} << 10},
                           {"B", 1}};

// Number and unit at the start of `text`, which loses them; units from `*next` on are allowed, and `*next` moves past the one
// found.
std::optional<int64_t> Take(std::string_view* text, std::span<const Unit> units, size_t* next) {
  uint64_t number = 0;
  auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
  if (error != std::errc() || number > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) return std::nullopt;
  text->remove_prefix(static_cast<size_t>(end - text->data()));

  size_t length = 0;
  while (length < text->size() && ((*text)[length] < '0' || (*text)[length] > '9')) ++length;
  for (size_t i = *next; i < units.size(); ++i) {
    if (text->substr(0, length) != units[i].name) continue;
    text->remove_prefix(length);
    *next = i + 1;
    int64_t value = 0;
    if (__builtin_mul_overflow(static_cast<int64_t>(number), units[i].factor, &value)) return std::nullopt;
    return value;
  }
  return std::nullopt;
}

}  // namespace

std::optional<Nanos> ParseDuration(std::string_view text) {
  if (text.empty()) return std::nullopt;
  int64_t sum = 0;
  size_t next = 0;
  while (!text.empty()) {
    auto part = Take(&text, kTimes, &next);
    if (!part || __builtin_add_overflow(sum, *part, &sum)) return std::nullopt;
  }
  return Nanos(sum);
}

std::string FormatDuration(Nanos duration) {
  int64_t rest = duration.count();
  std::string text;
  for (const Unit& unit : kTimes) {
    int64_t count = rest / unit.factor;
    if (count == 0) continue;
    text += std::to_string(count) + std::string(unit.name);
    rest %= unit.factor;
  }
  return text.empty() ? "0s" : text;
}

std::optional<int64_t> ParseSize(std::string_view text) {
  size_t next = 0;
  auto size = Take(&text, kSizes, &next);
  return text.empty() ? size : std::nullopt;
}

std::string FormatSize(int64_t bytes) {
  for (const Unit& unit : kSizes) {
    if (bytes != 0 && bytes % unit.factor == 0) return std::to_string(bytes / unit.factor) + std::string(unit.name);
  }
  return "0B";
}

}  // namespace millrace::config
