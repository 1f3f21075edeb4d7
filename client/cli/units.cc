#include "client/cli/units.h"

#include <google/protobuf/util/time_util.h>

#include <charconv>
#include <cmath>
#include <cstdio>

#include "base/units.h"

namespace millrace::cli {
namespace {

// Takes "12.5" off the front of the text. Digits first: no sign, no "inf", no hexadecimal.
std::optional<double> TakeNumber(std::string_view& text) {
  if (text.empty() || text[0] < '0' || text[0] > '9') return std::nullopt;
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  if (error != std::errc()) return std::nullopt;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return value;
}

std::string Print(const char* format, double value, const char* unit) {
  char text[48];
  std::snprintf(text, sizeof text, format, value, unit);
  return text;
}

// Three significant digits: "1.23", "12.3", "123".
std::string ThreeDigits(double value, const char* unit) {
  return Print(value < 9.995 ? "%.2f %s" : value < 99.95 ? "%.1f %s" : "%.0f %s", value, unit);
}

}  // namespace

std::optional<nanoseconds> ParseDuration(std::string_view text) {
  const bool bare = text.find_first_not_of("0123456789.") == std::string_view::npos;
  return bare ? millrace::ParseDuration(std::string(text) + "s") : millrace::ParseDuration(text);
}

std::string FormatDuration(nanoseconds time) {
  const double ns = static_cast<double>(time.count());
  if (ns < 0) return "-" + FormatDuration(-time);
  if (ns < 999.5) return Print("%.0f %s", ns, "ns");
  if (ns < 999.5e3) return ThreeDigits(ns / 1e3, "us");
  if (ns < 999.5e6) return ThreeDigits(ns / 1e6, "ms");
  if (ns < 59.95e9) return ThreeDigits(ns / 1e9, "s");
  const long long seconds = std::llround(ns / 1e9);
  char text[48];
  if (seconds < 3600) {
    std::snprintf(text, sizeof text, "%lldm %llds", seconds / 60, seconds % 60);
  } else if (seconds < 86400) {
    std::snprintf(text, sizeof text, "%lldh %lldm", seconds / 3600, seconds % 3600 / 60);
  } else {
    std::snprintf(text, sizeof text, "%lldd %lldh", seconds / 86400, seconds % 86400 / 3600);
  }
  return text;
}

std::optional<WallNanos> ParseTime(std::string_view text) {
  google::protobuf::Timestamp time;
  if (!google::protobuf::util::TimeUtil::FromString(std::string(text), &time)) return std::nullopt;
  if (time.seconds() < 0 || time.seconds() > 9'000'000'000) return std::nullopt;
  return FromProto(time);
}

std::optional<int64_t> ParseBytes(std::string_view text) {
  const std::optional<double> number = TakeNumber(text);
  if (!number) return std::nullopt;
  double scale = 1;
  if (!text.empty() && text != "B") {
    switch (text[0]) {
      case 'k':
      case 'K':
        scale = 1024.0;
        break;
      case 'm':
      case 'M':
        scale = 1024.0 * 1024;
        break;
      case 'g':
      case 'G':
        scale = 1024.0 * 1024 * 1024;
        break;
      default:
        return std::nullopt;
    }
    text.remove_prefix(1);
    if (!text.empty() && text != "B" && text != "iB") return std::nullopt;
  }
  const double bytes = *number * scale;
  if (!(bytes < 9.2e18)) return std::nullopt;
  return std::llround(bytes);
}

std::string FormatBytes(int64_t bytes) {
  double value = static_cast<double>(bytes);
  if (value < 1024) return Print("%.0f %s", value, "B");
  for (const char* unit : {"KiB", "MiB", "GiB"}) {
    value /= 1024;
    if (value < 1023.95) return Print("%.1f %s", value, unit);
  }
  return Print("%.1f %s", value / 1024, "TiB");
}

std::string FormatCount(int64_t count) {
  std::string text = std::to_string(count);
  const int first = count < 0 ? 1 : 0;
  for (int at = static_cast<int>(text.size()) - 3; at > first; at -= 3) text.insert(static_cast<size_t>(at), ",");
  return text;
}

std::string FormatJobs(int64_t count) { return FormatCount(count) + (count == 1 ? " job" : " jobs"); }

nanoseconds FromProto(const google::protobuf::Duration& duration) {
  return std::chrono::seconds(duration.seconds()) + nanoseconds(duration.nanos());
}

WallNanos FromProto(const google::protobuf::Timestamp& time) {
  return WallNanos(std::chrono::seconds(time.seconds()) + nanoseconds(time.nanos()));
}

google::protobuf::Duration ToProto(nanoseconds duration) {
  return google::protobuf::util::TimeUtil::NanosecondsToDuration(duration.count());
}

google::protobuf::Timestamp ToProto(WallNanos time) {
  return google::protobuf::util::TimeUtil::NanosecondsToTimestamp(time.time_since_epoch().count());
}

}  // namespace millrace::cli
