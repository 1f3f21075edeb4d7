// Runs a test's body as the main fiber of a fresh runtime.
#pragma once

#include <gtest/gtest.h>

#include "runtime/runtime.h"

namespace millrace::test {

// `OnProcs(2, [&] { ... });` Returns when the body has returned. Start no fiber that outlives the body.
template <typename F>
void OnProcs(int procs, F&& body) {
  rt::Runtime runtime({.procs = procs});
  runtime.Run(std::forward<F>(body));
}

// A test that holds for any number of processors: `TEST_P(OnAnyProcs, WhatItAsserts) { Run([&] { ... }); }` with
// INSTANTIATE_TEST_SUITE_P(Procs, MySuite, millrace::test::kAnyProcs);
class OnAnyProcs : public ::testing::TestWithParam<int> {
 protected:
  template <typename F>
  void Run(F&& body) {
    OnProcs(GetParam(), std::forward<F>(body));
  }
};

inline const auto kAnyProcs = ::testing::Values(1, 2, 8);

}  // namespace millrace::test
