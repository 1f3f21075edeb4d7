// Durations and sizes as people write them: "1h30m", "250ms", "1.5s", "64MiB".
//
// There is one grammar for durations: the configuration, the command line and the payloads of the built-in kinds are
// read by it. A number without a unit is refused, because "30" has been read as seconds and as milliseconds once too
// often; "0s" and "0B" are zero. (The command line alone takes a bare number as seconds, as timeout(1) does:
// client/cli/units.h.)
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace millrace {

// One or more numbers, each with a unit, added up: "90s", "1m30s", "1.5h". Units: d, h, m, s, ms, us, ns. A number may
// have a fraction; what is below a nanosecond is rounded. nullopt: anything else (a sign, a space, an exponent), or
// beyond 2^63 ns.
std::optional<Nanos> ParseDuration(std::string_view text);
// Exact, largest unit first: "1m30s". ParseDuration reads it back as the same value. For durations that are not
// negative.
std::string FormatDuration(Nanos duration);

// A whole number of B, KiB, MiB, GiB or TiB. nullopt: not that, or beyond 2^63.
std::optional<int64_t> ParseSize(std::string_view text);
// In the largest unit that gives a whole number: "1MiB", "1536B". For sizes that are not negative.
std::string FormatSize(int64_t bytes);

// For metrics and JSON, which count in seconds.
constexpr double Seconds(Nanos duration) { return std::chrono::duration<double>(duration).count(); }

}  // namespace millrace
