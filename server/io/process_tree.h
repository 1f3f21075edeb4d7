// ProcessTree: everything that a started program has started in turn, found through /proc and ended.
//
//   Member     A process belongs to the tree of a leader by its group, which it can leave; by its parent, which may
//              have ended; or by a mark in its environment, which is inherited and seldom cleared. It must have given
//              up all three to escape.
//   Numbers    A process is named by its pid and the time of its start, so a signal never meets one that got the number
//              later.
//   Unclear    Whoever is just being started (execve) has no environment for a moment, and where this process is short
//              of descriptors or memory none can be read. That is not the answer "it has no mark": look again.
//   Cost       A look at every process of the machine, some 10 us for each; a system call for each of a tree.
//              LivingOrphans is one read, and a system call for each orphan.
//   Threads    Any; nothing here waits but EndMarked.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"

namespace millrace::io {

// The variable that holds the mark.
inline constexpr std::string_view kMarkVariable = "MILLRACE_TREE";

struct ProcessEntry {
  pid_t pid = 0, parent = 0, group = 0, session = 0;
  uint64_t start = 0;   // In clock ticks since the boot.
  bool zombie = false;  // Ended, and nobody has asked how.
};

// nullopt: /proc cannot be read, for now (no descriptor) or at all; errno tells.
std::optional<std::vector<ProcessEntry>> ListProcesses();

// The processes of `all` that belong to the tree of `leader` (0: of none), itself included. `mark` is looked for in the
// environment of those whose parent is `orphan_parent` (0: of all); empty: in none. Never this process.
// `known`: members that were found before; they stay members when whatever told of them is gone.
struct TreeOf {
  pid_t leader = 0;
  std::string mark;  // A value of kMarkVariable, whole, or the beginning of it up to a '-'.
  pid_t orphan_parent = 0;
  std::vector<ProcessEntry> known{};
};
struct FoundTree {
  std::vector<ProcessEntry> members;
  size_t unclear = 0;  // More that may be members, by a mark that cannot be read for now.
  int error = 0;       // errno of the shortage that lets none be read; 0: those are just being started.
};
FoundTree FindTree(const std::vector<ProcessEntry>& all, const TreeOf& tree);

// False: each of these children of this process is older than the leader, or carries the mark of another one. So a look
// at all processes would find none. Costs two system calls or three for each.
bool MayBelong(const std::vector<pid_t>& orphans, const TreeOf& tree);

// How long to go on looking at processes that are just being started.
inline constexpr Nanos kUnclearPatience = std::chrono::seconds(1);

// Nothing happens where it is gone by now. Where a shortage of descriptors lets nobody look, the number is trusted.
void SignalProcess(const ProcessEntry& process, int signal);

// Children of this process that it did not start: they became its own when their parents ended (a subreaper, or process
// 1). Those that have ended are reaped here. `leaders`: children that somebody else reaps. nullopt: it cannot be told
// for now.
template <typename Set>
std::optional<std::vector<pid_t>> LivingOrphans(const Set& leaders);

// Kills every process that carries the mark, its like in FindTree included, and waits until all are gone. The number
// that is left after `patience`: they hang in the kernel, belong to another user, or cannot be looked at.
size_t EndMarked(const std::string& mark, Nanos patience);

// ---- For the template
std::optional<std::vector<pid_t>> AdoptedChildren();
pid_t ReapIfEnded(pid_t child);  // As waitpid(2): 0, it lives.

template <typename Set>
std::optional<std::vector<pid_t>> LivingOrphans(const Set& leaders) {
  // The children of one that ended after the list was read are not in it, so it is read once more. Not for ever: a tree
  // can go on making such ones.
  for (int i = 0; i < 3; ++i) {
    std::optional<std::vector<pid_t>> children = AdoptedChildren();
    if (!children) return std::nullopt;
    bool reaped = false;
    std::erase_if(*children, [&](pid_t pid) {
      if (leaders.contains(pid)) return true;
      const pid_t ended = ReapIfEnded(pid);
      reaped |= ended > 0;
      return ended != 0;
    });
    if (!reaped) return children;
  }
  return std::nullopt;
}

}  // namespace millrace::io
