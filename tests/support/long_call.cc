#include "tests/support/long_call.h"

#include <chrono>

extern "C" void LongCall(int64_t ns) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::nanoseconds(ns);
  volatile uint64_t sum = 1;
  while (std::chrono::steady_clock::now() < end) {
    for (int i = 0; i < 1'000'000; ++i) sum = sum * 2654435761u + 1;
  }
}
