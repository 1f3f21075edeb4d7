// Cancellation and deadlines that travel down a call tree: whoever may stop the work holds a CancelSource, whoever does
// the work looks at a CancelToken.
//
//   sync::CancelSource source(parent_token);              // cancelled no later than its parent
//   source.CancelAt(deadline, DeadlineExceeded("RUN_TIMEOUT", "the attempt ran for more than 30 s"));
//   Run(source.token());
//
//   Looking    token.cancelled() is one load: ask it in every turn of a loop. token.reason() tells why.
//   Waiting    Wait and SleepFor park the fiber; in a Select, write Cancelled(token, ...).
//   Reacting   CancelCallback runs a function at the moment of cancellation, on the fiber or thread that cancels.
//   Once       The first reason stays; later calls of Cancel change nothing. There is no way back.
//   Lifetime   Tokens are values and outlive their source; when a source dies uncancelled they simply never fire.
//   Threads    Any fiber, any plain thread, which blocks where a fiber parks. CancelAt: fibers only.
#pragma once

#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "base/clock.h"
#include "base/status.h"
#include "sync/wait_list.h"

namespace millrace::sync {

struct Nothing;
template <typename T>
class Channel;

namespace internal {
class CancelState;

// A function to run on cancellation, linked into the state it waits for. Base of CancelCallback.
class CancelNode : public WaitLink<CancelNode> {
 public:
  using Invoke = void (*)(CancelNode* node, const Status& reason);
  explicit CancelNode(Invoke invoke) : invoke_(invoke) {}
  CancelNode(const CancelNode&) = delete;
  CancelNode& operator=(const CancelNode&) = delete;

 protected:
  ~CancelNode() = default;
  void Register(std::shared_ptr<CancelState> state);
  void Unregister();

 private:
  friend class CancelState;
  Invoke invoke_;
  std::shared_ptr<CancelState> state_;
};
}  // namespace internal

class CancelToken {
 public:
  // A token that is never cancelled.
  CancelToken() = default;

  bool cancelled() const;
  // OK until cancelled, then the reason for as long as the token lives.
  const Status& reason() const&;
  Status reason() const&& { return static_cast<const CancelToken&>(*this).reason(); }

  // Parks until cancelled; for ever when this token never is.
  void Wait() const;
  // False: cancelled, perhaps before the time was over.
  bool SleepFor(AnyDuration duration) const;

  // Closed at the moment of cancellation; nullptr when this token never is. Lives as long as the token.
  Channel<Nothing>* done() const&;
  Channel<Nothing>* done() const&& = delete;  // It would end with the token; Cancelled(token) in a Select holds it.

 private:
  friend class CancelSource;
  template <typename F>
  friend class CancelCallback;
  explicit CancelToken(std::shared_ptr<internal::CancelState> state) : state_(std::move(state)) {}

  std::shared_ptr<internal::CancelState> state_;
};

// Runs `fn(reason)` once when the token is cancelled: at once, inside the constructor, if it is already. The destructor
// takes the function back and, if it is running elsewhere, waits for its end; so `fn` may use what lives around the
// callback.
//   sync::CancelCallback stop(token, [&](const Status&) { kill(-group, SIGTERM); });
// `fn` holds up whoever cancels: keep it short. It must not throw.
template <typename F>
class CancelCallback : private internal::CancelNode {
 public:
  CancelCallback(const CancelToken& token, F fn) : CancelNode(&Run), fn_(std::move(fn)) { Register(token.state_); }
  ~CancelCallback() { Unregister(); }

  // What the destructor does, earlier.
  void Stop() { Unregister(); }

 private:
  static void Run(CancelNode* node, const Status& reason) { static_cast<CancelCallback*>(node)->fn_(reason); }

  F fn_;
};

class CancelSource {
 public:
  CancelSource();
  // Also cancelled, with the same reason, when the parent is.
  explicit CancelSource(const CancelToken& parent);
  // Waits for a deadline that is just being served, so that its callbacks do not outlive the source.
  ~CancelSource();
  CancelSource(const CancelSource&) = delete;
  CancelSource& operator=(const CancelSource&) = delete;

  CancelToken token() const { return CancelToken(state_); }
  bool cancelled() const { return token().cancelled(); }

  // True: this call did it, and the callbacks have run. False: it was cancelled before, perhaps a moment ago by another
  // thread that still runs them. `reason` must not be OK.
  bool Cancel(Status reason);

  // Cancels at `deadline` unless that happened before; MonoTime::max() and the greatest duration mean never. At most
  // once per source, on a fiber; the source must not outlive the runtime. Costs the memory of a fiber while it is
  // armed, so that callbacks run in a place where they may do anything.
  void CancelAt(MonoTime deadline, Status reason);
  void CancelAfter(AnyDuration duration, Status reason);

 private:
  struct Follow {
    CancelSource* self;
    void operator()(const Status& reason) const { self->Cancel(reason); }
  };

  std::shared_ptr<internal::CancelState> state_;
  std::optional<CancelCallback<Follow>> parent_;
};

}  // namespace millrace::sync
