// One host thread does everything: it starts the children, so that their parent-death signal watches a thread that stays, and it
// runs the reactor that tells when their pipes and pidfds are ready. Callers leave a request and park; they touch nothing of Asio.
// Asio only waits here; the reads and writes are our own calls that do not block, so the order "everything it wrote, then its end"
// is ours to keep, and one buffer serves all children.
#include "io/process.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>

#include <mutex>
#include <thread>
#include <unordered_map>

#include "io/asio.h"
#include "io/spawn.h"
#include "runtime/park.h"

namespace millrace::io {
namespace {

using Stream = asio::posix::stream_descriptor;

// How long a descendant that outlives the leader may keep the pipes. Those in the group are being killed meanwhile, so this is
// spent only on one that left the group, and what the leader itself wrote has been read by then.
constexpr auto kPipesOutliveLeader = std::chrono::milliseconds(200);
constexpr size_t kChunkBytes = size_t{64} << 10;
// The most a pipe can hold (fs.pipe-max-size for those without privileges): what may still lie there when the leader has ended.
constexpr size_t kPipeBytesMax = size_t{1} << 20;

// A Run that waits. On its caller's stack; the host thread's from the request to start until `done`.
struct Call {
  const ProcessSpec& spec;
  rt::Parker done;
  Result<ProcessExit> outcome{ProcessExit{}};
};

// Not by the Call's address: a request to terminate may come when that is somebody else's already.
using CallId = uint64_t;

class Child;

// What belongs to the host thread.
struct Reactor {
  asio::io_context context{1};
  std::unordered_map<CallId, std::shared_ptr<Child>> children;
  std::vector<char> chunk = std::vector<char>(kChunkBytes);
};

// From the request to start to the end.
class Child : public std::enable_shared_from_this<Child> {
 public:
  Child(Reactor& reactor, CallId id, Call& call) : reactor_(reactor), id_(id), call_(call), spec_(call.spec) {}

  void Start() {
    reactor_.children.emplace(id_, shared_from_this());
    Result<Spawned> spawned = Spawn(spec_);
    if (!spawned.ok()) return Finish(spawned.status());
    pid_ = spawned->pid;
    if (!Adopt(input_, spawned->input) || !Adopt(output_, spawned->output) || !Adopt(errors_, spawned->errors) ||
        !Adopt(pidfd_, spawned->pidfd)) {
      SignalGroup(pid_, SIGKILL);
      Reap(pid_);
      return Finish(
          Unavailable("PROCESS_START_FAILED", "cannot start '" + spec_.program + "': its pipes cannot be watched"));
    }
    running_ = true;
    When(pidfd_, Stream::wait_read, &Child::OnEnd);
    Feed();
    When(output_, Stream::wait_read, &Child::OnOutput);
    When(errors_, Stream::wait_read, &Child::OnErrors);
  }

  // TERM now and KILL after the grace; the end itself is seen through the pidfd.
  void Terminate() {
    if (!running_ || std::exchange(terminating_, true)) return;
    SignalGroup(pid_, SIGTERM);
    SignalGroup(pid_, SIGCONT);  // A stopped child would sleep through the TERM.
    timer_.expires_after(spec_.grace);
    timer_.async_wait([self = shared_from_this()](const asio::error_code& error) {
      if (!error) self->Kill();
    });
  }

  void Kill() {
    if (running_) SignalGroup(pid_, SIGKILL);
  }

 private:
  bool Adopt(Stream& stream, UniqueFd& fd) {
    asio::error_code error;
    stream.assign(fd.get(), error);
    if (!error) (void)fd.Release();
    return !error;
  }

  void When(Stream& stream, Stream::wait_type ready, void (Child::*then)()) {
    stream.async_wait(ready, [self = shared_from_this(), &stream, then](const asio::error_code& error) {
      // Closed in the meantime: this turn was already on its way.
      if (!error && stream.is_open()) ((*self).*then)();
    });
  }

  void Feed() {
    while (fed_ < spec_.input.size()) {
      ssize_t wrote = ::write(input_.native_handle(), spec_.input.data() + fed_, spec_.input.size() - fed_);
      if (wrote >= 0) {
        fed_ += static_cast<size_t>(wrote);
      } else if (errno == EAGAIN) {
        return When(input_, Stream::wait_write, &Child::Feed);
      } else if (errno != EINTR) {
        break;  // EPIPE: the child does not want to read it all, which is its right.
      }
    }
    Close(input_);
  }

  void OnOutput() {
    if (ReadChunk(output_) >= 0) When(output_, Stream::wait_read, &Child::OnOutput);
    FinishIfQuiet();
  }

  void OnErrors() {
    if (ReadChunk(errors_) >= 0) When(errors_, Stream::wait_read, &Child::OnErrors);
    FinishIfQuiet();
  }

  // One chunk at a turn, so that a child that floods its pipe leaves turns to the others. The bytes read, 0 when there are none
  // now; -1 at the end of the stream, which it closes.
  ssize_t ReadChunk(Stream& stream) {
    ssize_t got;
    do got = ::read(stream.native_handle(), reactor_.chunk.data(), reactor_.chunk.size());
    while (got < 0 && errno == EINTR);
    if (got < 0 && errno == EAGAIN) return 0;
    if (got <= 0) {
      Close(stream);
      return -1;
    }
    std::string_view chunk(reactor_.chunk.data(), static_cast<size_t>(got));
    if (&stream == &output_) {
      Keep(chunk);
    } else if (spec_.on_error_output) {
      spec_.on_error_output(chunk);
    }
    return got;
  }

  void Keep(std::string_view chunk) {
    size_t room = spec_.output_bytes_max - exit_.output.size();
    exit_.output.append(chunk.substr(0, room));
    if (chunk.size() <= room) return;
    exit_.output_overflow = true;
    Terminate();
  }

  void OnEnd() {
    Ending ending = Reap(pid_);
    running_ = false;  // Its number may belong to somebody else from here on.
    ended_ = true;
    timer_.cancel();
    Close(pidfd_);
    Close(input_);
    exit_.code = WIFEXITED(ending.status) ? WEXITSTATUS(ending.status) : 0;
    exit_.signal = WIFSIGNALED(ending.status) ? WTERMSIG(ending.status) : 0;
    exit_.cpu = ending.cpu;
    exit_.run_delay = ending.run_delay;
    for (Stream* stream : {&output_, &errors_}) Drain(*stream);
    if (output_.is_open() || errors_.is_open()) {
      timer_.expires_after(kPipesOutliveLeader);
      timer_.async_wait([self = shared_from_this()](const asio::error_code& error) {
        if (error) return;
        self->Close(self->output_);
        self->Close(self->errors_);
        self->FinishIfQuiet();
      });
    }
    FinishIfQuiet();
  }

  // Reads what lies in the pipe now. Bounded, because somebody else may still be writing to it.
  void Drain(Stream& stream) {
    ssize_t got = 1;
    for (size_t bytes = 0; stream.is_open() && got > 0 && bytes < kPipeBytesMax; bytes += static_cast<size_t>(got)) {
      got = ReadChunk(stream);
      if (got < 0) return;
    }
  }

  void FinishIfQuiet() {
    if (ended_ && !output_.is_open() && !errors_.is_open()) Finish(std::move(exit_));
  }

  void Finish(Result<ProcessExit> result) {
    if (std::exchange(finished_, true)) return;
    timer_.cancel();
    for (Stream* stream : {&input_, &output_, &errors_, &pidfd_}) Close(*stream);
    call_.outcome = std::move(result);
    call_.done.Wake();  // The caller goes on; the call and the spec are gone.
    reactor_.children.erase(id_);
  }

  static void Close(Stream& stream) {
    asio::error_code ignored;
    stream.close(ignored);
  }

  Reactor& reactor_;
  CallId id_;
  Call& call_;
  const ProcessSpec& spec_;
  pid_t pid_ = -1;
  Stream input_{reactor_.context}, output_{reactor_.context}, errors_{reactor_.context}, pidfd_{reactor_.context};
  asio::steady_timer timer_{reactor_.context};  // The grace before the end, the pipes' patience after it.
  size_t fed_ = 0;
  bool running_ = false;
  bool terminating_ = false;
  bool ended_ = false;
  bool finished_ = false;
  ProcessExit exit_;
};

}  // namespace

struct ProcessHost::State {
  struct Request {
    enum Kind : uint8_t { kStart, kTerminate, kStop };
    Kind kind;
    CallId id;
    Call* call;  // kStart
  };

  std::mutex mutex;
  std::vector<Request> requests;  // Guarded by the mutex, as are the next two.
  CallId last_id = 0;
  bool stopped = false;

  const int bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);  // Rung when there is a first request.
  Reactor reactor;
  Stream bell_owner{reactor.context};
  std::thread thread;

  // With the mutex held.
  void Ask(Request request) {
    requests.push_back(request);
    if (requests.size() == 1) eventfd_write(bell, 1);
  }

  void Listen() {
    bell_owner.async_wait(Stream::wait_read, [this](const asio::error_code& error) {
      if (!error) Answer();
    });
  }

  void Answer() {
    eventfd_t rings;
    eventfd_read(bell, &rings);
    std::vector<Request> asked;
    {
      std::lock_guard lock(mutex);
      asked.swap(requests);
    }
    // In their order, so that a child is found by the request to terminate it, and nothing is started after the stop.
    bool stop = false;
    for (const Request& request : asked) {
      auto child = reactor.children.find(request.id);
      switch (request.kind) {
        case Request::kStart:
          std::make_shared<Child>(reactor, request.id, *request.call)->Start();
          break;
        case Request::kTerminate:
          if (child != reactor.children.end()) child->second->Terminate();
          break;
        case Request::kStop:
          for (auto& [id, running] : reactor.children) running->Kill();
          stop = true;
          break;
      }
    }
    // Without the bell the loop ends with the last child.
    if (!stop) Listen();
  }
};

ProcessHost::ProcessHost() : state_(std::make_unique<State>()) {
  MR_CHECK(state_->bell >= 0, "no eventfd for child processes: errno %d", errno);
  state_->bell_owner.assign(state_->bell);
  // No signal is for this thread: a handler must not run in a child before its exec, and the EPIPE of a child that does not read
  // must not become a SIGPIPE. Blocked here and not in the thread, so that it never runs with another mask.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  state_->thread = std::thread([state = state_.get()] {
    state->Listen();
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
  Call call{.spec = spec};
  CallId id;
  {
    std::lock_guard lock(state_->mutex);
    if (state_->stopped) {
      return Unavailable("PROCESS_HOST_STOPPED",
                         "'" + spec.program + "' was not started: child processes are being stopped");
    }
    id = ++state_->last_id;
    state_->Ask({State::Request::kStart, id, &call});
  }
  // Asked for after the start, so it finds the child; after the end it finds none.
  sync::CancelCallback terminate(cancel, [&](const Status&) {
    std::lock_guard lock(state_->mutex);
    state_->Ask({State::Request::kTerminate, id, nullptr});
  });
  call.done.Wait(rt::WaitReason::kProcess);
  return std::move(call.outcome);
}

void ProcessHost::Stop() {
  {
    std::lock_guard lock(state_->mutex);
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
