// Fingerprint: what a job asks for in 64 bits, to tell a request id that is repeated from one that is used again.
//   Stable   XXH3-64 of an encoding in which every field has one form: the same on every machine and in every build, so a store
//            may keep it. A field that comes later goes in only where it is given, so whoever does not use it keeps his.
//   Trust    Two specs that differ have the same fingerprint once in 2^64. Not secure against an attacker, who could only mistake
//            his own two requests for one.
//   Cost     The payload is hashed where it lies: some 100 us a MiB, so not under a lock.
#pragma once

#include <cstdint>

#include "job/job.h"

namespace millrace {

uint64_t Fingerprint(const JobSpec& spec);

}  // namespace millrace
