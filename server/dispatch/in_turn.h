// in_turn: the dispatcher's lock, as clang's thread-safety analysis knows it (base/thread_annotations.h): held while a
// Turn lives. What says MR_GUARDED_BY(in_turn) belongs to the lock; whoever calls a function that says MR_IN_TURN has a
// Turn. It stands for the lock of any dispatcher, since most of dispatch knows Core by name only; it does nothing in
// the program.
#pragma once

#include "base/thread_annotations.h"

namespace millrace::dispatch {

class MR_CAPABILITY("turn") InTurn {};
inline constexpr InTurn in_turn;

}  // namespace millrace::dispatch

// The caller has a Turn.
#define MR_IN_TURN MR_REQUIRES(::millrace::dispatch::in_turn)
