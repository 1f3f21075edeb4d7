#include "rpc/sync_sessions.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/check.h"
#include "rpc/wire.h"

namespace millrace::rpc {
namespace {

// A session takes so much beside what its hello said.
constexpr size_t kSessionBytes = size_t{4} << 10;
// A lease may be short; the alarm is not set more often than this.
constexpr std::chrono::milliseconds kSweepPauseMin{50};

}  // namespace

Status UnknownSession() {
  return NotFound(
             "UNKNOWN_SESSION",
             "no session has this instance_key: the daemon was started anew, or nothing was said for a lease, or it "
             "has ended; say hello again, with what the worker holds")
      .Field("instance_key");
}

// ---- A session ------------------------------------------------------------------------------------------------------

void SyncSession::Arrive(Caller* caller) {
  Caller* before;
  {
    rt::LockGuard guard(lock_);
    caller->number_ = ++newest_;
    before = std::exchange(waiting_, nullptr);
  }
  if (before != nullptr) before->OnTold(OkStatus(), {});  // It waits, so there was nothing to tell.
}

bool SyncSession::Await(Caller* caller, WorkReply&& reply, bool waits) {
  bool alone, news = false;
  Status why;
  {
    rt::LockGuard guard(lock_);
    caller->late_ = !waits || caller->number_ != newest_;
    const bool now = caller->late_ || !reply.empty();
    caller->reply_ = std::move(reply);
    why = ended_;
    alone = !why.ok() || (now && composing_);
    if (!alone) {
      // Only the newest call comes here without `now`, and Arrive has taken the one before it away.
      if (composing_ || (!now && !has_news_ && words_.empty())) {
        MR_CHECK(waiting_ == nullptr, "two calls of a worker wait in its session");
        waiting_ = caller;
        return true;
      }
      composing_ = true;
      news = std::exchange(has_news_, false);
    }
  }
  if (!alone) {
    Serve(caller, news);
    return false;
  }
  v1::WorkResponse told;
  WorkWords().Tell(std::move(caller->reply_), {}, &told);
  caller->OnTold(why, std::move(told));
  return false;
}

bool SyncSession::Abandon(Caller* caller) {
  rt::LockGuard guard(lock_);
  if (waiting_ != caller) return false;
  waiting_ = nullptr;
  return true;
}

void SyncSession::Expire(Caller* caller) {
  {
    rt::LockGuard guard(lock_);
    caller->late_ = true;
    if (waiting_ != caller) return;
    waiting_ = nullptr;
  }
  caller->OnTold(OkStatus(), {});
}

void SyncSession::OnNews() {
  Caller* caller;
  {
    rt::LockGuard guard(lock_);
    has_news_ = true;
    if (composing_ || waiting_ == nullptr) return;
    caller = std::exchange(waiting_, nullptr);
    composing_ = true;
    has_news_ = false;
  }
  Serve(caller, true);
}

void SyncSession::Serve(Caller* caller, bool news) {
  const std::shared_ptr<SyncSession> self = shared_from_this();  // The call may be the last one that has it.
  while (caller != nullptr) {
    dispatch::WorkerNews taken;
    if (news) backend_.dispatcher.leases().TakeNews(*holder_, &taken);
    const Status status = taken.replaced ? SessionReplaced() : OkStatus();
    v1::WorkResponse told;
    words_.Tell(std::move(caller->reply_), std::move(taken), &told);
    caller->reply_ = {};
    if (!status.ok()) sessions_.Drop(*this, status);
    Caller* next = nullptr;
    {
      rt::LockGuard guard(lock_);
      composing_ = false;
      // There may be nothing in the news. Whoever abandons the call from here on finds it waiting, and whoever tried to
      // before has made it Gone.
      const bool waits = ended_.ok() && !caller->late_ && caller->number_ == newest_ && !caller->Gone();
      if (waits && told.ByteSizeLong() == 0) waiting_ = std::exchange(caller, nullptr);
      if (waiting_ != nullptr && (has_news_ || !words_.empty())) {
        next = std::exchange(waiting_, nullptr);
        composing_ = true;
        news = std::exchange(has_news_, false);
      }
    }
    if (caller != nullptr) caller->OnTold(status, std::move(told));
    caller = next;
  }
}

void SyncSession::End(const Status& why) {
  Caller* caller;
  {
    rt::LockGuard guard(lock_);
    ended_ = why;
    caller = std::exchange(waiting_, nullptr);
  }
  if (caller != nullptr) caller->OnTold(why, {});
}

// ---- All of them ----------------------------------------------------------------------------------------------------

Result<SyncSessions::Begun> SyncSessions::Begin(v1::WorkerHello&& hello, SyncSession::Caller* caller) {
  const std::string key = hello.instance_key();
  {
    rt::LockGuard guard(lock_);
    // A few more may come in at one time.
    if (by_use_.size() >= most_ && by_key_.find(key) == by_key_.end()) {
      return ResourceExhausted("TOO_MANY_SESSIONS", "there are " + std::to_string(most_) +
                                                        " sessions of workers that call Sync, and no more can be; let "
                                                        "workers say goodbye at their end, or use Work")
          .With("limit", static_cast<int64_t>(most_))
          .RetryAfter(std::chrono::seconds(1));
    }
  }
  auto session = std::make_shared<SyncSession>(backend_, *this, key);
  if (!session->share_.TryTake(kSessionBytes + 2 * hello.ByteSizeLong())) return BusyStatus(backend_.lasting);
  auto entrance = Enter(backend_.dispatcher.leases(), std::move(hello), session);
  if (!entrance.ok()) return entrance.status();
  session->holder_ = entrance->holder;
  session->Arrive(caller);

  std::shared_ptr<SyncSession> before;
  bool arm;
  {
    rt::LockGuard guard(lock_);
    session->used_ = std::chrono::steady_clock::now();
    by_use_.push_back(session);
    const auto [place, first] = by_key_.try_emplace(key);
    if (!first) {
      before = std::move(*place->second);
      by_use_.erase(place->second);
    }
    place->second = std::prev(by_use_.end());
    arm = !std::exchange(armed_, true);
  }
  if (before) Leave(*before, SessionReplaced());
  if (arm) SetAlarm(Lease());
  return Begun{.session = std::move(session), .welcome = std::move(entrance->welcome)};
}

Result<std::shared_ptr<SyncSession>> SyncSessions::Find(const std::string& key, SyncSession::Caller* caller) {
  std::shared_ptr<SyncSession> session;
  {
    rt::LockGuard guard(lock_);
    const auto found = by_key_.find(key);
    if (found == by_key_.end()) return UnknownSession();
    by_use_.splice(by_use_.end(), by_use_, found->second);
    session = *found->second;
    session->used_ = std::chrono::steady_clock::now();
  }
  session->Arrive(caller);
  return session;
}

void SyncSessions::Drop(SyncSession& session, const Status& why) {
  std::shared_ptr<SyncSession> dropped;
  {
    rt::LockGuard guard(lock_);
    const auto found = by_key_.find(session.key_);
    if (found == by_key_.end() || found->second->get() != &session) return;
    dropped = std::move(*found->second);
    by_use_.erase(found->second);
    by_key_.erase(found);
  }
  Leave(*dropped, why);
}

void SyncSessions::Leave(SyncSession& session, const Status& why) {
  session.share_.Release();
  backend_.dispatcher.leases().Leave(*session.holder_, dispatch::Leases::Leaving::kBroken);
  session.End(why);
}

void SyncSessions::Close() {
  std::lock_guard sweeping(sweeping_);
  closed_ = true;
  alarm_.reset();
  List all;
  {
    rt::LockGuard guard(lock_);
    all.swap(by_use_);
    by_key_.clear();
  }
  for (const std::shared_ptr<SyncSession>& session : all) Leave(*session, ClosingStatus());
}

// ---- Those that say nothing any more --------------------------------------------------------------------------------

std::chrono::nanoseconds SyncSessions::Lease() const { return backend_.dispatcher.leases().Options().lease; }

// A new alarm each time, since gRPC may still be in the function of the one before. It keeps that function until the
// alarm goes, so that must not keep the sessions.
void SyncSessions::SetAlarm(std::chrono::nanoseconds after) {
  const auto pause = std::max<std::chrono::nanoseconds>(after, kSweepPauseMin);
  alarm_ = std::make_unique<grpc::Alarm>();
  alarm_->Set(gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_nanos(pause.count(), GPR_TIMESPAN)),
              [weak = weak_from_this()](bool expired) {
                const std::shared_ptr<SyncSessions> self = weak.lock();
                if (expired && self != nullptr) self->Sweep();
              });
}

void SyncSessions::Sweep() {
  std::lock_guard sweeping(sweeping_);
  if (closed_) return;
  const std::chrono::nanoseconds lease = Lease();
  List old;
  {
    rt::LockGuard guard(lock_);
    const Time before = std::chrono::steady_clock::now() - lease;
    while (!by_use_.empty() && by_use_.front()->used_ <= before) {
      by_key_.erase(by_use_.front()->key_);
      old.splice(old.end(), by_use_, by_use_.begin());
    }
  }
  for (const std::shared_ptr<SyncSession>& session : old) Leave(*session, UnknownSession());
  Time next;
  {
    rt::LockGuard guard(lock_);
    armed_ = !by_use_.empty();
    if (!armed_) return;
    next = by_use_.front()->used_ + lease;
  }
  SetAlarm(next - std::chrono::steady_clock::now());
}

}  // namespace millrace::rpc
