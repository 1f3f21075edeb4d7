#include "base/clock.h"

namespace millrace {

MonoTime SystemClock::Mono() const { return std::chrono::time_point_cast<Nanos>(std::chrono::steady_clock::now()); }
WallTime SystemClock::Wall() const { return std::chrono::time_point_cast<Nanos>(std::chrono::system_clock::now()); }

}  // namespace millrace
