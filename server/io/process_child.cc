#include "io/process_child.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>
#include <utility>

#include "base/log.h"

namespace millrace::io::host {
namespace {

// How long a descendant that outlives the leader may keep the pipes. Those in the group are being killed meanwhile, so
// this is spent only on one that left the group, and what the leader itself wrote has been read by then.
constexpr auto kPipesOutliveLeader = std::chrono::milliseconds(200);
// The most a pipe can hold (fs.pipe-max-size for those without privileges): what may still lie there when the leader
// has ended.
constexpr size_t kPipeBytesMax = size_t{1} << 20;
// How long a tree that is being killed may take to go before its Run returns without: what hangs in the kernel hangs
// for long.
constexpr auto kTreePatience = std::chrono::seconds(10);
constexpr Nanos kTreeLookFirst = std::chrono::milliseconds(1), kTreeLookMost = std::chrono::milliseconds(100);

}  // namespace

Call::Call(const ProcessSpec& chosen)
    : spec(chosen),
      outcome(Unavailable("PROCESS_START_REFUSED", "cannot start '" + spec.program + "': no memory is left")
                  .With("program", spec.program)
                  .With("errno", "ENOMEM")),
      stopped_for_memory(Unavailable("PROCESS_STOPPED_FOR_MEMORY",
                                     "'" + spec.program + "' was stopped: no memory is left for its input and output")
                             .With("program", spec.program)) {}

void Child::Start() {
  try {
    StartProgram();
  } catch (const std::bad_alloc&) {
    if (pid_ < 0) return Finish(std::move(call_.outcome));
    Discard();
    Finish(std::move(call_.stopped_for_memory));
  }
}

void Child::Discard() {
  running_ = false;
  SignalGroup(pid_, SIGKILL);
  Reap(pid_);
  reactor_.leaders.erase(pid_);
}

void Child::StartProgram() {
  const std::string mark = Mark();
  Result<Spawned> spawned = Spawn(spec_, mark.empty() ? mark : std::string(kMarkVariable) + "=" + mark);
  if (!spawned.ok()) return Finish(spawned.status());
  pid_ = spawned->pid;
  reactor_.leaders.insert(pid_);
  if (!Adopt(input_, spawned->input) || !Adopt(output_, spawned->output) || !Adopt(errors_, spawned->errors) ||
      !Adopt(pidfd_, spawned->pidfd) || (spawned->side.valid() && !Adopt(side_, spawned->side))) {
    Discard();
    return Finish(
        Unavailable("PROCESS_START_FAILED", "cannot start '" + spec_.program + "': its pipes cannot be watched"));
  }
  running_ = true;
  When(pidfd_, AsioStream::wait_read, &Child::OnEnd);
  if (!pidfd_.is_open()) throw std::bad_alloc();  // Its end would not be seen.
  Feed();
  When(output_, AsioStream::wait_read, &Child::OnOutput);
  When(errors_, AsioStream::wait_read, &Child::OnErrors);
  if (side_.is_open()) When(side_, AsioStream::wait_read, &Child::OnSide);
}

void Child::Terminate(const std::vector<ProcessEntry>& all) {
  if (!running_ || std::exchange(terminating_, true)) return;
  SignalGroup(pid_, SIGTERM);
  SignalGroup(pid_, SIGCONT);  // A stopped child would sleep through the TERM.
  try {
    // Remembered: what is dying has no environment any more, and so no mark.
    killed_ = FindTree(all, Tree()).members;
    for (const ProcessEntry& member : killed_) {
      if (member.group == pid_) continue;
      SignalProcess(member, SIGTERM);
      SignalProcess(member, SIGCONT);
    }
  } catch (const std::bad_alloc&) {  // The rest of the tree hears the KILL only.
  }
  if (!After(spec_.grace, [](Child& self) { self.Kill(); })) Kill();
}

std::vector<ProcessEntry> Child::AllProcesses() {
  try {
    if (std::optional<std::vector<ProcessEntry>> all = ListProcesses()) return *std::move(all);
  } catch (const std::bad_alloc&) {
  }
  return {};
}

void Child::StopForMemory() {
  if (std::exchange(short_of_memory_, true)) return;
  exit_.output = std::string();
  Terminate({});
}

void Child::Kill() {
  if (running_) SignalGroup(pid_, SIGKILL);
}

std::string Child::Mark() const {
  const std::string& mark = reactor_.options.mark;
  return mark.empty() ? mark : mark + "-" + std::to_string(id_);
}

TreeOf Child::Tree() const {
  // An orphan's parent is this process; whoever is not an orphan has a parent in the tree.
  return {.leader = pid_, .mark = Mark(), .orphan_parent = getpid(), .known = killed_};
}

bool Child::Adopt(AsioStream& stream, UniqueFd& fd) {
  asio::error_code error;
  stream.assign(fd.get(), error);
  if (!error) (void)fd.Release();
  return !error;
}

void Child::When(AsioStream& stream, AsioStream::wait_type ready, void (Child::*then)()) {
  try {
    stream.async_wait(ready, [self = shared_from_this(), &stream, then](const asio::error_code& error) {
      // Closed in the meantime: this turn was already on its way.
      if (!error && stream.is_open()) ((*self).*then)();
    });
  } catch (const std::bad_alloc&) {
    Close(stream);
    StopForMemory();
  }
}

template <typename F>
bool Child::After(Nanos pause, F then) try {
  timer_.expires_after(pause);
  timer_.async_wait([self = shared_from_this(), then](const asio::error_code& error) {
    if (!error) then(*self);
  });
  return true;
} catch (const std::bad_alloc&) {
  return false;
}

void Child::Feed() {
  while (fed_ < spec_.input.size()) {
    ssize_t wrote = ::write(input_.native_handle(), spec_.input.data() + fed_, spec_.input.size() - fed_);
    if (wrote >= 0) {
      fed_ += static_cast<size_t>(wrote);
    } else if (errno == EAGAIN) {
      return When(input_, AsioStream::wait_write, &Child::Feed);
    } else if (errno != EINTR) {
      break;  // EPIPE: the child does not want to read it all, which is its right.
    }
  }
  Close(input_);
}

void Child::OnOutput() {
  if (ReadChunk(output_) >= 0) When(output_, AsioStream::wait_read, &Child::OnOutput);
  FinishIfQuiet();
}

void Child::OnErrors() {
  if (ReadChunk(errors_) >= 0) When(errors_, AsioStream::wait_read, &Child::OnErrors);
  FinishIfQuiet();
}

void Child::OnSide() {
  if (ReadChunk(side_) >= 0) When(side_, AsioStream::wait_read, &Child::OnSide);
  FinishIfQuiet();
}

ssize_t Child::ReadChunk(AsioStream& stream) {
  ssize_t got;
  do got = ::read(stream.native_handle(), reactor_.chunk.data(), reactor_.chunk.size());
  while (got < 0 && errno == EINTR);
  if (got < 0 && errno == EAGAIN) return 0;
  if (got <= 0) {
    Close(stream);
    return -1;
  }
  std::string_view chunk(reactor_.chunk.data(), static_cast<size_t>(got));
  if (short_of_memory_) return got;
  try {
    if (&stream == &output_) {
      Keep(chunk);
    } else if (&stream == &side_) {
      spec_.on_side_output(chunk);
    } else if (spec_.on_error_output) {
      spec_.on_error_output(chunk);
    }
  } catch (const std::bad_alloc&) {
    StopForMemory();
  }
  return got;
}

void Child::Keep(std::string_view chunk) {
  size_t room = spec_.output_bytes_max - exit_.output.size();
  exit_.output.append(chunk.substr(0, room));
  if (chunk.size() <= room) return;
  exit_.output_overflow = true;
  if (terminating_) return;
  Terminate(reactor_.options.adopt ? AllProcesses() : std::vector<ProcessEntry>());
}

void Child::OnEnd() {
  running_ = false;
  timer_.cancel();
  Close(pidfd_);
  Close(input_);
  SignalGroup(pid_, SIGKILL);
  if (!reactor_.options.adopt) return Bury();
  ended_at_ = std::chrono::steady_clock::now();
  SweepTree(kTreeLookFirst);
}

bool Child::HasNewOrphans(const std::vector<ProcessEntry>& all, const TreeOf& tree) const {
  std::optional<std::vector<pid_t>> orphans = LivingOrphans(reactor_.leaders);
  if (!orphans) return true;
  const pid_t self = getpid();
  std::erase_if(*orphans, [&](pid_t pid) {
    return std::any_of(all.begin(), all.end(),
                       [&](const ProcessEntry& each) { return each.pid == pid && each.parent == self; });
  });
  return MayBelong(*orphans, tree);
}

bool Child::TreeIsGone() {
  std::optional<std::vector<pid_t>> orphans = LivingOrphans(reactor_.leaders);
  const TreeOf tree = Tree();
  if (orphans && !MayBelong(*orphans, tree)) return true;
  const auto passed = std::chrono::steady_clock::now() - ended_at_;
  std::optional<std::vector<ProcessEntry>> all = ListProcesses();
  const int list_error = all ? 0 : errno;
  FoundTree found;
  if (all) {
    // Whoever was killed takes a moment to go, and its parent, by which it was found, may be gone before.
    found = FindTree(*all, tree);
    std::erase_if(found.members, [](const ProcessEntry& member) { return member.zombie; });
    for (const ProcessEntry& member : found.members) SignalProcess(member, SIGKILL);
    killed_ = std::move(found.members);
  }
  const size_t left = all ? killed_.size() : 0;
  const int shortage = all ? found.error : list_error;
  const bool may_be_more = shortage != 0 || (found.unclear > 0 && passed < kUnclearPatience);
  if (left == 0 && !may_be_more && !HasNewOrphans(*all, tree)) {
    if (found.unclear > 0) TellUnclear("of " + std::to_string(found.unclear) + " it cannot be told whose they are");
    return true;
  }
  if (passed > kTreePatience) {
    if (left > 0) {
      LogWarning("'%s' ended and left %zu processes of group %d, which do not end when they are killed",
                 spec_.program.c_str(), left, static_cast<int>(pid_));
    }
    if (shortage != 0) TellUnclear(std::string("/proc cannot be read: ") + strerrordesc_np(shortage));
    return true;
  }
  return false;
}

void Child::SweepTree(Nanos pause) {
  bool gone = false;
  try {
    gone = TreeIsGone();
  } catch (const std::bad_alloc&) {  // Memory may be there at the next look.
    gone = std::chrono::steady_clock::now() - ended_at_ > kTreePatience;
  }
  if (gone || !After(pause, [pause](Child& self) { self.SweepTree(std::min<Nanos>(2 * pause, kTreeLookMost)); })) {
    Bury();
  }
}

void Child::TellUnclear(const std::string& why) const {
  LogWarning("'%s' of group %d ended, and processes that it started may go on until the next start of the daemon: %s",
             spec_.program.c_str(), static_cast<int>(pid_), why.c_str());
}

void Child::Bury() {
  Ending ending = Reap(pid_);
  reactor_.leaders.erase(pid_);  // Its number may belong to somebody else from here on.
  ended_ = true;
  exit_.code = WIFEXITED(ending.status) ? WEXITSTATUS(ending.status) : 0;
  exit_.signal = WIFSIGNALED(ending.status) ? WTERMSIG(ending.status) : 0;
  exit_.cpu = ending.cpu;
  exit_.run_delay = ending.run_delay;
  for (AsioStream* stream : {&output_, &errors_, &side_}) Drain(*stream);
  if (HasOpenPipe()) {
    auto close = [](Child& self) {
      for (AsioStream* stream : {&self.output_, &self.errors_, &self.side_}) Close(*stream);
      self.FinishIfQuiet();
    };
    if (!After(kPipesOutliveLeader, close)) return close(*this);
  }
  FinishIfQuiet();
}

void Child::Drain(AsioStream& stream) {
  ssize_t got = 1;
  for (size_t bytes = 0; stream.is_open() && got > 0 && bytes < kPipeBytesMax; bytes += static_cast<size_t>(got)) {
    got = ReadChunk(stream);
    if (got < 0) return;
  }
}

void Child::FinishIfQuiet() {
  if (!ended_ || HasOpenPipe()) return;
  if (short_of_memory_) return Finish(std::move(call_.stopped_for_memory));
  Finish(std::move(exit_));
}

void Child::Finish(Result<ProcessExit> result) {
  if (std::exchange(finished_, true)) return;
  timer_.cancel();
  for (AsioStream* stream : {&input_, &output_, &errors_, &side_, &pidfd_}) Close(*stream);
  call_.outcome = std::move(result);
  call_.done.Wake();  // The caller goes on; the call and the spec are gone.
  reactor_.children.erase(id_);
}

void Child::Close(AsioStream& stream) {
  asio::error_code ignored;
  stream.close(ignored);
}

}  // namespace millrace::io::host
