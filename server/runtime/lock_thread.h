// LockThread: the calling fiber keeps its thread, also across waits, and nobody else runs there until it gives it back.
// For libraries that belong to a thread (OpenGL, some databases' handles), and for state of a thread that must not go
// to others: signal masks, uselocale, namespaces. Go's runtime.LockOSThread.
//
//   rt::ThreadLock lock;
//   locale_t before = uselocale(french);
//   PrintAll(queue);  // May wait.
//   uselocale(before);
//
//   Nesting   Counted: as many unlocks as locks.
//   Ending    A fiber that ends with its thread locked takes the thread with it: whatever it changed there, nobody gets
//             to see.
//   Cost      A thread of its own, and two switches of threads for each wait (some 10 us instead of 0.1). It counts
//             among RuntimeOptions::machines_max.
//   Callers   Fibers. On a plain thread, which is its own already, nothing happens.
#pragma once

namespace millrace::rt {

void LockThread();
// Fatal on a fiber that has not locked its thread.
void UnlockThread();

// `ThreadLock lock;` for a block.
class ThreadLock {
 public:
  ThreadLock() { LockThread(); }
  ~ThreadLock() { UnlockThread(); }
  ThreadLock(const ThreadLock&) = delete;
  ThreadLock& operator=(const ThreadLock&) = delete;
};

}  // namespace millrace::rt
