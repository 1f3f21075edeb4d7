// server/runtime/idle_protocol.h with real rings and locks: work is never left in a queue while a processor is idle and
// everybody sleeps. Machines go through the steps of the scheduler (FindRunnable, GiveUpProcessor, AcquireProcessor,
// WakeOne) one by one, without timers, the poller and preemption; a machine that has to be made is there at once.
// Whoever changes the order of steps there changes it here.
//
// An item of work may wait for another to have run, as a fiber that computes until it is told to stop. Then a wake-up
// that comes only when some machine is through with its work is too late, and shows as a deadlock.
#include "runtime/idle_protocol.h"

#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "runtime/futex.h"
#include "runtime/run_queue.h"
#include "runtime/spin_lock.h"
#include "tests/support/model/explore.h"

namespace millrace::model {
namespace {

using rt::Fiber;
using rt::SpinLock;
using Ring = rt::RunQueueOf<4>;

// A step left out or done in another order.
enum class Bug { kNone, kNoLastLook, kLastLookWhileSpinning, kLastLookWithProcessor, kNoSuccessor };

class Machines {
 public:
  static constexpr int kProcessors = 2, kMachines = 4;
  using RunItem = std::function<void(int machine, size_t item)>;

  // The first `busy` machines begin with a processor each; the others do not exist until they are needed.
  Machines(Scene& scene, int processors, int busy, int items, Bug bug, RunItem run)
      : processors_(processors), items_left_(items), bug_(bug), run_(std::move(run)) {
    static constexpr std::array kNames = {"machine 0", "machine 1", "machine 2", "machine 3"};
    for (int i = busy; i < processors_; ++i) PushIdleProcessor(i);
    for (int i = 0; i < kMachines; ++i) {
      processor_of_[i] = i;
      if (i < busy) {
        scene.Thread(kNames[i], [this, i] { Loop(i); });
      } else {
        later_[i] = scene.Later(kNames[i], [this, i] { Loop(i); });
      }
    }
    made_ = busy;
  }

  void Push(int processor, size_t item) { rings_[processor].Push(reinterpret_cast<Fiber*>(item)); }

  // From an item that runs on `machine`, as Ready on a fiber.
  void SubmitLocally(int machine, size_t item) {
    Ring& ring = rings_[processor_of_[machine]];
    if (Fiber* displaced = ring.PushNext(reinterpret_cast<Fiber*>(item))) ring.Push(displaced);
    if (protocol_.MustWake()) WakeOne();
  }
  void SubmitFromOutside(size_t item) {
    {
      std::lock_guard guard(lock_);
      global_[global_size_++] = reinterpret_cast<Fiber*>(item);
      global_count_.fetch_add(1);
    }
    if (protocol_.MustWake()) WakeOne();
  }

 private:
  void Loop(int self) {
    while (Fiber* fiber = FindRunnable(self)) {
      run_(self, reinterpret_cast<size_t>(fiber));
      if (items_left_.fetch_sub(1) == 1) Stop();
    }
  }

  Fiber* FindRunnable(int self) {
    for (;;) {
      if (stopping_.load(std::memory_order_relaxed)) return nullptr;
      Fiber* fiber = FindLocal(self);
      if (fiber == nullptr && (spinning_[self] || protocol_.MaySpin(processors_))) {
        if (!spinning_[self]) StartSpinning(self);
        fiber = Steal(self);
      }
      if (fiber != nullptr) {
        if (spinning_[self]) {
          StopSpinning(self);
          if (bug_ != Bug::kNoSuccessor && protocol_.MayNeedSuccessor() && AnyWork()) WakeOne();
        }
        return fiber;
      }

      if (bug_ == Bug::kLastLookWithProcessor && AnyWork()) continue;
      {
        std::lock_guard guard(lock_);
        if (stopping_.load(std::memory_order_relaxed)) return nullptr;
        if (global_count_.load(std::memory_order_relaxed) > 0) continue;
        if (!spinning_[self] && protocol_.MustSpin()) {
          StartSpinning(self);
          continue;
        }
        PushIdleProcessor(processor_of_[self]);
      }
      bool more = bug_ == Bug::kLastLookWhileSpinning && AnyWork();
      if (spinning_[self]) StopSpinning(self);
      protocol_.BeforeLastLook();
      if (bug_ == Bug::kNone || bug_ == Bug::kNoSuccessor) more = AnyWork();
      if (more && TryTakeProcessor(self)) continue;
      if (!SleepUntilAssigned(self)) return nullptr;
    }
  }

  Fiber* FindLocal(int self) {
    bool inherits;
    if (Fiber* fiber = rings_[processor_of_[self]].Pop(&inherits)) return fiber;
    if (global_count_.load(std::memory_order_relaxed) == 0) return nullptr;
    std::lock_guard guard(lock_);
    if (global_size_ == 0) return nullptr;
    global_count_.fetch_sub(1);
    return global_[--global_size_];
  }

  Fiber* Steal(int self) {
    Ring& mine = rings_[processor_of_[self]];
    for (int i = 0; i < processors_; ++i) {
      uint32_t stolen;
      if (i == processor_of_[self]) continue;
      if (Fiber* fiber = rings_[i].StealInto(mine, true, &stolen)) return fiber;
    }
    return nullptr;
  }

  bool AnyWork() const {
    if (global_count_.load(std::memory_order_seq_cst) > 0) return true;
    for (int i = 0; i < processors_; ++i) {
      if (!rings_[i].Empty()) return true;
    }
    return false;
  }

  bool SleepUntilAssigned(int self) {
    {
      std::lock_guard guard(lock_);
      if (stopping_.load(std::memory_order_relaxed)) return false;
      idle_machines_[idle_machine_count_++] = self;
    }
    while (wake_[self].load(std::memory_order_acquire) == 0) rt::FutexWait(wake_[self], 0);
    wake_[self].store(0, std::memory_order_relaxed);
    if (stopping_.load(std::memory_order_relaxed)) return false;
    processor_of_[self] = assigned_[self];
    spinning_[self] = true;
    return true;
  }

  void WakeOne() {
    if (!protocol_.TryBecomeWaker()) return;
    int processor, machine = -1;
    {
      std::lock_guard guard(lock_);
      processor = stopping_.load(std::memory_order_relaxed) ? -1 : PopIdleProcessor();
      if (processor < 0) {
        protocol_.CouldNotWake();
        return;
      }
      if (idle_machine_count_ > 0) machine = idle_machines_[--idle_machine_count_];
    }
    if (machine < 0) {
      machine = made_.fetch_add(1);
      Check(machine < kMachines, "more machines than there can be on their way to sleep");
      processor_of_[machine] = processor;
      spinning_[machine] = true;
      Start(later_[machine]);
      return;
    }
    assigned_[machine] = processor;
    wake_[machine].store(1, std::memory_order_release);
    rt::FutexWake(wake_[machine], 1);
  }

  void Stop() {
    stopping_.store(true, std::memory_order_seq_cst);
    std::lock_guard guard(lock_);
    while (idle_machine_count_ > 0) {
      int machine = idle_machines_[--idle_machine_count_];
      wake_[machine].store(1, std::memory_order_release);
      rt::FutexWake(wake_[machine], 1);
    }
  }

  void StartSpinning(int self) {
    spinning_[self] = true;
    protocol_.StartSpinning();
  }
  void StopSpinning(int self) {
    spinning_[self] = false;
    protocol_.StopSpinning();
  }
  bool TryTakeProcessor(int self) {
    std::lock_guard guard(lock_);
    int processor = PopIdleProcessor();
    if (processor < 0) return false;
    processor_of_[self] = processor;
    StartSpinning(self);
    return true;
  }
  int PopIdleProcessor() {
    if (idle_processor_count_ == 0) return -1;
    protocol_.ProcessorTaken();
    return idle_processor_list_[--idle_processor_count_];
  }
  void PushIdleProcessor(int processor) {
    idle_processor_list_[idle_processor_count_++] = processor;
    protocol_.ProcessorIdle();
  }

  const int processors_;
  std::atomic<int> items_left_;
  const Bug bug_;
  const RunItem run_;
  std::atomic<bool> stopping_{false};
  rt::IdleProtocol protocol_;
  std::array<Ring, kProcessors> rings_;

  SpinLock lock_;  // Guards the lists.
  std::array<Fiber*, 4> global_{};
  int global_size_ = 0;
  std::atomic<int64_t> global_count_{0};
  std::array<int, kProcessors> idle_processor_list_{};
  int idle_processor_count_ = 0;
  std::array<int, kMachines> idle_machines_{};
  int idle_machine_count_ = 0;

  // For each machine.
  std::atomic<int> made_{0};
  std::array<size_t, kMachines> later_{};
  std::array<int, kMachines> processor_of_{};
  std::array<bool, kMachines> spinning_{};
  std::array<int, kMachines> assigned_{};
  std::array<std::atomic<uint32_t>, kMachines> wake_{};
};

// An item says that it has run, and waits for another to have.
class Meetings {
 public:
  void Say(size_t item) {
    ran_[item].store(1, std::memory_order_release);
    rt::FutexWake(ran_[item], 1);
  }
  void Await(size_t item) {
    while (ran_[item].load(std::memory_order_acquire) == 0) rt::FutexWait(ran_[item], 0);
  }

 private:
  std::array<std::atomic<uint32_t>, 4> ran_{};
};

Options For(const char* name, int preemptions, const std::vector<Mutation>& mutations, Bug bug) {
  bool quiet = !mutations.empty() || bug != Bug::kNone;
  return {.name = name, .preemptions = preemptions, .outdated_reads = 1, .mutations = mutations, .quiet = quiet};
}

using Case = Result (*)(const std::vector<Mutation>& mutations, Bug bug);

// A plain thread brings work while the only machine goes idle.
Result OneFromOutside(const std::vector<Mutation>& mutations, Bug bug) {
  return Explore(For("idle: a machine goes idle | work from outside", 3, mutations, bug), [=](Scene& scene) {
    Machines machines(scene, 1, 1, 1, bug, [](int, size_t) {});
    scene.Thread("plain", [&] { machines.SubmitFromOutside(1); });
    scene.Run();
  });
}

// A fiber readies another and computes until that has run: the second machine, about to sleep, must see it.
Result ReadyAndCompute(const std::vector<Mutation>& mutations, Bug bug) {
  return Explore(For("idle: ready, then compute | a machine goes idle", 2, mutations, bug), [=](Scene& scene) {
    Meetings meetings;
    Machines* all = nullptr;
    Machines machines(scene, 2, 2, 2, bug, [&](int machine, size_t item) {
      if (item == 1) {
        all->SubmitLocally(machine, 2);
        meetings.Await(2);
      }
      meetings.Say(item);
    });
    all = &machines;
    machines.Push(0, 1);
    scene.Run();
  });
}

// Two plain threads bring work; each needs a machine of its own, though the second finds one spinning and leaves it to
// that.
Result TwoFromOutside(const std::vector<Mutation>& mutations, Bug bug) {
  return Explore(For("idle: work | work which meets the other", 1, mutations, bug), [=](Scene& scene) {
    Meetings meetings;
    Machines machines(scene, 2, 0, 2, bug, [&](int, size_t item) {
      meetings.Say(item);
      meetings.Await(3 - item);
    });
    scene.Thread("plain", [&] { machines.SubmitFromOutside(1); });
    scene.Thread("other plain", [&] { machines.SubmitFromOutside(2); });
    scene.Run();
  });
}

// Two wake at the same time; whoever runs the last of their items readies another and computes until that has run. A
// wrong count of those who spin shows then.
Result TwoWakers(const std::vector<Mutation>& mutations, Bug bug) {
  Options options = For("idle: work | work, the last readies and computes", 2, mutations, bug);
  options.outdated_reads = 0;
  return Explore(options, [=](Scene& scene) {
    Meetings meetings;
    std::atomic<int> left{2};
    Machines* all = nullptr;
    Machines machines(scene, 2, 0, 3, bug, [&](int machine, size_t item) {
      if (item != 3 && left.fetch_sub(1) == 1) {
        all->SubmitLocally(machine, 3);
        meetings.Await(3);
      }
      meetings.Say(item);
    });
    all = &machines;
    scene.Thread("plain", [&] { machines.SubmitFromOutside(1); });
    scene.Thread("other plain", [&] { machines.SubmitFromOutside(2); });
    scene.Run();
  });
}

const std::vector<Case> kCases = {&OneFromOutside, &ReadyAndCompute, &TwoFromOutside, &TwoWakers};

Mutation Without(const char* function) {
  return {.function = function, .kind = OpKind::kFence, .fault = Fault::kSkipped};
}

std::string FirstFailure(const std::vector<Mutation>& mutations, Bug bug) {
  for (Case one : kCases) {
    Result result = one(mutations, bug);
    if (!result.held) return result.failure;
  }
  return "";
}

TEST(IdleProtocolModel, NoWorkIsLeftWithEverybodyAsleep) {
  for (Case one : kCases) {
    Result result = one({}, Bug::kNone);
    EXPECT_TRUE(result.held) << result.story;
  }
}

TEST(IdleProtocolModel, WithoutTheFenceOfTheOneWhoPushesAWakeUpIsLost) {
  std::string failure = FirstFailure({Without("IdleProtocol::MustWake")}, Bug::kNone);
  EXPECT_TRUE(failure.starts_with("deadlock")) << failure;
}

// The last look is made with seq_cst loads, each of which would do in the place of the fence; one of the two must be
// there.
TEST(IdleProtocolModel, WithoutFenceAndSequentialLoadsOfTheLastLookAWakeUpIsLost) {
  const Mutation relaxed_look = {.function = "::Empty", .kind = OpKind::kLoad, .fault = Fault::kRelaxed};
  std::string failure = FirstFailure({Without("IdleProtocol::BeforeLastLook"), relaxed_look}, Bug::kNone);
  EXPECT_TRUE(failure.starts_with("deadlock")) << failure;
  EXPECT_EQ(FirstFailure({relaxed_look}, Bug::kNone), "");
}

TEST(IdleProtocolModel, AStepLeftOutOrTakenTooEarlyLosesAWakeUp) {
  for (Bug bug : {Bug::kNoLastLook, Bug::kLastLookWhileSpinning, Bug::kLastLookWithProcessor, Bug::kNoSuccessor}) {
    EXPECT_TRUE(FirstFailure({}, bug).starts_with("deadlock")) << static_cast<int>(bug);
  }
}

TEST(IdleProtocolModel, AMiscountOfThoseWhoSpinLosesAWakeUp) {
  const Mutation miscounts[] = {
      {.function = "IdleProtocol::TryBecomeWaker", .kind = OpKind::kCas, .fault = Fault::kSplit},
      {.function = "IdleProtocol::StartSpinning", .kind = OpKind::kAdd, .fault = Fault::kSplit},
      {.function = "IdleProtocol::StopSpinning", .kind = OpKind::kAdd, .fault = Fault::kSplit},
  };
  for (const Mutation& mutation : miscounts) {
    EXPECT_TRUE(TwoWakers({mutation}, Bug::kNone).failure.starts_with("deadlock")) << mutation.function;
  }
}

}  // namespace
}  // namespace millrace::model
