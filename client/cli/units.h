// Durations, times and sizes as people type them at a command line, and as they read them in tables. The grammar of
// durations is the one of base/units.h; what is printed here is rounded for the eye, and not meant to be read back.
#pragma once

#include <google/protobuf/duration.pb.h>
#include <google/protobuf/timestamp.pb.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace millrace::cli {

using std::chrono::nanoseconds;
using WallNanos = std::chrono::time_point<std::chrono::system_clock, nanoseconds>;

// As base/units.h says; a bare number is seconds, as for timeout(1).
std::optional<nanoseconds> ParseDuration(std::string_view text);

// Two units at most: "380 ns", "12.3 us", "4.56 ms", "7.89 s", "2m 5s", "3h 20m", "4d 6h".
std::string FormatDuration(nanoseconds time);

// "2026-01-31T12:00:00Z", also with a fraction and an offset (+02:00). nullopt: anything else, or before 1970.
std::optional<WallNanos> ParseTime(std::string_view text);

// "4096", "64k", "1.5MiB", "2GB": k, M, G are powers of 1024, with or without iB or B. nullopt: anything else.
std::optional<int64_t> ParseBytes(std::string_view text);
std::string FormatBytes(int64_t bytes);  // "512 B", "1.5 KiB", "3.0 GiB"

// "1234567" as "1,234,567".
std::string FormatCount(int64_t count);
std::string FormatJobs(int64_t count);  // "1 job", "1,200 jobs"

nanoseconds FromProto(const google::protobuf::Duration& duration);
WallNanos FromProto(const google::protobuf::Timestamp& time);
google::protobuf::Duration ToProto(nanoseconds duration);
google::protobuf::Timestamp ToProto(WallNanos time);

}  // namespace millrace::cli
