// Code that may hold a lock which the end of the program needs: the C library, the loader, the C++ runtime, whoever
// provides malloc. A thread that is stopped there for good takes the lock along. Other libraries' code calls them, but
// is not called back with their locks held.
#pragma once

#include <cstdint>

namespace millrace::rt {

// Looks at what the program has loaded. Once in the life of the process, before MayHoldProcessLocks; Runtime::Run calls
// it.
void LearnLibraries();

// Async-signal-safe. Code that was loaded later belongs to nobody's C library, so: false.
bool MayHoldProcessLocks(uintptr_t pc);

}  // namespace millrace::rt
