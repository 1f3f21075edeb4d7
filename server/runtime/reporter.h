// The reporter: a plain thread for what a signal handler must not do itself, or the housekeeper has no time for:
// allocate, read debug information, print at length.
#pragma once

#include <csignal>
#include <cstdint>
#include <functional>
#include <string>

namespace millrace::rt {

// From then on `signal` makes the process print a fiber dump (dump.h) to stderr and go on. Runtime::Run does so for
// SIGQUIT, as Java and much like Go (RuntimeOptions::dump_on_sigquit). A signal that the program handles is left alone:
// false. One that is ignored is not: shells start what runs in the background like that. The first call starts the
// thread, which has all signals blocked.
bool DumpOnSignal(int signal = SIGQUIT);

// Asks for a dump on stderr and returns at once; several requests at a time are one. Async-signal-safe. Nothing happens
// unless the thread was started.
void RequestFiberDump();

// Starts the thread if it does not run. Any thread.
void StartReporter();

// Has the thread do this soon, if it was started; in turn. Plain threads.
void RunOnReporter(std::function<void()> work);

// For a handler on its way to certain death: has the reporter make a text and write it to stderr, and waits for that.
// False: it could not within `patience_ns`, perhaps because the caller holds a lock the text needs (malloc's), and will
// not write it any more. Once in the life of the process. Async-signal-safe.
bool WriteLastWords(std::string (*compose)(const void* argument), const void* argument, int64_t patience_ns);

}  // namespace millrace::rt
