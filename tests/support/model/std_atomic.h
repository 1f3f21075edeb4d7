// Included by the compiler before the first line of each source of a model program (-include): from here on std::atomic
// is model::Atomic. That is how the sources of server/ get under the model checker without a line changed, and with
// everything they will use tomorrow. The standard headers that have atomics of their own come first and keep the real
// one.
#pragma once

#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <future>
#include <iterator>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <shared_mutex>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/model/atomic.h"

namespace std {
template <typename T>
using ModelAtomic = ::millrace::model::Atomic<T>;
inline void ModelFence(memory_order order, ::millrace::model::Where where = ::millrace::model::Where::current()) {
  ::millrace::model::Fence(order, where);
}
}  // namespace std

#define atomic ModelAtomic
#define atomic_thread_fence ModelFence
#define sched_yield() ::millrace::model::Relax()
#define nanosleep(request, rest) (static_cast<void>(request), ::millrace::model::Relax())
