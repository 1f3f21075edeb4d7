#include "runtime/machines.h"

#include <pthread.h>

#include <utility>

#include "runtime/sanitizers.h"
#include "runtime/scheduler.h"
#include "runtime/stack.h"

namespace millrace::rt {

namespace {

// A machine's own stack: the search for work is shallow, an I/O poller's handlers are what needs room. glibc takes
// the guard out of it, which is as large as a fiber's (stack.h).
constexpr size_t kStackBytes = (size_t{512} << 10) + StackPool::kGuardBytes;

}  // namespace

bool Machines::Make(Body body) {
  ThreadGuard guard(mutex_);
  if (owner_.stopping() || count_.load(std::memory_order_relaxed) >= max_) return false;
  auto owned = std::make_unique<Machine>(owner_);
  owned->random_state = seed_ + 0x9E3779B97F4A7C15u * (list_.size() + 1);
  list_.reserve(list_.size() + 1);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, kStackBytes);
  pthread_attr_setguardsize(&attributes, StackPool::kGuardBytes);
  int error = pthread_create(&owned->thread, &attributes, body, owned.get());
  pthread_attr_destroy(&attributes);
  if (error != 0) return false;
  list_.push_back(std::move(owned));
  count_.fetch_add(1, std::memory_order_relaxed);
  starting_.fetch_add(1, std::memory_order_relaxed);
  return true;
}

bool Machines::Reap(const SysmonSleep& sysmon) {
  if (ended_.load(std::memory_order_relaxed) == 0) return false;
  ThreadGuard guard(mutex_);
  sanitizers::IgnoreScope ignore;
  if (owner_.stopping()) return false;
  std::erase_if(list_, [&](const std::unique_ptr<Machine>& machine) {
    if (machine->life.load(std::memory_order_acquire) != Machine::Life::kEnded) return false;
    // Sysmon may have found it on its processor a moment ago. While it naps it looks at nobody, and it will not find it
    // there again. (seq_cst: the nap begins after the last use.)
    if (sysmon.awake() || machine->watched.load(std::memory_order_acquire)) return false;
    if (pthread_tryjoin_np(machine->thread, nullptr) != 0) return false;
    ended_.fetch_sub(1, std::memory_order_relaxed);
    return true;
  });
  // While sysmon sleeps nothing changes.
  return ended_.load(std::memory_order_relaxed) > 0 && !sysmon.sleeps();
}

}  // namespace millrace::rt
