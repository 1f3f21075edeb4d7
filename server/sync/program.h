// All that a program of fibers needs: one include, short names.
//
//   #include "sync/program.h"
//   using namespace millrace;
//
//   int main() {
//     return Run([] {
//       Channel<int> answers;
//       Go([&] { answers.Send(42); });
//       std::printf("%d\n", *answers.Receive());
//     });
//   }
//
// For programs (tests/seed/ and tests/programs/ hold some), not for our own folders: those include what they use.
#pragma once

#include <utility>

#include "base/clock.h"
#include "base/status.h"
#include "runtime/lock_thread.h"
#include "runtime/runtime.h"
#include "sync/after_func.h"
#include "sync/cancel.h"
#include "sync/case_list.h"
#include "sync/channel.h"
#include "sync/condition.h"
#include "sync/group.h"
#include "sync/mutex.h"
#include "sync/once.h"
#include "sync/rw_mutex.h"
#include "sync/select.h"
#include "sync/semaphore.h"
#include "sync/shared_channel.h"
#include "sync/timer.h"
#include "sync/until.h"
#include "sync/wait_group.h"

namespace millrace {

// Runs `main` as the first fiber, on as many processors as the machine or MILLRACE_PROCS grants, and returns what it
// returns, 0 for void. As in Go, the program does not wait for other fibers; what they share with `main` must not die
// before them (runtime.h).
template <typename F>
int Run(F&& main) {
  return rt::Runtime().Run(std::forward<F>(main));
}

using rt::Go;
using rt::LockThread;
using rt::SleepFor;
using rt::SleepUntil;
using rt::ThreadLock;
using rt::UnlockThread;
using rt::Yield;

using sync::AfterFunc;
using sync::CancelSource;
using sync::CancelToken;
using sync::Channel;
using sync::ChannelRef;
using sync::Condition;
using sync::Group;
using sync::MakeChannel;
using sync::Mutex;
using sync::Nothing;
using sync::Once;
using sync::RwMutex;
using sync::Semaphore;
using sync::SharedChannel;
using sync::Ticker;
using sync::Timer;
using sync::TryReceived;
using sync::TrySendResult;
using sync::Until;
using sync::WaitGroup;
using sync::Within;

// Select and its cases.
using sync::After;
using sync::At;
using sync::Cancelled;
using sync::CaseList;
using sync::Default;
using sync::Lend;
using sync::Receive;
using sync::Select;
using sync::Send;

}  // namespace millrace
