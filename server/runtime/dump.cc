#include "runtime/dump.h"

#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <iterator>
#include <map>
#include <optional>
#include <string_view>
#include <system_error>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "runtime/cycles.h"
#include "runtime/fiber.h"
#include "runtime/park.h"
#include "runtime/sanitizers.h"
#include "runtime/slab.h"
#include "runtime/symbols.h"

namespace millrace::rt {

namespace {

constexpr int kLooks = 3;
constexpr size_t kGroupsMax = 1000;

std::atomic<TraceRunning> trace_running{nullptr};

// What the dump keeps of a fiber.
struct Look {
  uint64_t id = 0;
  FiberState state = FiberState::kFree;
  WaitReason reason = WaitReason::kNone;
  uint64_t since = 0;
  const char* name = nullptr;
  bool halted = false;  // It stands at preempted_at.
  bool asleep = false;  // It runs, as far as anybody has said, but its thread sleeps.
  bool moved = false;
  bool keeps_thread = false;

  bool truncated = false;
  size_t depth = 0;
  std::array<uintptr_t, kFramesShown> pcs;

  bool SameAs(const Look& other) const {
    return id == other.id && state == other.state && since == other.since && halted == other.halted;
  }
  const char* Label() const {
    switch (state) {
      case FiberState::kRunning:
        return asleep ? "asleep in a call" : "running";
      case FiberState::kReady:
        // Also one that comes out of a blocking call and waits for a processor stands still on its thread.
        return halted && reason != WaitReason::kBlocking ? "preempted" : "ready";
      case FiberState::kParked:
        return ToString(reason);
      default:
        return "other";
    }
  }
};

MR_NO_SANITIZE Look ReadState(const Fiber& fiber) {
  const auto& now = reinterpret_cast<const volatile Fiber&>(fiber);
  Look look;
  look.state = fiber.state.load(std::memory_order_acquire);
  look.id = now.id;
  look.reason = now.wait_reason;
  look.since = now.account.since;
  look.name = now.name;
  look.halted = now.preempted_at.pc != 0;
  look.keeps_thread = now.thread_locks > 0;
  return look;
}

// The fiber that asked for the dump, which runs, and where it waits for it.
struct Caller {
  const Fiber* fiber;
  SavedFrame at;
};

MR_NO_SANITIZE void ReadStack(const Fiber& fiber, const Caller& caller, Look& look) {
  look.depth = 0;
  look.truncated = false;
  if (&fiber != caller.fiber && look.state == FiberState::kRunning) {
    if (TraceRunning trace = trace_running.load(std::memory_order_acquire)) {
      RunningTrace seen = trace(const_cast<Fiber*>(&fiber), look.pcs.data(), look.pcs.size());
      look.depth = seen.depth;
      look.asleep = seen.asleep;
    }
    return;
  }
  FrameWalk walk(&fiber == caller.fiber ? caller.at : WhereItStands(fiber),
                 reinterpret_cast<const volatile Fiber&>(fiber).stack_low, &fiber);
  while (uintptr_t pc = walk.Next()) {
    if (look.depth == look.pcs.size()) {
      look.truncated = true;
      return;
    }
    look.pcs[look.depth++] = pc;
  }
}

// Nothing if it is not alive.
std::optional<Look> LookAt(const Fiber& fiber, const Caller& caller) {
  for (int i = 0;; ++i) {
    Look look = ReadState(fiber);
    if (look.state == FiberState::kFree) return std::nullopt;
    ReadStack(fiber, caller, look);
    if (look.SameAs(ReadState(fiber))) return look;
    if (i == kLooks) {
      look.moved = true;
      look.depth = 0;
      return look;
    }
  }
}

std::string Duration(uint64_t since, uint64_t now) {
  auto ns = static_cast<double>(TicksToNs(TicksBetween(since, now)));
  constexpr std::pair<double, const char*> kUnits[] = {
      {3600e9, "h"}, {60e9, "min"}, {1e9, "s"}, {1e6, "ms"}, {1e3, "us"}};
  for (auto [unit, name] : kUnits) {
    if (ns >= 2 * unit || (ns >= unit && unit < 60e9))
      return std::to_string(static_cast<int64_t>(ns / unit)) + " " + name;
  }
  return "0 us";
}

struct Group {
  Look example;
  uint64_t count = 0;
  uint64_t oldest = UINT64_MAX;
};

class Dump {
 public:
  Dump(const Fiber* caller, SavedFrame at) : caller_{caller, at} {}

  std::string Make() {
    GetTickScale();  // There may have been no runtime yet.
    for (FiberWalk walk; const Fiber* fiber = walk.Next();) {
      if (std::optional<Look> look = LookAt(*fiber, caller_)) Add(*look);
    }
    now_ = NowTicks();
    std::string text = "runtime: fiber dump: " + std::to_string(total_) + " fibers";
    const char* separator = ": ";
    for (const auto& [label, count] : by_label_) {
      text += separator + std::to_string(count) + " " + std::string(label);
      separator = ", ";
    }
    text += "\n";
    for (const auto& [id, look] : shown_) {
      text += "fiber " + std::to_string(id) + Quoted(look) + " [" + look.Label() + ", " + Duration(look.since, now_) +
              (look.keeps_thread ? ", keeps its thread" : "") + "]:\n";
      AddFrames(look, text);
    }
    AddGroups(text);
    text += "runtime: end of fiber dump\n";
    return text;
  }

 private:
  void Add(const Look& look) {
    ++total_;
    ++by_label_[look.Label()];
    shown_.emplace(look.id, look);
    if (shown_.size() > kFibersShown) {
      auto last = std::prev(shown_.end());
      AddToGroup(last->second);
      shown_.erase(last);
    }
  }

  void AddToGroup(const Look& look) {
    std::string key = look.Label();
    key.append(reinterpret_cast<const char*>(look.pcs.data()), look.depth * sizeof look.pcs[0]);
    auto place = groups_.find(key);
    if (place == groups_.end()) {
      if (groups_.size() == kGroupsMax) {
        ++ungrouped_;
        return;
      }
      place = groups_.emplace(std::move(key), Group{.example = look}).first;
    }
    ++place->second.count;
    place->second.oldest = std::min(place->second.oldest, look.since);
  }

  void AddGroups(std::string& text) {
    std::vector<const Group*> groups;
    for (const auto& [key, group] : groups_) groups.push_back(&group);
    std::sort(groups.begin(), groups.end(), [](const Group* a, const Group* b) { return a->count > b->count; });
    for (const Group* group : groups) {
      const Look& look = group->example;
      text += std::to_string(group->count) + " more like fiber " + std::to_string(look.id) + Quoted(look) + " [" +
              look.Label() + ", up to " + Duration(group->oldest, now_) + "]:\n";
      AddFrames(look, text);
    }
    if (ungrouped_ > 0) text += std::to_string(ungrouped_) + " more with other stacks\n";
  }

  static std::string Quoted(const Look& look) {
    std::string name = CopyFiberName(look.name);
    return name.empty() ? "" : " '" + name + "'";
  }

  void AddFrames(const Look& look, std::string& text) {
    if (look.depth == 0) {
      text += look.moved                           ? "  moved on while it was looked at\n"
              : look.asleep                        ? "  its thread sleeps in the kernel, which does not tell where\n"
              : look.state == FiberState::kRunning ? "  on a machine; its stack cannot be seen while it runs\n"
                                                   : "  nothing to see on its stack\n";
      return;
    }
    for (size_t i = 0; i < look.depth; ++i) {
      char head[48];
      snprintf(head, sizeof head, "  #%zu 0x%016lx ", i, static_cast<unsigned long>(look.pcs[i]));
      text += head + symbols_.Describe(look.pcs[i], i > 0) + "\n";
    }
    if (look.truncated) text += "  ... and more\n";
  }

  const Caller caller_;
  Symbols symbols_;
  uint64_t now_ = 0;
  uint64_t total_ = 0;
  uint64_t ungrouped_ = 0;
  std::map<std::string_view, uint64_t> by_label_;
  std::multimap<uint64_t, Look> shown_;  // By id, which several runtimes may have given out.
  std::unordered_map<std::string, Group> groups_;
};

}  // namespace

// The kernel looks whether the text is still there.
std::string CopyFiberName(const char* name) {
  char text[64] = {};
  constexpr size_t kMax = sizeof text - 1;
  auto address = reinterpret_cast<uintptr_t>(name);
  if (address == 0) return "";
  // It copies whole pieces only: the end of a page ends a piece.
  size_t first = std::min<size_t>(kMax, 4096 - address % 4096);
  iovec to{text, kMax};
  iovec from[] = {{const_cast<char*>(name), first}, {const_cast<char*>(name) + first, kMax - first}};
  if (process_vm_readv(getpid(), &to, 1, from, kMax > first ? 2 : 1, 0) < 0 && errno != EFAULT) {
    strncpy(text, name, kMax);  // Containers may forbid the call.
  }
  return text;
}

std::string FiberDump() {
  const Fiber* caller = CurrentFiber();
  if (caller == nullptr) return Dump(nullptr, {}).Make();
  // Reading debug information takes more stack than a fiber may have. The fiber waits as it is and does not park: a
  // parked one is dropped when its runtime ends, with all that the thread still needs.
  std::string text;
  try {
    std::thread([&text, caller, here = HereAndNow()] { text = Dump(caller, here).Make(); }).join();
  } catch (const std::system_error& error) {
    text = std::string("runtime: no fiber dump: no thread to make it on: ") + error.what() + "\n";
  }
  return text;
}

void DumpFibers(int fd) {
  std::string text = FiberDump();
  for (std::string_view rest = text; !rest.empty();) {
    ssize_t written = write(fd, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;
    rest.remove_prefix(static_cast<size_t>(written));
  }
}

void SetTraceRunning(TraceRunning trace) { trace_running.store(trace, std::memory_order_release); }

}  // namespace millrace::rt

extern "C" void millrace_dump_fibers(int fd) { millrace::rt::DumpFibers(fd); }
