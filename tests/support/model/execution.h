// Execution: the inside of Explore. The threads of one run of the body as coroutines, the decision which one goes on at
// each operation, and the search through these decisions. Also the door for the model's atomics, futexes and fibers.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "tests/support/model/explore.h"
#include "tests/support/model/memory.h"
#include "tests/support/model/where.h"

namespace millrace::model {

struct Op {
  OpKind kind = OpKind::kLoad;
  int location = Memory::kNone;
  std::memory_order order = std::memory_order_relaxed;
  Where where;
};

struct ThreadRecord {
  enum class State : uint8_t {
    kIdle,     // A spare, for parking fibers; or not started.
    kAtOp,     // `op` is what it does next.
    kReady,    // It goes on without touching memory: woken.
    kBlocked,  // In a futex wait for op.location, or parked.
    kFinished,
  };
  std::string name;
  std::function<void()> body;
  State state = State::kIdle;
  Op op;
  bool parked = false;
  bool helper = false;
  int spins_left = 0;     // While it spins in vain: its loads and relaxes are one step.
  void* fiber = nullptr;  // rt::Fiber, when it is one.
  void* context = nullptr;
  std::unique_ptr<char[]> stack;
};

// One decision: which thread goes on, or which of several values a load sees.
struct Decision {
  bool of_thread;
  uint32_t options;  // A bit for each thread that may be chosen; or how many values.
  uint32_t chosen;
  uint32_t done = 0;  // Threads that were tried here.
};

struct Event {
  size_t thread;
  Op op;
  const char* what;
  uint64_t old_value, new_value;
  bool outdated;
};

class Execution {
 public:
  static Execution& Current();
  static bool Exists();  // In the body or a thread of it?

  Execution(const Options& options);

  Result Search(const std::function<void(Scene&)>& body);

  // ---- For atomics, futexes and fibers, on the thread that does it.
  Memory& memory() { return memory_; }
  size_t self() const { return self_; }
  bool over() const { return pruned_ || !failure_.empty(); }  // The run is given up; what is left of it does not count.
  // Before each operation: returns when it is this thread's turn. `op` as the mutations leave it.
  void Await(Op& op);
  bool Skips(const Op& op) const { return HasFault(op, Fault::kSkipped); }
  bool Splits(const Op& op) const { return HasFault(op, Fault::kSplit); }
  void Record(const Op& op, const char* what, uint64_t old_value, uint64_t new_value, bool outdated = false);
  size_t Choose(size_t count);
  [[noreturn]] void Fail(const std::string& what);

  bool TakeEarlyReturn();
  // Seconds since the run began, after perhaps one more.
  int TellTime();
  // At a relax: does the thread from here on spin in vain?
  bool SpinsOut();
  // The calling thread waits for `location`, in a FutexWait.
  void Block(int location);
  std::vector<size_t> BlockedAt(int location) const;
  void Wake(size_t thread) { threads_[thread]->state = ThreadRecord::State::kReady; }

  // ---- Fibers
  void* fiber() const { return threads_[self_]->fiber; }
  // The calling fiber leaves its stack; then `after` runs on a helper. Returns when it is resumed.
  void Park(std::function<void()> after);
  // Makes a parked fiber able to go on. Fatal when it is not parked.
  void Resume(void* fiber);

  // ---- For Scene
  void Add(const char* name, std::function<void()> body, void* fiber);
  size_t AddLater(const char* name, std::function<void()> body);
  void StartLater(size_t thread);
  void Run();

 private:
  struct Abandoned {};

  void RunOnce(const std::function<void(Scene&)>& body);
  bool NextOrder();
  size_t PickNext();  // kNobody: the run is over.
  uint32_t Enabled() const;
  static bool Independent(const ThreadRecord& one, const ThreadRecord& other);
  size_t Decide(bool of_thread, uint32_t options, size_t preferred);
  void GoOnElsewhere();
  void SwitchTo(size_t thread);
  void LeaveToMain();
  ThreadRecord& NewThread();
  void Prepare(ThreadRecord& record);
  void EndThread();
  bool HasFault(const Op& op, Fault fault) const;
  bool Matches(const Mutation& mutation, const Op& op) const;
  void NoteWeaker(const Op& op);
  std::string WhoWaits() const;
  std::string Story() const;

  friend void ThreadEntry(Execution& execution);

  const Options& options_;
  Result result_;
  Memory memory_;
  std::vector<std::unique_ptr<ThreadRecord>> threads_;  // [0] is the body itself.
  size_t used_ = 0;
  size_t self_ = 0;
  bool running_ = false;
  bool priming_ = false;
  void* main_context_ = nullptr;

  std::vector<Decision> path_;
  size_t depth_ = 0;
  uint32_t asleep_ = 0;
  int preemptions_ = 0;
  int early_returns_ = 0;
  int spin_outs_ = 0;
  int seconds_ = 0;
  uint32_t steps_ = 0;
  bool pruned_ = false;
  std::string schedule_;  // The schedule of this run.
  std::string failure_;
  std::vector<Event> events_;
  std::set<std::tuple<const char*, uint32_t, uint32_t, OpKind>> noted_;
};

}  // namespace millrace::model
