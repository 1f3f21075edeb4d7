// Runs a benchmark's body on the main fiber of a runtime with as many processors as MILLRACE_PROCS says, else as the
// machine has. Results are wall time: a fiber moves between threads, so CPU time of "the" thread means nothing.
#pragma once

#include <benchmark/benchmark.h>

#include "runtime/runtime.h"

namespace millrace::bench {

template <typename Body>
void OnFiber(benchmark::State& state, Body&& body) {
  rt::Runtime runtime;
  state.counters["procs"] = runtime.procs();
  runtime.Run([&] { body(state); });
}

}  // namespace millrace::bench

// `MR_BENCHMARK(yield_2fibers) { ... uses state ... }`; MR_BENCHMARK_WITH adds google-benchmark's settings.
#define MR_BENCHMARK_WITH(name, settings)                                                       \
  static void name##_body(benchmark::State& state);                                             \
  static void name(benchmark::State& state) { ::millrace::bench::OnFiber(state, name##_body); } \
  BENCHMARK(name)->UseRealTime() settings;                                                      \
  static void name##_body([[maybe_unused]] benchmark::State& state)
#define MR_BENCHMARK(name) MR_BENCHMARK_WITH(name, )
