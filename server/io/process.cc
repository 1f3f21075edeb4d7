// One host thread does everything: it starts the children, so that their parent-death signal watches a thread that
// stays, and it runs the reactor that tells when their pipes and pidfds are ready. Callers leave a request and park;
// they touch nothing of Asio.
#include "io/process.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <new>
#include <thread>
#include <utility>

#include "base/thread_annotations.h"
#include "base/thread_mutex.h"
#include "io/asio.h"
#include "io/process_child.h"
#include "io/process_tree.h"

namespace millrace::io {
namespace {

// Orphans that end by themselves are zombies for this long at most.
constexpr auto kReapEvery = std::chrono::seconds(1);

}  // namespace

using host::AsioStream;
using host::Call;
using host::CallId;
using host::Child;
using host::Reactor;

struct ProcessHost::State {
  explicit State(ProcessHostOptions options) : reactor(std::move(options)) {}

  struct Request {
    enum Kind : uint8_t { kStart, kTerminate, kStop };
    Kind kind;
    CallId id;
    Call* call;  // kStart
  };

  ThreadMutex mutex;
  std::vector<Request> requests MR_GUARDED_BY(mutex);
  CallId last_id MR_GUARDED_BY(mutex) = 0;
  bool stopped MR_GUARDED_BY(mutex) = false;

  const int bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);  // Rung when there is a first request.
  Reactor reactor;
  AsioStream bell_owner{reactor.context};
  asio::steady_timer reaper{reactor.context};
  bool reaping = false, stopping = false;
  std::thread thread;

  void Ask(Request request) MR_REQUIRES(mutex) {
    requests.push_back(request);
    if (requests.size() == 1) eventfd_write(bell, 1);
  }

  void Listen() {
    bell_owner.async_wait(AsioStream::wait_read, [this](const asio::error_code& error) {
      if (!error && !stopping) Answer();
    });
  }

  void Answer() {
    eventfd_t rings;
    eventfd_read(bell, &rings);
    Listen();  // First: what follows may leave no memory for it, and this handler's has just been given back.
    std::vector<Request> asked;
    {
      ThreadGuard guard(mutex);
      asked.swap(requests);
    }
    // In their order, so that a child is found by the request to terminate it, and nothing is started after the stop.
    bool stop = false;
    std::optional<std::vector<ProcessEntry>> all;  // One look for all that are terminated together.
    for (const Request& request : asked) {
      auto child = reactor.children.find(request.id);
      switch (request.kind) {
        case Request::kStart:
          Start(request);
          break;
        case Request::kTerminate:
          if (child == reactor.children.end()) break;
          if (!all) all = reactor.options.adopt ? Child::AllProcesses() : std::vector<ProcessEntry>();
          child->second->Terminate(*all);
          break;
        case Request::kStop:
          for (auto& [id, running] : reactor.children) running->Kill();
          stop = true;
          break;
      }
    }
    // Without the bell and the reaper the loop ends with the last child.
    stopping = stop;
    if (stop) {
      asio::error_code ignored;
      bell_owner.cancel(ignored);
      reaper.cancel();
    } else {
      ReapOrphans();
    }
  }

  void Start(const Request& request) {
    std::shared_ptr<Child> child;
    try {
      child = std::make_shared<Child>(reactor, request.id, *request.call);
      reactor.children.emplace(request.id, child);
    } catch (const std::bad_alloc&) {
      return request.call->done.Wake();  // With the outcome that is there from the beginning.
    }
    child->Start();
  }

  // While there are children, or orphans of theirs, or where every orphan of the machine or container comes to us.
  void ReapOrphans() try {
    if (!reactor.options.adopt || reaping || stopping) return;
    std::optional<std::vector<pid_t>> living = LivingOrphans(reactor.leaders);
    if (reactor.children.empty() && living && living->empty() && getpid() != 1) return;
    reaper.expires_after(kReapEvery);
    reaper.async_wait([this](const asio::error_code& error) {
      reaping = false;
      if (!error) ReapOrphans();
    });
    reaping = true;
  } catch (const std::bad_alloc&) {  // The next request is the next occasion.
  }
};

ProcessHost::ProcessHost(ProcessHostOptions options) : state_(std::make_unique<State>(std::move(options))) {
  MR_CHECK(state_->bell >= 0, "no eventfd for child processes: errno %d", errno);
  if (state_->reactor.options.adopt) prctl(PR_SET_CHILD_SUBREAPER, 1);
  state_->bell_owner.assign(state_->bell);
  // No signal is for this thread: a handler must not run in a child before its exec, and the EPIPE of a child that does
  // not read must not become a SIGPIPE. Blocked here and not in the thread, so that it never runs with another mask.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  state_->thread = std::thread([state = state_.get()] {
    state->Listen();
    state->ReapOrphans();
    state->reactor.context.run();
  });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_setname_np(state_->thread.native_handle(), "millrace-child");
}

ProcessHost::~ProcessHost() { Stop(); }

Result<ProcessExit> ProcessHost::Run(const ProcessSpec& spec, const sync::CancelToken& cancel) {
  if (cancel.cancelled()) {
    return Cancelled("CANCELLED", "'" + spec.program + "' was not started: " + cancel.reason().message());
  }
  Call call(spec);
  CallId id;
  {
    ThreadGuard guard(state_->mutex);
    if (state_->stopped) {
      return Unavailable("PROCESS_HOST_STOPPED",
                         "'" + spec.program + "' was not started: child processes are being stopped");
    }
    id = ++state_->last_id;
    state_->Ask({State::Request::kStart, id, &call});
  }
  // Asked for after the start, so it finds the child; after the end it finds none.
  sync::CancelCallback terminate(cancel, [&](const Status&) {
    ThreadGuard guard(state_->mutex);
    state_->Ask({State::Request::kTerminate, id, nullptr});
  });
  call.done.Wait(rt::WaitReason::kProcess);
  return std::move(call.outcome);
}

void ProcessHost::Stop() {
  {
    ThreadGuard guard(state_->mutex);
    if (std::exchange(state_->stopped, true)) return;
    state_->Ask({State::Request::kStop, 0, nullptr});
  }
  state_->thread.join();
}

std::string SignalName(int signal) {
  const char* name = sigabbrev_np(signal);
  return name ? std::string("SIG") + name : "signal " + std::to_string(signal);
}

}  // namespace millrace::io
