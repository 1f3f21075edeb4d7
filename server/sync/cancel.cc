#include "sync/cancel.h"

#include <pthread.h>

#include <atomic>
#include <chrono>

#include "base/check.h"
#include "base/thread_annotations.h"
#include "runtime/make_fiber.h"
#include "runtime/runtime.h"
#include "runtime/sanitizers.h"
#include "runtime/timer.h"
#include "sync/channel.h"
#include "sync/select.h"

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
  // The source goes. Returns when no deadline is left, neither armed nor being served elsewhere.
  void Abandon();

  // False: cancelled already, the node is not registered.
  bool Register(CancelNode* node);
  void Unregister(CancelNode* node);

  // `self` owns this.
  void CancelAt(std::shared_ptr<CancelState> self, MonoTime deadline, Status reason);

 private:
  // Callbacks cannot run where timers fire, so a deadline has a fiber of its own, made when it is armed and started
  // only when it passes: one that is disarmed costs no switch.
  struct Deadline : rt::Timer {
    rt::Fiber* fiber = nullptr;
    Status reason;
    std::shared_ptr<CancelState> self;  // Keeps us alive for the timer and the fiber.
    // Under CancelState::lock_, as all below.
    bool pending = false;
    bool armed = false;  // Whoever sets it back disarms.
    rt::Parker* awaits_end = nullptr;
  };
  static void StartDeadlineFiber(rt::Timer* timer) { rt::StartFiber(static_cast<Deadline*>(timer)->fiber); }
  void ServeDeadline();
  void Disarm();
  void DeadlineEnded();
  void RunCallbacks();

  rt::Lock lock_;
  std::atomic<bool> cancelled_{false};
  Status reason_;
  WaitList<CancelNode> callbacks_ MR_GUARDED_BY(lock_);
  CancelNode* running_ MR_GUARDED_BY(lock_) = nullptr;  // Only to be compared: its owner may be gone.
  uintptr_t runner_ MR_GUARDED_BY(lock_) = 0;           // Whoever runs callbacks.
  rt::Parker* awaits_running_ MR_GUARDED_BY(lock_) = nullptr;
  Deadline deadline_;  // Its last fields too.
  Channel<Nothing> done_;
};

bool CancelState::Cancel(Status reason) {
  MR_CHECK(!reason.ok(), "a cancellation without a reason");
  bool armed;
  {
    rt::LockGuard guard(lock_);
    if (cancelled_.load(std::memory_order_relaxed)) return false;
    reason_ = std::move(reason);
    cancelled_.store(true, std::memory_order_release);
    runner_ = Caller();
    armed = std::exchange(deadline_.armed, false);
  }
  if (armed) Disarm();
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

void CancelState::Abandon() {
  bool armed;
  {
    rt::LockGuard guard(lock_);
    armed = std::exchange(deadline_.armed, false);
  }
  if (armed) Disarm();
  rt::Parker parker;
  {
    rt::LockGuard guard(lock_);
    // The source may go in a callback of its own deadline.
    if (!deadline_.pending || deadline_.fiber == rt::CurrentFiber()) return;
    deadline_.awaits_end = &parker;
  }
  parker.Wait(rt::WaitReason::kCondition);
}

void CancelState::CancelAt(std::shared_ptr<CancelState> self, MonoTime deadline, Status reason) {
  MR_CHECK(deadline_.fiber == nullptr, "a second deadline for one cancel source");
  deadline_.fiber = rt::MakeFiber(rt::CurrentScheduler(), {.name = "deadline"}, [this] { ServeDeadline(); });
  deadline_.reason = std::move(reason);
  deadline_.self = std::move(self);
  deadline_.pending = true;
  rt::sanitizers::Release(deadline_.fiber);  // Whoever starts it is unseen (runtime/sanitizers.h).
  deadline_.Start(deadline, &StartDeadlineFiber);
  {
    rt::LockGuard guard(lock_);
    deadline_.armed = !cancelled_.load(std::memory_order_relaxed);
    if (deadline_.armed) return;
  }
  Disarm();
}

void CancelState::ServeDeadline() {
  std::shared_ptr<CancelState> held = std::move(deadline_.self);
  Cancel(std::move(deadline_.reason));
  DeadlineEnded();
}

// When it is too late the fiber is on its way; it finds us cancelled, or cancels.
void CancelState::Disarm() {
  if (!deadline_.Cancel()) return;
  rt::ReleaseUnstartedFiber(deadline_.fiber);
  std::shared_ptr<CancelState> held = std::move(deadline_.self);
  DeadlineEnded();
}

void CancelState::DeadlineEnded() {
  rt::Parker* waiter;
  {
    rt::LockGuard guard(lock_);
    deadline_.pending = false;
    waiter = std::exchange(deadline_.awaits_end, nullptr);
  }
  if (waiter != nullptr) waiter->Wake();
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

const Status& CancelToken::reason() const& {
  static const Status ok;
  return cancelled() ? state_->reason() : ok;
}

void CancelToken::Wait() const { ChannelRef<Nothing>(done()).Receive(); }

bool CancelToken::SleepFor(AnyDuration duration) const {
  // As Select(Cancelled(*this), After(duration)), but the time counts as sleep.
  internal::ChannelCase<Nothing> done_case(done());
  std::optional<Nothing> nothing;
  done_case.BindReceive(nothing);
  internal::SelectCase* cases[] = {&done_case};
  internal::ChannelCore* locks[1];
  return internal::SelectChannels(
             cases, locks, 1, {internal::SelectWait::Kind::kFor, duration.nanos().count(), rt::WaitReason::kTimer}) !=
         0;
}

Channel<Nothing>* CancelToken::done() const& { return state_ == nullptr ? nullptr : &state_->done(); }

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
  if (deadline == MonoTime::max()) return;  // Never: no fiber need wait for it.
  if (!cancelled()) state_->CancelAt(state_, deadline, std::move(reason));
}

void CancelSource::CancelAfter(AnyDuration duration, Status reason) {
  CancelAt(Later(rt::Now(), duration), std::move(reason));
}

}  // namespace millrace::sync
