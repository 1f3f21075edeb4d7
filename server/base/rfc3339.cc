#include "base/rfc3339.h"

namespace millrace {

namespace {

// Reads a text from the left. Once something was not as expected, `ok` stays false.
struct Scanner {
  std::string_view rest;
  bool ok = true;

  int Digits(size_t count) {
    int value = 0;
    for (size_t i = 0; i < count; ++i) {
      if (rest.empty() || rest[0] < '0' || rest[0] > '9') return ok = false, 0;
      value = value * 10 + (rest[0] - '0');
      rest.remove_prefix(1);
    }
    return value;
  }
  bool Next(char upper) {
    if (rest.empty() || (rest[0] != upper && rest[0] != upper - 'A' + 'a')) return false;
    rest.remove_prefix(1);
    return true;
  }
  void Expect(char c) {
    if (rest.empty() || (rest[0] != c && !(c == 'T' && rest[0] == 't'))) {
      ok = false;
    } else {
      rest.remove_prefix(1);
    }
  }
};

}  // namespace

std::optional<WallTime> ParseRfc3339(std::string_view text) {
  Scanner in{text};
  int year = in.Digits(4);
  in.Expect('-');
  int month = in.Digits(2);
  in.Expect('-');
  int day = in.Digits(2);
  in.Expect('T');
  int hour = in.Digits(2);
  in.Expect(':');
  int minute = in.Digits(2);
  in.Expect(':');
  int second = in.Digits(2);
  int64_t nanos = 0;
  if (in.ok && !in.rest.empty() && in.rest[0] == '.') {
    in.rest.remove_prefix(1);
    int64_t unit = 100'000'000;
    size_t digits = 0;
    for (; !in.rest.empty() && in.rest[0] >= '0' && in.rest[0] <= '9'; ++digits, unit /= 10) {
      nanos += (in.rest[0] - '0') * unit;
      in.rest.remove_prefix(1);
    }
    if (digits == 0 || digits > 9) in.ok = false;
  }
  int offset_minutes = 0;
  if (in.ok && !in.Next('Z')) {
    if (in.rest.empty() || (in.rest[0] != '+' && in.rest[0] != '-')) return std::nullopt;
    int sign = in.rest[0] == '-' ? -1 : 1;
    in.rest.remove_prefix(1);
    int hours = in.Digits(2);
    in.Expect(':');
    int minutes = in.Digits(2);
    if (hours > 23 || minutes > 59) return std::nullopt;
    offset_minutes = sign * (hours * 60 + minutes);
  }
  std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                   std::chrono::day(static_cast<unsigned>(day))};
  // Years whose nanoseconds fit into 64 bits. A leap second (60) counts as the next second.
  constexpr int kFirstYear = 1678, kLastYear = 2261;
  if (!in.ok || !in.rest.empty() || !date.ok() || year < kFirstYear || year > kLastYear || hour > 23 || minute > 59 ||
      second > 60) {
    return std::nullopt;
  }
  return WallTime(std::chrono::sys_days(date).time_since_epoch() + std::chrono::hours(hour) +
                  std::chrono::minutes(minute - offset_minutes) + std::chrono::seconds(second) + Nanos(nanos));
}

}  // namespace millrace
