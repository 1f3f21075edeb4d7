// Names for clang's thread-safety attributes: which lock guards a field, which lock a function needs. clang checks them
// with -Wthread-safety. With GCC they are empty, and with both compilers nothing of them is left in the program.
//
//   rt::Lock lock_;
//   int count_ MR_GUARDED_BY(lock_) = 0;
//   void Add(int n) MR_REQUIRES(lock_);        the caller holds it
//   int count() const MR_EXCLUDES(lock_);      the caller must not hold it, since the function takes it
//
//   Locks     rt::Lock for sections of a few dozen instructions, ThreadMutex (base/thread_mutex.h) for plain threads
//             that may sleep. Both have a guard that the tool knows. It does not know std::mutex, std::lock_guard and
//             std::unique_lock: a field that std::lock_guard protects counts as unprotected.
//   Lambdas   The tool reads a lambda as a function of its own that holds nothing. Where the caller holds the lock
//             while the lambda runs, the lambda says so: `[&]() MR_REQUIRES(lock_) { ... }`.
//   Not read  The bodies of constructors and destructors, since nobody else knows the object then.
#pragma once

#if defined(__clang__)
#define MR_THREAD_ATTRIBUTE(...) __attribute__((__VA_ARGS__))
#else
#define MR_THREAD_ATTRIBUTE(...)
#endif

// ---- A class that is a lock; or one whose objects hold a lock from their constructor to their destructor.
#define MR_CAPABILITY(what) MR_THREAD_ATTRIBUTE(capability(what))  // `what` stands in messages: "mutex".
#define MR_SCOPED_CAPABILITY MR_THREAD_ATTRIBUTE(scoped_lockable)

// ---- A field that is read and written only with this lock held; or what it points to is.
#define MR_GUARDED_BY(lock) MR_THREAD_ATTRIBUTE(guarded_by(lock))
#define MR_PT_GUARDED_BY(lock) MR_THREAD_ATTRIBUTE(pt_guarded_by(lock))

// ---- A function whose caller holds these locks before and after; or holds none of them.
#define MR_REQUIRES(...) MR_THREAD_ATTRIBUTE(requires_capability(__VA_ARGS__))
#define MR_EXCLUDES(...) MR_THREAD_ATTRIBUTE(locks_excluded(__VA_ARGS__))

// ---- A function that takes or releases locks for its caller. Without an argument: the object itself, or what a
// scoped capability holds. `success` is the result that says that the lock was taken.
#define MR_ACQUIRE(...) MR_THREAD_ATTRIBUTE(acquire_capability(__VA_ARGS__))
#define MR_RELEASE(...) MR_THREAD_ATTRIBUTE(release_capability(__VA_ARGS__))
#define MR_TRY_ACQUIRE(success, ...) MR_THREAD_ATTRIBUTE(try_acquire_capability(success, ##__VA_ARGS__))

// ---- The function returns this lock. Or: after a call of the function the tool believes that the lock is held, for a
// reason that it cannot see.
#define MR_RETURN_CAPABILITY(lock) MR_THREAD_ATTRIBUTE(lock_returned(lock))
#define MR_ASSERT_CAPABILITY(lock) MR_THREAD_ATTRIBUTE(assert_capability(lock))

// ---- The tool cannot follow the body of this function; a comment says why. Its declaration still tells callers what
// they need.
#define MR_NO_THREAD_SAFETY_ANALYSIS MR_THREAD_ATTRIBUTE(no_thread_safety_analysis)
