// The fields of a JobSpec as records have them, in the order of job/spec_fields.h. The payload is not among them.
#pragma once

#include <cstdint>

#include "job/job.h"
#include "store/codec.h"

namespace millrace::store {

// Those that came with the versions `first` to `last` of records.
void WriteSpecFields(const JobSpec& spec, uint8_t first, uint8_t last, Writer& writer);
// What does not fit leaves the reader not ok.
void ReadSpecFields(uint8_t first, uint8_t last, Reader& reader, JobSpec* spec);

}  // namespace millrace::store
