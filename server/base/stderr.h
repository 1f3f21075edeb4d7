// Writes to stderr without waiting for it for ever, for messages of a process that may not be well.
#pragma once

#include <string_view>

namespace millrace {

// Writes what stderr takes; the rest is lost once it has taken nothing for a second, as a full pipe that nobody reads
// does. Async-signal-safe, allocates nothing, leaves errno alone. False: something was lost.
bool WriteStderr(std::string_view text);

}  // namespace millrace
