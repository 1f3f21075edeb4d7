// What the thread of a ProcessHost works with: Child is one child from the request to start it to its end, and its
// tree's.
//
// One thread uses all of it, so nothing is guarded. Asio only waits here; the reads and writes are our own calls that
// do not block, so the order "everything it wrote, then its end" is ours to keep, and one buffer serves all children.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "io/asio.h"
#include "io/process.h"
#include "io/process_tree.h"
#include "io/spawn.h"
#include "io/unique_fd.h"
#include "runtime/park.h"

namespace millrace::io::host {

using AsioStream = asio::posix::stream_descriptor;

// A Run that waits. On its caller's stack; the host thread's from the request to start until `done`.
struct Call {
  explicit Call(const ProcessSpec& chosen);

  const ProcessSpec& spec;
  rt::Parker done;
  // Without memory the host thread can make no Status, so it finds both here: that nothing has begun, and that the
  // program had to be stopped.
  Result<ProcessExit> outcome;
  Status stopped_for_memory;
};

// Not by the Call's address: a request to terminate may come when that is somebody else's already.
using CallId = uint64_t;

class Child;

// What belongs to the host thread.
struct Reactor {
  explicit Reactor(ProcessHostOptions chosen) : options(std::move(chosen)) {}

  asio::io_context context{1};
  const ProcessHostOptions options;
  std::unordered_map<CallId, std::shared_ptr<Child>> children;
  std::unordered_set<pid_t> leaders;  // Started and not reaped.
  std::vector<char> chunk = std::vector<char>(size_t{64} << 10);
};

// From the request to start to the end. Where memory is refused it ends this child only: nothing throws but the
// constructor.
class Child : public std::enable_shared_from_this<Child> {
 public:
  Child(Reactor& reactor, CallId id, Call& call) : reactor_(reactor), id_(id), call_(call), spec_(call.spec) {}

  void Start();

  // TERM now and KILL after the grace; the end itself is seen through the pidfd. `all`: of all processes, where the
  // host adopts.
  void Terminate(const std::vector<ProcessEntry>& all);
  // For Terminate; empty where they cannot be read.
  static std::vector<ProcessEntry> AllProcesses();
  void Kill();

 private:
  void StartProgram();
  // Kills and reaps what has just been started.
  void Discard();
  // Memory is refused, so its output or the rest of its input is lost.
  void StopForMemory();
  std::string Mark() const;  // "": it has none.
  TreeOf Tree() const;
  bool Adopt(AsioStream& stream, UniqueFd& fd);
  void When(AsioStream& stream, AsioStream::wait_type ready, void (Child::*then)());
  // False: there is no memory to wait with.
  template <typename F>
  bool After(Nanos pause, F then);

  void Feed();
  void OnOutput();
  void OnErrors();
  void OnSide();
  // One chunk at a turn, so that a child that floods its pipe leaves turns to the others. The bytes read, 0 when there
  // are none now; -1 at the end of the stream, which it closes.
  ssize_t ReadChunk(AsioStream& stream);
  void Keep(std::string_view chunk);
  // Reads what lies in the pipe now. Bounded, because somebody else may still be writing to it.
  void Drain(AsioStream& stream);

  void OnEnd();
  // The leader has ended and is not reaped yet: its number, which is also the name of its group, must not pass to
  // somebody else before the rest of the tree is gone.
  void SweepTree(Nanos pause);
  // One look at it. True: the leader can be buried.
  bool TreeIsGone();
  // Has somebody become an orphan since `all` was read, so that nobody has looked whose it is? Reaps those that ended.
  bool HasNewOrphans(const std::vector<ProcessEntry>& all, const TreeOf& tree) const;
  // The log says that the tree may live on.
  void TellUnclear(const std::string& why) const;
  void Bury();
  bool HasOpenPipe() const { return output_.is_open() || errors_.is_open() || side_.is_open(); }  // To read from.
  void FinishIfQuiet();
  void Finish(Result<ProcessExit> result);
  static void Close(AsioStream& stream);

  Reactor& reactor_;
  CallId id_;
  Call& call_;
  const ProcessSpec& spec_;
  pid_t pid_ = -1;
  AsioStream input_{reactor_.context}, output_{reactor_.context}, errors_{reactor_.context}, pidfd_{reactor_.context};
  AsioStream side_{reactor_.context};           // Never open where the spec has no use for it.
  asio::steady_timer timer_{reactor_.context};  // The grace; then looks at the tree; then the pipes' patience.
  size_t fed_ = 0;
  std::chrono::steady_clock::time_point ended_at_;  // The leader.
  std::vector<ProcessEntry> killed_;                // Of the tree, by the newest look at it; they were told to end.
  bool running_ = false;
  bool terminating_ = false;
  bool ended_ = false;
  bool finished_ = false;
  bool short_of_memory_ = false;
  ProcessExit exit_;
};

}  // namespace millrace::io::host
