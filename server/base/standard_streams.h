// Descriptors 0, 1 and 2 stay what everybody takes them for.
//
// A program that was started with one of them closed (`program <&-`) would give its number to the next thing that it
// opens, a connection for instance, and then read its input from that, or write its messages into it.
#pragma once

namespace millrace {

// A closed stream gets a descriptor on which every read and write fails with EBADF, as it did while closed.
void HoldStandardStreams();

}  // namespace millrace

// Once, in the file with main: has it done before anything else. Libraries open descriptors in their constructors,
// gRPC's does, and .preinit_array is run before those.
#define MR_HOLD_STANDARD_STREAMS() \
  [[gnu::section(".preinit_array"), gnu::used]] void (*hold_standard_streams)() = millrace::HoldStandardStreams
