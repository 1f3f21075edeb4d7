// The daemon's allocator is jemalloc. Its configuration is in the .cc; this is what a start may change of it.
#pragma once

namespace millrace {

// From now on freed memory goes back to the system at once and not after a second, which costs some speed. It is for a
// process with so little memory that what it frees in a second could get it killed. To be called before other threads
// start.
void GiveMemoryBackAtOnce();

}  // namespace millrace
