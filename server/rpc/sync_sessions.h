// SyncSessions: the workers that speak by calls. A session is to such a worker what the stream is to others: dispatch
// knows it as one worker, from its hello on.
//
//   Calls     Each says its words and waits in the session, if it likes, until there is something to tell. One waits at
//             a time: it is the newest. One that a newer call has overtaken is answered with what there is.
//   Lost      Nobody knows whether an answer has reached its client. Whoever got none says hello again, with what it
//             holds: credit and leases are counted anew then, as on a new stream.
//   Ends      By a goodbye; since another hello or stream brought the same instance_key; when the last call is older
//             than a lease; with the server. All but the first leave the worker its leases for a while. A session is
//             forgotten then: UNKNOWN_SESSION.
//   Limits    There are `most` sessions at a time, and each counts in the budget of calls that last.
//   Threads   Any. Close: once no call is left, one plain thread.
#pragma once

#include <grpcpp/alarm.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>

#include "base/budget.h"
#include "rpc/rpc_call.h"
#include "rpc/work_words.h"
#include "runtime/lock.h"

namespace millrace::rpc {

class SyncSessions;

// NOT_FOUND UNKNOWN_SESSION.
Status UnknownSession();

class SyncSession final : public dispatch::WorkerDoor, public std::enable_shared_from_this<SyncSession> {
 public:
  // A call of the session.
  class Caller {
   public:
    virtual ~Caller() = default;
    // The answer; called once, without a lock, for each that came to Await and was not abandoned.
    virtual void OnTold(const Status& status, v1::WorkResponse&& told) = 0;
    // Nobody wants the answer any more.
    virtual bool Gone() const = 0;

   private:
    friend class SyncSession;
    // Guarded by the session's lock.
    uint64_t number_ = 0;
    bool late_ = false;  // It waits no longer.
    WorkReply reply_;
  };

  SyncSession(const Backend& backend, SyncSessions& sessions, std::string key)
      : backend_(backend), sessions_(sessions), key_(std::move(key)), share_(backend.lasting) {}

  dispatch::LeaseHolder& holder() const { return *holder_; }

  // The first that a call does here. A call that waits is answered now.
  void Arrive(Caller* caller);
  // Answers the call, at once if it does not wait, has a reply of its own, or there is news. True: it may wait yet.
  bool Await(Caller* caller, WorkReply&& reply, bool waits);
  // True: it will not be answered. False: it has been or is being answered.
  bool Abandon(Caller* caller);
  // It has waited for long enough.
  void Expire(Caller* caller);

  void OnNews() override;

 private:
  friend class SyncSessions;

  // Whoever calls it has set composing_: it owns words_ until its call is answered.
  void Serve(Caller* caller, bool news);
  // The session is forgotten: the call that waits is told why, and so is any other one from now on.
  void End(const Status& why);

  const Backend& backend_;
  SyncSessions& sessions_;  // Touched while a call is not answered, so that the server is still there.
  const std::string key_;
  std::shared_ptr<dispatch::LeaseHolder> holder_;  // Set before anybody can find the session.
  WorkWords words_;

  rt::Lock lock_;
  uint64_t newest_ = 0;        // The number of the newest call.
  Caller* waiting_ = nullptr;  // The newest one, or nullptr.
  bool has_news_ = false;
  bool composing_ = false;
  Status ended_;

  // These belong to SyncSessions, under its lock.
  std::chrono::steady_clock::time_point used_{};
  BudgetShare share_;  // Given back by whoever takes the session out of the table.
};

class SyncSessions : public std::enable_shared_from_this<SyncSessions> {
 public:
  SyncSessions(const Backend& backend, size_t most) : backend_(backend), most_(most) {}
  SyncSessions(const SyncSessions&) = delete;
  SyncSessions& operator=(const SyncSessions&) = delete;

  struct Begun {
    std::shared_ptr<SyncSession> session;
    std::unique_ptr<v1::WorkerWelcome> welcome;
  };
  // The caller arrives in its session. As rpc::Enter; RESOURCE_EXHAUSTED TOO_MANY_SESSIONS, SERVER_BUSY.
  Result<Begun> Begin(v1::WorkerHello&& hello, SyncSession::Caller* caller);
  // The same, in a session that is there. NOT_FOUND UNKNOWN_SESSION.
  Result<std::shared_ptr<SyncSession>> Find(const std::string& key, SyncSession::Caller* caller);
  // Forgets the session, if that was not done before.
  void Drop(SyncSession& session, const Status& why);
  // Forgets all sessions. There will be no calls any more.
  void Close();

 private:
  using Time = std::chrono::steady_clock::time_point;
  using List = std::list<std::shared_ptr<SyncSession>>;

  // It is in no table any more.
  void Leave(SyncSession& session, const Status& why);
  std::chrono::nanoseconds Lease() const;
  void SetAlarm(std::chrono::nanoseconds after);
  // Drops those that were not used for a lease.
  void Sweep();

  const Backend& backend_;
  const size_t most_;
  std::mutex sweeping_;                 // So that Close waits for a sweep.
  bool closed_ = false;                 // Under sweeping_.
  std::unique_ptr<grpc::Alarm> alarm_;  // Whoever sets armed_ sets it.

  rt::Lock lock_;
  List by_use_;  // The one that was not used for longest comes first.
  std::unordered_map<std::string, List::iterator> by_key_;
  bool armed_ = false;  // There is an alarm that will look at by_use_.
};

}  // namespace millrace::rpc
