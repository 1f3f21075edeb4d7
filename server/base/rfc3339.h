// RFC 3339 time stamps, as people write them in filters: "2026-01-01T00:00:00Z", "2026-01-01T01:30:00.5+01:30".
#pragma once

#include <optional>
#include <string_view>

#include "base/clock.h"

namespace millrace {

// nullopt: not a time stamp, or not a date of the calendar. Up to nine digits of a second; the zone is required.
std::optional<WallTime> ParseRfc3339(std::string_view text);

}  // namespace millrace
