// The daemon's allocator, jemalloc: its configuration, and what is changed of it at the start.
#pragma once

namespace millrace {

// Gives freed memory back to the system at once rather than after a second, which costs some speed: for a process with so little memory
// that a second's garbage is the difference between working and being killed. Before other threads start.
void GiveMemoryBackAtOnce();

}  // namespace millrace
