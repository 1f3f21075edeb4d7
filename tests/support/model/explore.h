// Explore: runs a small concurrent program in every order in which it can happen, and says what went wrong in the first
// one that fails. A stateless model checker in the manner of CHESS, Relacy and loom.
//
//   model::Result result = model::Explore({.name = "two increments"}, [](model::Scene& scene) {
//     std::atomic<int> n{0};                                   // Here std::atomic is model::Atomic (std_atomic.h).
//     scene.Thread("one", [&] { n.store(n.load() + 1); });
//     scene.Thread("two", [&] { n.store(n.load() + 1); });
//     scene.Run();
//     model::Check(n.load() == 2, "an increment is lost");
//   });
//   EXPECT_TRUE(result.held) << result.story;
//
//   Threads     are coroutines on one real thread. Each atomic operation is a point where another may go on; what lies
//               between two of them is one step. The body runs once for each order, from its first line, and must do
//               the same each time.
//   Memory      memory.h: weaker than x86, weaker than interleaving. A load that may see several values is tried with
//               each.
//   Waiting     FutexWait blocks until a FutexWake chooses the thread (any of those that wait), and may return early
//               `early_returns` times. Nobody able to go on while somebody waits is a deadlock: that is how a lost
//               wake-up shows. CpuRelax and sched_yield wait until something changes of what the thread has looked at
//               since the last one, so that spinning is finite; when nobody else can go on, spinning goes on too.
//               `spin_outs` times the search also tries what a thread does when it has looked in vain until it gave up.
//   Fibers      scene.Fiber: CurrentFiber, Park, Ready and Parker of the runtime work on it (fibers.h).
//   Failures    Check, MR_CHECK and MR_FATAL, deadlock, more than `steps_max` steps (a livelock), misuse of memory
//               (memory.h). The story has every step with its place in the source, and a schedule: give it back in
//               `replay`, or with MILLRACE_MODEL_REPLAY in the environment and the one test chosen, to run that order
//               alone.
//   All orders  With `preemptions` unbounded the search is exhaustive up to the order of steps that do not touch each
//               other (sleep sets, Godefroid 1996). Else it tries all orders in which a thread that could go on is held
//               up at most so many times; most bugs need two (Musuvathi and Qadeer, PLDI 2007).
//   Plain data  shared by threads belongs into a Plain<T>, which finds races, or is only added to: the search assumes
//               that steps meet in atomic variables only.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "tests/support/model/memory.h"

namespace millrace::model {

enum class OpKind : uint8_t { kLoad, kStore, kExchange, kAdd, kCas, kFence, kFutexWait, kFutexWake, kRelax };

enum class Fault : uint8_t {
  kRelaxed,  // The operation is done with memory_order_relaxed.
  kSkipped,  // A fence, store or futex wake is left out.
  kSplit,    // A read-modify-write becomes a load and a store.
};

// A known kind of bug put into the code under test while it runs: every operation of `kind` in functions whose
// signature contains `function`, and in that source line unless it is 0.
struct Mutation {
  const char* function = nullptr;
  OpKind kind = OpKind::kLoad;
  Fault fault = Fault::kRelaxed;
  uint32_t line = 0;
};

struct Options {
  const char* name = "";
  int preemptions = -1;       // -1: unbounded.
  size_t outdated_reads = 2;  // In a row, of one value. 0: sequential consistency.
  int early_returns = 0;      // Early returns of FutexWait in one execution.
  int spin_outs = 0;          // How often a thread spins in vain until it does something else.
  int clock_jumps = 0;        // How often rt::Now may find that a second has passed.
  uint32_t steps_max = 2000;
  uint64_t executions_max = 5'000'000;  // A search that needs more has failed: it must be cut smaller.
  std::vector<Mutation> mutations;
  std::string replay;
  bool quiet = false;  // Prints no line about the search.
};

struct Result {
  bool held = false;  // No order failed, and all were tried.
  uint64_t executions = 0;
  uint64_t pruned = 0;  // Those that were left early: the same as another up to the order of independent steps.
  uint32_t longest = 0;
  std::string failure;   // One line.
  std::string schedule;  // For replay.
  std::string story;     // All about it.
  // What the code under test did that could be done more weakly: "file.h:line function: operation order".
  std::map<std::string, Mutation> weaker;
};

class Scene {
 public:
  void Thread(const char* name, std::function<void()> body);
  void Fiber(const char* name, std::function<void()> body);
  // A thread that does not exist until somebody calls Start with what this returns.
  size_t Later(const char* name, std::function<void()> body);
  // Once: all threads go on until they have ended. What comes after sees everything they did.
  void Run();
};

Result Explore(const Options& options, const std::function<void(Scene&)>& body);

// Tests of the tests. Each operation in `file` that orders memory, as one of `programs` meets it, is made relaxed, and
// each read-modify-write split in two, one at a time; all programs run until one of them fails. Returns those with
// which all held, as "function: operation order" or "function: operation split".
using Program = std::function<Result(const std::vector<Mutation>&)>;
std::set<std::string> Survivors(const std::string& file, const std::vector<Program>& programs);

// In a body or a thread of it: this order fails.
void Check(bool condition, const char* what);
[[noreturn]] void Fail(const std::string& what);

// Starts a thread made with Scene::Later, which then sees what the caller did.
void Start(size_t later);

// Tries every number below `count`.
size_t Choose(size_t count);

// Plain data of several threads: an access that does not happen after the last write (for a write: after all accesses)
// is a race.
class PlainAccess {
 public:
  void Read(const char* what);
  void Write(const char* what);

 private:
  std::array<uint16_t, kThreadsMax> reads_{};
  size_t writer_ = 0;
  uint16_t written_ = 0;
};

template <typename T>
class Plain {
 public:
  explicit Plain(T value = T()) : value_(value) { access_.Write("Plain"); }
  T Get() {
    access_.Read("Plain");
    return value_;
  }
  void Set(T value) {
    access_.Write("Plain");
    value_ = value;
  }

 private:
  T value_;
  PlainAccess access_;
};

}  // namespace millrace::model
