// Tormentor: a plain thread that stops the fibers of a runtime and takes its processors away, at random moments,
// thousands of times a second. What sysmon does to the few fibers that deserve it happens to all of them everywhere.
//
//   rt::Runtime runtime({.procs = 2});
//   Tormentor tormentor(runtime);
//   runtime.Run([&] { ... while (tormentor.WantsMore()) Work(); ... });
//
//   Stop     As if the fiber's slice were over: it gets the signal, and is stopped if it may be.
//   Take     As if its thread slept in a system call: it loses its processor and goes on without one, until the next
//            stop, which makes it ask for another. Legal at any moment at which the thread is not pinned
//            (processor_slot.h).
//   Seed     Printed with every failure; MILLRACE_SEED=n chooses the same moments again, as far as threads let one.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "runtime/cycles.h"
#include "runtime/preempt.h"
#include "runtime/sanitizers.h"
#include "runtime/scheduler.h"

namespace millrace::rt {

struct TestDoor {
  // About one of `one_in` running fibers is stopped or loses its processor.
  static void Strike(Runtime& runtime, std::mt19937_64& random, unsigned one_in, bool takes) {
    Scheduler& s = *runtime.scheduler_;
    // No thread is joined meanwhile, so one that lives now lives until the end of this function.
    s.machines_.Locked([&](Machines::List& machines) { Strike(s, machines, random, one_in, takes); });
  }

 private:
  static void Strike(Scheduler& s, Machines::List& machines, std::mt19937_64& random, unsigned one_in, bool takes) {
    s.processors().ForEach([&](Processor& processor) {
      Machine* machine = processor.machine.load(std::memory_order_acquire);
      if (machine == nullptr || machine->life.load(std::memory_order_acquire) != Machine::Life::kRuns) return;
      switch (random() % (2 * one_in)) {
        case 0:
          if (takes) s.Retake(processor);
          break;
        case 1:
          if (!kPreemptionWorks) break;
          processor.stop_tick.store(processor.tick.Get(), std::memory_order_relaxed);
          SendPreemptSignal(*machine);
      }
    });
    if (!kPreemptionWorks) return;
    // As sysmon does it with some at a time of those that compute without a processor.
    for (size_t i = 0; i < 4 && !machines.empty(); ++i) {
      Machine& machine = *machines[random() % machines.size()];
      if (machine.detached_at.load(std::memory_order_acquire) != 0 &&
          machine.life.load(std::memory_order_acquire) == Machine::Life::kRuns) {
        SendPreemptSignal(machine);
      }
    }
  }
};

}  // namespace millrace::rt

namespace millrace::test {

inline uint64_t TestSeed() {
  static const uint64_t seed = [] {
    const char* text = getenv("MILLRACE_SEED");
    return text != nullptr ? strtoull(text, nullptr, 10) : std::random_device()();
  }();
  return seed;
}

class Tormentor {
 public:
  struct Options {
    unsigned one_in = 1;
    std::chrono::microseconds pause_max{200};
    bool takes = true;     // Processors; else it only stops.
    uint64_t enough = 40;  // Stops and takes, until WantsMore says no.
  };

  explicit Tormentor(rt::Runtime& runtime) : Tormentor(runtime, Options{}) {}
  Tormentor(rt::Runtime& runtime, Options options)
      : runtime_(runtime), options_(options), thread_([this] { Torment(); }) {}
  ~Tormentor() {
    stop_.store(true);
    thread_.join();
  }
  Tormentor(const Tormentor&) = delete;
  Tormentor& operator=(const Tormentor&) = delete;

  // Has it not yet hit often enough for the test to mean something? Work in rounds until then.
  bool WantsMore() const {
    rt::RuntimeStats stats = runtime_.Stats();
    return stats.switches_handoff < options_.enough ||
           (rt::kPreemptionWorks && stats.switches_preempted < options_.enough);
  }

 private:
  void Torment() {
    rt::sanitizers::IgnoreScope ignore;  // It does what sysmon does.
    std::mt19937_64 random(TestSeed());
    for (uint64_t strike = 0; !stop_.load(); ++strike) {
      // In turns: while every spare thread goes on in place of one that has lost its processor, nobody can be stopped.
      // On a busy machine those come back more slowly than others are struck.
      const bool takes = options_.takes && strike / kInARow % 2 == 0;
      rt::TestDoor::Strike(runtime_, random, options_.one_in, takes);
      std::this_thread::sleep_for(
          std::chrono::nanoseconds(random() % static_cast<uint64_t>(options_.pause_max.count() * 1000 + 1)));
    }
  }

  static constexpr uint64_t kInARow = 32;  // Strikes.

  rt::Runtime& runtime_;
  const Options options_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

// Prints the seed beside every failure of the test it lives in.
#define MILLRACE_TRACE_SEED() SCOPED_TRACE("MILLRACE_SEED=" + std::to_string(::millrace::test::TestSeed()))

}  // namespace millrace::test
