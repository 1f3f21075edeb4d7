// A library's function that computes for long, in a library of its own (not the program's code, nor the C library's).
#pragma once

#include <cstdint>

// Until `ns` nanoseconds have passed.
extern "C" void LongCall(int64_t ns);
