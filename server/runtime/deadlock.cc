#include "runtime/deadlock.h"

#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <set>
#include <unordered_map>

#include "runtime/backtrace.h"
#include "runtime/cycles.h"
#include "runtime/dump.h"
#include "runtime/fiber.h"
#include "runtime/sanitizers.h"
#include "runtime/slab.h"

namespace millrace::rt {

namespace {

struct Wait {
  const Fiber* place = nullptr;
  const Scheduler* scheduler = nullptr;
  uint64_t id = 0;
  const char* name = nullptr;  // May be gone with the fiber (CopyFiberName).
  WaitReason reason = WaitReason::kNone;
  uint64_t since = 0;            // Ticks.
  const Fiber* owner = nullptr;  // The holder of the mutex that it waits for.

  bool SameAs(const Wait& other) const {
    return place == other.place && id == other.id && since == other.since && owner == other.owner;
  }
};

// The word may be gone with the mutex and the fiber that waited, by the time it is read: then false instead of a fault.
bool ReadWord(const void* address, const Fiber** value) {
  constexpr size_t kWord = sizeof(uintptr_t);
  iovec local{.iov_base = value, .iov_len = kWord};
  iovec remote{.iov_base = const_cast<void*>(address), .iov_len = kWord};
  return process_vm_readv(getpid(), &local, 1, &remote, 1, 0) == static_cast<ssize_t>(kWord);
}

enum class Owners : uint8_t { kNo, kRead };

MR_NO_SANITIZE bool ReadWait(const Fiber& fiber, Owners owners, Wait* wait) {
  const auto& now = reinterpret_cast<const volatile Fiber&>(fiber);
  if (fiber.state.load(std::memory_order_acquire) != FiberState::kParked) return false;
  wait->place = &fiber;
  wait->scheduler = now.scheduler;
  wait->id = now.id;
  wait->name = const_cast<const char*>(now.name);
  wait->reason = now.wait_reason;
  wait->since = now.account.since;
  wait->owner = nullptr;
  const void* word = owners == Owners::kRead ? fiber.waits_for_owner_at.load(std::memory_order_relaxed) : nullptr;
  if (word != nullptr) ReadWord(word, &wait->owner);
  // The same wait still?
  return fiber.state.load(std::memory_order_acquire) == FiberState::kParked && now.account.since == wait->since &&
         now.id == wait->id;
}

// `now_ticks`: one for all, so that they compare.
WaitingFiber Describe(const Wait& wait, uint64_t now_ticks) {
  return {.id = wait.id,
          .name = CopyFiberName(wait.name),
          .reason = wait.reason,
          .since = Nanos(TicksToNs(TicksBetween(wait.since, now_ticks))),
          .stack = {}};
}

// The backtrace of a fiber whose stack is mapped (FiberWalk). Empty if it waits for something else by now.
MR_NO_SANITIZE std::vector<uintptr_t> ReadStack(const Wait& wait) {
  std::vector<uintptr_t> stack;
  FrameWalk frames(WhereItStands(*wait.place), reinterpret_cast<const volatile Fiber&>(*wait.place).stack_low,
                   wait.place);
  while (stack.size() < static_cast<size_t>(kFramesShown)) {
    uintptr_t pc = frames.Next();
    if (pc == 0) break;
    stack.push_back(pc);
  }
  Wait now;
  if (!ReadWait(*wait.place, Owners::kNo, &now) || !now.SameAs(wait)) stack.clear();
  return stack;
}

// By where the fiber is, those that wait for a mutex with an owner.
std::unordered_map<const Fiber*, Wait> MutexWaits() {
  std::unordered_map<const Fiber*, Wait> waits;
  for (FiberWalk walk; const Fiber* fiber = walk.Next();) {
    if (fiber->waits_for_owner_at.load(std::memory_order_relaxed) == nullptr) continue;
    Wait wait;
    if (ReadWait(*fiber, Owners::kRead, &wait) && wait.owner != nullptr) waits.emplace(fiber, wait);
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
           return std::any_of(b.begin(), b.end(), [&](const Wait& other) { return wait.SameAs(other); });
         });
}

}  // namespace

std::atomic<void (*)(const Fiber&)> internal::before_look{nullptr};

BlockedFibers FibersBlockedSince(uint64_t after, uint64_t until, size_t max, const Scheduler* of) {
  std::vector<Wait> waits;
  FiberWalk walk;  // The stacks stay until its end.
  while (const Fiber* fiber = walk.Next()) {
    Wait wait;
    if (ReadWait(*fiber, Owners::kNo, &wait) && IsLost(wait.reason) && wait.since > after && wait.since <= until &&
        (of == nullptr || wait.scheduler == of))
      waits.push_back(wait);
  }
  BlockedFibers blocked{.longest = {}, .count = waits.size()};
  auto end = waits.begin() + static_cast<ptrdiff_t>(std::min(max, waits.size()));
  std::partial_sort(waits.begin(), end, waits.end(), [](const Wait& a, const Wait& b) { return a.since < b.since; });
  uint64_t now_ticks = NowTicks();
  for (auto wait = waits.begin(); wait != end; ++wait) {
    blocked.longest.push_back(Describe(*wait, now_ticks));
    blocked.longest.back().stack = ReadStack(*wait);
  }
  return blocked;
}

std::vector<WaitingFiber> FibersBlockedLonger(Nanos limit, size_t max) {
  uint64_t now = NowTicks();
  uint64_t ticks = NsToTicks(std::max<int64_t>(limit.count(), 0));
  // The counter may be younger than that.
  if (ticks >= now) return {};
  return FibersBlockedSince(0, now - ticks, max, nullptr).longest;
}

std::vector<std::vector<WaitingFiber>> LockCycles() {
  // A ring read once may be put together from different moments.
  std::vector<Ring> first = Rings();
  if (first.empty()) return {};
  std::vector<std::vector<WaitingFiber>> cycles;
  uint64_t now_ticks = NowTicks();
  for (const Ring& ring : Rings()) {
    if (std::none_of(first.begin(), first.end(), [&](const Ring& before) { return Same(ring, before); })) continue;
    std::vector<WaitingFiber>& cycle = cycles.emplace_back();
    for (const Wait& wait : ring) cycle.push_back(Describe(wait, now_ticks));
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
    if (auto* before_look = internal::before_look.load(std::memory_order_relaxed)) before_look(*fiber);
    const auto& now = reinterpret_cast<const volatile Fiber&>(*fiber);
    FiberState state = fiber->state.load(std::memory_order_acquire);
    if (state == FiberState::kFree || now.scheduler != &scheduler) continue;
    if (state != FiberState::kParked || !IsLost(now.wait_reason)) return false;
    any = true;
  }
  return any;
}

}  // namespace millrace::rt
