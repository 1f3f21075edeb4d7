#include "sync/cancel.h"

#include <pthread.h>

#include <atomic>
#include <chrono>

#include "base/check.h"
#include "runtime/runtime.h"
#include "sync/channel.h"
#include "sync/select.h"
#include "sync/wake_race.h"

namespace millrace::sync {

namespace internal {

namespace {

// Tells callers apart, fibers and plain threads alike.
uintptr_t Caller() {
  rt::Fiber* fiber = rt::CurrentFiber();
  return fiber != nullptr ? reinterpret_cast<uintptr_t>(fiber) : static_cast<uintptr_t>(pthread_self());
}

}  // namespace

class CancelState {
 public:
  bool cancelled() const { return cancelled_.load(std::memory_order_acquire); }
  const Status& reason() const { return reason_; }  // Once cancelled.
  Channel<Nothing>& done() { return done_; }

  bool Cancel(Status reason);
  // The source is gone: nobody waits for a deadline any more.
  void Abandon();

  // False: cancelled already, the node is not registered.
  bool Register(CancelNode* node);
  void Unregister(CancelNode* node);

  // The body of the fiber that waits for the deadline; `self` owns this.
  static void AwaitDeadline(std::shared_ptr<CancelState> self, MonoTime deadline, Status reason);

 private:
  // In the frame of the fiber that waits for the deadline. `state` is what keeps us alive for it; whoever wakes it early takes
  // that away under lock_, so that a fiber which never runs again because the program ends holds nothing.
  struct Sleeper {
    explicit Sleeper(rt::Fiber* fiber) : race(fiber), timer(race) {}
    WakeRace race;
    RaceTimer timer;
    std::shared_ptr<CancelState> state;
  };
  struct Woken {
    rt::Fiber* fiber = nullptr;
    std::shared_ptr<CancelState> state;
    void Go() {
      if (fiber != nullptr) rt::Ready(fiber);
    }
  };
  Woken TakeSleeper();  // Under lock_.
  void RunCallbacks();

  rt::Lock lock_;
  std::atomic<bool> cancelled_{false};
  bool abandoned_ = false;
  Status reason_;
  WaitList<CancelNode> callbacks_;
  CancelNode* running_ = nullptr;  // Only to be compared: its owner may be gone.
  uintptr_t runner_ = 0;           // Who runs callbacks.
  rt::Parker* awaits_running_ = nullptr;
  Sleeper* sleeper_ = nullptr;
  Channel<Nothing> done_;
};

bool CancelState::Cancel(Status reason) {
  MR_CHECK(!reason.ok(), "a cancellation without a reason");
  Woken sleeper;
  {
    rt::LockGuard guard(lock_);
    if (cancelled_.load(std::memory_order_relaxed)) return false;
    reason_ = std::move(reason);
    cancelled_.store(true, std::memory_order_release);
    runner_ = Caller();
    sleeper = TakeSleeper();
  }
  sleeper.Go();
  done_.Close();
  RunCallbacks();
  return true;
}

void CancelState::RunCallbacks() {
  lock_.lock();
  while (CancelNode* node = callbacks_.PopFront()) {
    running_ = node;
    lock_.unlock();
    node->invoke_(node, reason_);
    lock_.lock();
    running_ = nullptr;
    if (rt::Parker* waiter = std::exchange(awaits_running_, nullptr)) {
      lock_.unlock();
      waiter->Wake();
      lock_.lock();
    }
  }
  lock_.unlock();
}

bool CancelState::Register(CancelNode* node) {
  rt::LockGuard guard(lock_);
  if (cancelled_.load(std::memory_order_relaxed)) return false;
  callbacks_.PushBack(node);
  return true;
}

void CancelState::Unregister(CancelNode* node) {
  rt::Parker parker;
  {
    rt::LockGuard guard(lock_);
    if (node->linked()) {
      callbacks_.Remove(node);
      return;
    }
    // Done, or never registered, or destroyed from inside its own function.
    if (running_ != node || runner_ == Caller()) return;
    awaits_running_ = &parker;
  }
  parker.Wait(rt::WaitReason::kCondition);
}

CancelState::Woken CancelState::TakeSleeper() {
  Woken woken;
  Sleeper* sleeper = std::exchange(sleeper_, nullptr);
  if (sleeper == nullptr) return woken;
  rt::Fiber* fiber = sleeper->race.fiber();
  woken.state = std::move(sleeper->state);
  switch (sleeper->race.Claim()) {
    case WakeRace::Outcome::kParked:
      woken.fiber = fiber;
      break;
    case WakeRace::Outcome::kEarly:
      break;
    // The deadline was first; its fiber does not look at `state` before it has had lock_.
    case WakeRace::Outcome::kLost:
      sleeper->state = std::move(woken.state);
      break;
  }
  return woken;
}

void CancelState::Abandon() {
  Woken sleeper;
  {
    rt::LockGuard guard(lock_);
    abandoned_ = true;
    sleeper = TakeSleeper();
  }
  sleeper.Go();
}

void CancelState::AwaitDeadline(std::shared_ptr<CancelState> self, MonoTime deadline, Status reason) {
  CancelState* state = self.get();
  Sleeper sleeper(rt::CurrentFiber());
  sleeper.timer.Start(deadline);
  bool wanted;
  {
    rt::LockGuard guard(state->lock_);
    wanted = !state->abandoned_ && !state->cancelled_.load(std::memory_order_relaxed);
    if (wanted) {
      sleeper.state = std::move(self);
      state->sleeper_ = &sleeper;
    }
  }
  if (wanted) sleeper.race.Park(rt::WaitReason::kTimer);
  bool passed = sleeper.timer.Stop();
  if (!wanted || !passed) return;
  {
    rt::LockGuard guard(state->lock_);
    if (state->sleeper_ == &sleeper) state->sleeper_ = nullptr;
  }
  state->Cancel(std::move(reason));
}

void CancelNode::Register(std::shared_ptr<CancelState> state) {
  state_ = std::move(state);
  if (state_ != nullptr && !state_->Register(this)) invoke_(this, state_->reason());
}

void CancelNode::Unregister() {
  if (state_ != nullptr) state_->Unregister(this);
}

}  // namespace internal

bool CancelToken::cancelled() const { return state_ != nullptr && state_->cancelled(); }

const Status& CancelToken::reason() const {
  static const Status ok;
  return cancelled() ? state_->reason() : ok;
}

void CancelToken::Wait() const { ChannelRef<Nothing>(done()).Receive(); }

bool CancelToken::SleepFor(Nanos duration) const {
  // As Select(Cancelled(*this), After(duration)), but the time counts as sleep.
  ReceiveCase<Nothing, internal::DoNothing> done_case(done(), {});
  done_case.Bind();
  internal::SelectCase* cases[] = {&done_case};
  internal::ChannelCore* locks[1];
  return internal::SelectChannels(cases, locks, 1,
                                  {internal::SelectWait::Kind::kFor, duration.count(), rt::WaitReason::kTimer}) != 0;
}

Channel<Nothing>* CancelToken::done() const { return state_ == nullptr ? nullptr : &state_->done(); }

CancelSource::CancelSource() : state_(std::make_shared<internal::CancelState>()) {}

CancelSource::CancelSource(const CancelToken& parent) : CancelSource() { parent_.emplace(parent, Follow{this}); }

CancelSource::~CancelSource() {
  parent_.reset();
  state_->Abandon();
}

bool CancelSource::Cancel(Status reason) {
  // A callback may destroy this source.
  std::shared_ptr<internal::CancelState> state = state_;
  return state->Cancel(std::move(reason));
}

void CancelSource::CancelAt(MonoTime deadline, Status reason) {
  if (cancelled()) return;
  rt::Go({.name = "cancel-deadline"}, [state = state_, deadline, reason = std::move(reason)]() mutable {
    internal::CancelState::AwaitDeadline(std::move(state), deadline, std::move(reason));
  });
}

void CancelSource::CancelAfter(Nanos duration, Status reason) {
  CancelAt(std::chrono::steady_clock::now() + duration, std::move(reason));
}

}  // namespace millrace::sync
