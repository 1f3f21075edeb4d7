// Memory: what the atomics of one explored execution hold, and what each thread may see of it. An operational C++20
// memory model by views, after Kang et al., "A Promising Semantics" (POPL 2017), without promises.
//
//   A variable is the list of all values it was ever given, in the order of the stores. A thread may read any of them
//   that is not older than what it has seen of that variable. Reading one with acquire that was written with release
//   takes over the writer's view; a relaxed read does so at the next acquire fence. Read-modify-writes and
//   compare-and-swaps that succeed read the newest one, and continue the release sequence of what they read. seq_cst
//   fences hand one common view on; seq_cst loads and stores do so for their own variable.
//
//   Sees       A missing store-load fence (both sides read old values), a missing acquire or release, a lost update,
//              use of a variable before it is published or after it is destroyed, a race on plain data kept in a
//              Plain<T>.
//   More than  everything x86 can do: total store order is the part of this in which all is acquire and release.
//   Less than  all that C++ allows: no load is satisfied by a store that comes later in the program ("out of thin air",
//              load buffering), stores to one variable take effect in the order of execution, a weak compare-and-swap
//              does not fail spuriously, and a thread reads one outdated value a bounded number of times in a row,
//              because stores become visible in finite time.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace millrace::model {

inline constexpr size_t kThreadsMax = 16;
inline constexpr size_t kLocationsMax = 96;

struct View {
  // For each location the oldest message that may still be read.
  std::array<uint16_t, kLocationsMax> seen{};
  // Happens-before: for each thread how many of its steps came before.
  std::array<uint16_t, kThreadsMax> clock{};

  void JoinSeen(const View& other);
  void Join(const View& other);
};

// What one thread knows.
struct Knowledge {
  View now;
  View acquired;  // What relaxed reads have seen; taken over at an acquire fence.
  View released;  // At the last release fence; goes with relaxed stores.
  std::array<uint8_t, kLocationsMax> outdated_reads{};
  std::array<uint16_t, kLocationsMax> read_since_relax{};  // Position of the message plus one; 0: not read.
};

struct Message {
  uint64_t value;
  View view;
};

struct Location {
  const void* address = nullptr;
  bool alive = true;
  size_t creator = 0;
  uint16_t created_at = 0;
  std::vector<Message> history;
  std::array<uint16_t, kThreadsMax> last_access{};
};

class Memory {
 public:
  static constexpr int kNone = -1;

  void Reset(size_t outdated_reads_max);

  // The variable at `address`, or kNone. Destroyed ones are found until their place is used again.
  int Find(const void* address) const;
  int Create(const void* address, uint64_t value, size_t thread);
  // False: an access of another thread did not happen before.
  bool Destroy(int location, size_t thread);
  const Location& At(int location) const { return locations_[static_cast<size_t>(location)]; }
  Knowledge& Of(size_t thread) { return knowledge_[thread]; }

  // A new step of `thread`.
  void Tick(size_t thread) { ++knowledge_[thread].now.clock[thread]; }
  // nullptr, or what is wrong with an access of `thread` now.
  const char* Judge(int location, size_t thread) const;

  // How many messages a load may read; 0 is the newest.
  size_t Readable(int location, size_t thread, std::memory_order order) const;
  uint64_t Peek(int location, size_t age = 0) const;
  uint64_t Read(int location, size_t thread, std::memory_order order, size_t age);
  void Write(int location, size_t thread, std::memory_order order, uint64_t value);
  // Reads the newest and writes `value` behind it in one step.
  uint64_t ReadWrite(int location, size_t thread, std::memory_order order, uint64_t value);
  void Fence(size_t thread, std::memory_order order);

  // `to` goes on where `from` is: a thread's start, its end, Ready.
  void HandOver(size_t from, size_t to) { knowledge_[to].now.Join(knowledge_[from].now); }
  // Time passes: the thread sees everything newest.
  void CatchUp(size_t thread);
  // Has something changed of what the thread has read since its last relax?
  bool NewsFor(size_t thread) const;

 private:
  void Append(Location& location, int id, size_t thread, std::memory_order order, uint64_t value, const View* chain);

  size_t outdated_reads_max_ = 0;
  size_t count_ = 0;
  std::vector<Location> locations_ = std::vector<Location>(kLocationsMax);
  std::vector<Knowledge> knowledge_ = std::vector<Knowledge>(kThreadsMax);
  View sequential_;
};

}  // namespace millrace::model
