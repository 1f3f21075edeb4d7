// Durations and sizes as people write them: "1h30m", "250ms", "64MiB".
//
// A bare number is refused, because "30" has been read as seconds and as milliseconds once too often; "0s" and "0B" are zero.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace millrace::config {

// Units d, h, m, s, ms, us, largest first, each with a whole number. nullopt: not that, or beyond 290 years.
std::optional<Nanos> ParseDuration(std::string_view text);
// Reads back as the same value; a rest below a microsecond is dropped.
std::string FormatDuration(Nanos duration);

// A whole number of B, KiB, MiB, GiB, TiB. nullopt: not that, or beyond 2^63.
std::optional<int64_t> ParseSize(std::string_view text);
std::string FormatSize(int64_t bytes);

}  // namespace millrace::config
