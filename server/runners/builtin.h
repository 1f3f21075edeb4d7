// The native kinds that every daemon has, to try it out, to measure it and to test it.
//
//   noop     does nothing
//   echo     the result is the payload
//   sleep    waits; the payload is a duration ("250ms")
//   spin     computes for that much processor time
//   fail     fails; the payload is the message, "permanent: ..." also says that a retry is of no use
//   sha256   the result is the payload's SHA-256 as 64 hexadecimal digits
//
// A duration is written as base/units.h says ("250ms", "1.5s", "1m30s"), up to a day. A payload that makes no sense
// fails the job for good, since it would not make more sense the next time.
#pragma once

#include <optional>
#include <string_view>

#include "base/clock.h"
#include "runners/native.h"

namespace millrace::runners {

// Registers all of them. ALREADY_EXISTS: one of the names is taken.
Status RegisterBuiltins(NativeRunner& runner);

// nullopt: not a duration, or more than a day. White space around it is ignored: `echo 1s` ends in a line break.
std::optional<Nanos> DurationOfPayload(std::string_view payload);

}  // namespace millrace::runners
