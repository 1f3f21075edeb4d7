// server/runtime/futex.h as the model has it: stands before the real one in the include path of a model program.
#pragma once

#include <cstdint>

#include "tests/support/model/atomic.h"

namespace millrace::rt {

inline void FutexWait(model::Atomic<uint32_t>& word, uint32_t expected, model::Where where = model::Where::current()) {
  model::FutexWait(&word, expected, where);
}
// Time is not modelled: whoever waits for a deadline must be woken.
inline void FutexWaitUntil(model::Atomic<uint32_t>& word, uint32_t expected, int64_t,
                           model::Where where = model::Where::current()) {
  model::FutexWait(&word, expected, where);
}
// The address may be of a variable that is gone.
inline void FutexWake(model::Atomic<uint32_t>& word, int count, model::Where where = model::Where::current()) {
  model::FutexWake(&word, count, where);
}
inline void CpuRelax(model::Where where = model::Where::current()) { model::Relax(where); }

}  // namespace millrace::rt
