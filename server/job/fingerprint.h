// Fingerprint: what a job asks for in 64 bits, to tell a request id that is repeated from one that is used again.
//   Stable   XXH3-64 of an encoding in which every field has one form: the same on every machine and in every build, so
//            a store may keep it. A field that was added later goes in only where it is given, so specs without it keep
//            their fingerprint.
//   Trust    Two specs that differ have the same fingerprint once in 2^64. It is not secure against an attacker, who
//            could only make two requests of their own look like one.
//   Cost     The payload is hashed where it lies: some 100 us a MiB, so not under a lock.
#pragma once

#include <cstdint>

#include "job/job.h"

namespace millrace {

uint64_t Fingerprint(const JobSpec& spec);

}  // namespace millrace
