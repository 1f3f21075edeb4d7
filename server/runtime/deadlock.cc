#include "runtime/deadlock.h"

#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <set>
#include <unordered_map>

#include "runtime/cycles.h"
#include "runtime/fiber.h"
#include "runtime/sanitizers.h"
#include "runtime/slab.h"

namespace millrace::rt {

namespace {

struct Wait {
  WaitingFiber fiber;
  const Fiber* place = nullptr;
  uint64_t since_ticks = 0;
  const Fiber* owner = nullptr;  // Of the mutex it waits for.
};

// The word may be gone with the mutex and the fiber that waited, by the time it is read: then false instead of a fault.
bool ReadWord(const void* address, const Fiber** value) {
  constexpr size_t kWord = sizeof(uintptr_t);
  iovec local{.iov_base = value, .iov_len = kWord};
  iovec remote{.iov_base = const_cast<void*>(address), .iov_len = kWord};
  return process_vm_readv(getpid(), &local, 1, &remote, 1, 0) == static_cast<ssize_t>(kWord);
}

// `now`: one for all, so that they compare.
MR_NO_SANITIZE bool ReadWait(const Fiber& fiber, uint64_t now_ticks, Wait* wait) {
  const auto& now = reinterpret_cast<const volatile Fiber&>(fiber);
  if (fiber.state.load(std::memory_order_acquire) != FiberState::kParked) return false;
  wait->place = &fiber;
  wait->since_ticks = now.since;
  wait->fiber.id = now.id;
  wait->fiber.name = const_cast<const char*>(now.name);
  wait->fiber.reason = now.wait_reason;
  wait->fiber.since = Nanos(TicksToNs(TicksBetween(wait->since_ticks, now_ticks)));
  wait->owner = nullptr;
  if (const void* word = fiber.waits_for_owner_at.load(std::memory_order_relaxed); word != nullptr)
    ReadWord(word, &wait->owner);
  // The same wait still?
  return fiber.state.load(std::memory_order_acquire) == FiberState::kParked && now.since == wait->since_ticks &&
         now.id == wait->fiber.id;
}

// By where the fiber is, those that wait for a mutex with an owner.
std::unordered_map<const Fiber*, Wait> MutexWaits() {
  std::unordered_map<const Fiber*, Wait> waits;
  uint64_t now_ticks = NowTicks();
  for (FiberWalk walk; const Fiber* fiber = walk.Next();) {
    if (fiber->waits_for_owner_at.load(std::memory_order_relaxed) == nullptr) continue;
    Wait wait;
    if (ReadWait(*fiber, now_ticks, &wait) && wait.owner != nullptr) waits.emplace(fiber, wait);
  }
  return waits;
}

using Ring = std::vector<Wait>;

std::vector<Ring> Rings() {
  std::unordered_map<const Fiber*, Wait> waits = MutexWaits();
  std::vector<Ring> rings;
  std::set<const Fiber*> done;
  for (const auto& [start, unused] : waits) {
    Ring path;
    std::set<const Fiber*> on_path;
    const Fiber* at = start;
    while (done.insert(at).second) {
      auto found = waits.find(at);
      if (found == waits.end()) break;
      on_path.insert(at);
      path.push_back(found->second);
      at = found->second.owner;
      if (!on_path.contains(at)) continue;
      auto begin = std::find_if(path.begin(), path.end(), [&](const Wait& wait) { return wait.place == at; });
      rings.emplace_back(begin, path.end());
      break;
    }
  }
  return rings;
}

bool Same(const Ring& a, const Ring& b) {
  return a.size() == b.size() && std::all_of(a.begin(), a.end(), [&](const Wait& wait) {
           return std::any_of(b.begin(), b.end(), [&](const Wait& other) {
             return wait.place == other.place && wait.since_ticks == other.since_ticks && wait.owner == other.owner;
           });
         });
}

}  // namespace

std::vector<WaitingFiber> FibersBlockedLonger(Nanos limit, size_t max) {
  std::vector<WaitingFiber> found;
  uint64_t now_ticks = NowTicks();
  for (FiberWalk walk; const Fiber* fiber = walk.Next();) {
    Wait wait;
    if (ReadWait(*fiber, now_ticks, &wait) && IsLost(wait.fiber.reason) && wait.fiber.since > limit)
      found.push_back(std::move(wait.fiber));
  }
  std::sort(found.begin(), found.end(), [](const WaitingFiber& a, const WaitingFiber& b) { return a.since > b.since; });
  if (found.size() > max) found.resize(max);
  return found;
}

std::vector<std::vector<WaitingFiber>> LockCycles() {
  // A ring read once may be put together from different moments.
  std::vector<Ring> first = Rings();
  if (first.empty()) return {};
  std::vector<std::vector<WaitingFiber>> cycles;
  for (const Ring& ring : Rings()) {
    if (std::none_of(first.begin(), first.end(), [&](const Ring& before) { return Same(ring, before); })) continue;
    std::vector<WaitingFiber>& cycle = cycles.emplace_back();
    for (const Wait& wait : ring) cycle.push_back(wait.fiber);
    // From the fiber with the lowest number, so that the same cycle reads the same each time.
    std::rotate(cycle.begin(),
                std::min_element(cycle.begin(), cycle.end(), [](auto& a, auto& b) { return a.id < b.id; }),
                cycle.end());
  }
  return cycles;
}

std::string DescribeCycle(const std::vector<WaitingFiber>& cycle) {
  auto name = [](const WaitingFiber& fiber) { return "fiber " + std::to_string(fiber.id) + " '" + fiber.name + "'"; };
  std::string text = name(cycle.front());
  for (size_t i = 0; i < cycle.size(); ++i) {
    text += i == 0 ? " waits" : ", which waits";
    text += " for a mutex that " + name(cycle[(i + 1) % cycle.size()]) + " holds";
  }
  return text;
}

MR_NO_SANITIZE bool AllWaitForEachOther(const Scheduler& scheduler) {
  bool any = false;
  for (FiberWalk walk; const Fiber* fiber = walk.Next();) {
    const auto& now = reinterpret_cast<const volatile Fiber&>(*fiber);
    FiberState state = fiber->state.load(std::memory_order_acquire);
    if (state == FiberState::kFree || now.scheduler != &scheduler) continue;
    if (state != FiberState::kParked || !IsLost(now.wait_reason)) return false;
    any = true;
  }
  return any;
}

}  // namespace millrace::rt
