#include "io/process_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <memory>
#include <thread>

#include "io/unique_fd.h"

namespace millrace::io {
namespace {

// More than any environment: the kernel takes a quarter of the stack's limit, and 6 MiB at most.
constexpr size_t kEnvironmentBytesMax = size_t{8} << 20;

// What this process or the machine is short of, for now: it says nothing about the process that was looked at.
bool IsShortage(int error) { return error == EMFILE || error == ENFILE || error == ENOMEM; }

// The whole file, at most `bytes_max`. nullopt, and errno: it cannot be read; the process has ended, or is not ours to
// look at, or there is a shortage.
std::optional<std::string> ReadFile(const std::string& path, size_t bytes_max) {
  UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.valid()) return std::nullopt;
  std::string text;
  char chunk[4096];
  while (text.size() < bytes_max) {
    ssize_t got = read(file.get(), chunk, sizeof chunk);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::nullopt;
    if (got == 0) break;
    text.append(chunk, static_cast<size_t>(got));
  }
  return text;
}

std::string ProcPath(pid_t pid, const char* file) { return "/proc/" + std::to_string(pid) + "/" + file; }

// See proc_pid_stat(5): "pid (name) state parent group session ...", the threads as the 20th, the start as the
// 22nd. The name may hold anything.
std::optional<ProcessEntry> LookAt(pid_t pid) {
  std::optional<std::string> stat = ReadFile(ProcPath(pid, "stat"), 4096);
  if (!stat) return std::nullopt;
  size_t name_end = stat->rfind(')');
  if (name_end == std::string::npos) return std::nullopt;
  ProcessEntry entry{.pid = pid};
  char state = 0;
  int threads = 0;
  int fields = sscanf(stat->c_str() + name_end + 1,
                      " %c %d %d %d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %d %*d %" SCNu64, &state,
                      &entry.parent, &entry.group, &entry.session, &threads, &entry.start);
  if (fields != 6) return std::nullopt;
  // A first thread that has ended while others run looks like a zombie.
  entry.zombie = (state == 'Z' || state == 'X') && threads <= 1;
  return entry;
}

// See proc_pid_stat(5): the last two but one say where in its memory the environment lies. From execve's point of no
// return until the new stack is laid out that is nowhere, at 0.
bool HasAnEmptyEnvironment(pid_t pid) {
  std::optional<std::string> stat = ReadFile(ProcPath(pid, "stat"), 4096);
  if (!stat) return false;
  const char* at = stat->c_str() + std::min(stat->rfind(')'), stat->size());
  for (int field = 2; field < 50 && *at != '\0'; ++field) at += 1 + strcspn(at + 1, " ");
  uint64_t begin = 0, end = 0;
  return sscanf(at, "%" SCNu64 " %" SCNu64, &begin, &end) == 2 && begin != 0 && begin == end;
}

enum class HasMark : uint8_t { kNo, kOfAnother, kYes, kUnclear };

// kOfAnother: of the same host, a mark that differs in what follows the last '-'. kUnclear: errno is that of a
// shortage, or 0 where the process is just being started.
HasMark LookForMark(pid_t pid, const std::string& mark) {
  std::optional<std::string> environment = ReadFile(ProcPath(pid, "environ"), kEnvironmentBytesMax);
  if (!environment) return IsShortage(errno) ? HasMark::kUnclear : HasMark::kNo;
  const std::string wanted = std::string(kMarkVariable) + "=" + mark;
  const size_t number = mark.rfind('-');
  const std::string_view host(wanted.data(), number == mark.npos ? 0 : wanted.size() - mark.size() + number + 1);
  HasMark has_mark = HasMark::kNo;
  for (std::string_view left = *environment; !left.empty();) {
    std::string_view variable = left.substr(0, left.find('\0'));
    left.remove_prefix(std::min(variable.size() + 1, left.size()));
    if (!host.empty() && variable.starts_with(host)) has_mark = HasMark::kOfAnother;
    if (!variable.starts_with(wanted)) continue;
    if (variable.size() == wanted.size() || variable[wanted.size()] == '-') return HasMark::kYes;
  }
  // The kernel answers with nothing while a program is being started; and with the beginning where that comes between
  // two reads, which leaves it without the 0 at the end.
  const bool is_whole = environment->empty() ? HasAnEmptyEnvironment(pid) : environment->back() == '\0';
  errno = 0;
  return is_whole ? has_mark : HasMark::kUnclear;
}

}  // namespace

std::optional<std::vector<ProcessEntry>> ListProcesses() {
  std::unique_ptr<DIR, int (*)(DIR*)> folder(opendir("/proc"), closedir);
  if (!folder) return std::nullopt;
  std::vector<ProcessEntry> all;
  for (;;) {
    errno = 0;
    const dirent* entry = readdir(folder.get());
    if (entry == nullptr) break;
    pid_t pid = 0;
    const char* end = entry->d_name + strlen(entry->d_name);
    if (auto parsed = std::from_chars(entry->d_name, end, pid); parsed.ptr != end || parsed.ec != std::errc()) continue;
    errno = 0;
    if (std::optional<ProcessEntry> found = LookAt(pid)) {
      all.push_back(*found);
    } else if (IsShortage(errno)) {
      return std::nullopt;  // Not "it has ended": a list with holes would let a tree live.
    }
  }
  if (errno != 0) return std::nullopt;
  return all;
}

FoundTree FindTree(const std::vector<ProcessEntry>& all, const TreeOf& tree) {
  const pid_t self = getpid();
  FoundTree found;
  std::vector<ProcessEntry>& members = found.members;
  std::vector<ProcessEntry> rest;
  for (const ProcessEntry& each : all) {
    if (each.pid == self) continue;
    const bool is_sure = (tree.leader > 0 && (each.pid == tree.leader || each.group == tree.leader)) ||
                         std::any_of(tree.known.begin(), tree.known.end(), [&each](const ProcessEntry& known) {
                           return known.pid == each.pid && known.start == each.start;
                         });
    // The kernel's own threads, which have no environment, are in no group.
    const bool may_have_mark = !tree.mark.empty() && !each.zombie && each.pid > 1 && each.group != 0 &&
                               (tree.orphan_parent == 0 || each.parent == tree.orphan_parent);
    const HasMark has_mark = is_sure || !may_have_mark ? HasMark::kNo : LookForMark(each.pid, tree.mark);
    if (has_mark == HasMark::kUnclear) {
      ++found.unclear;
      if (errno != 0) found.error = errno;
    }
    (is_sure || has_mark == HasMark::kYes ? members : rest).push_back(each);
  }
  // Children of members, and whoever is in a group or session that one leads. Not whoever merely shares one with a
  // member: it may be that of the daemon, or of whoever started it.
  for (size_t next = 0; next < members.size(); ++next) {
    const pid_t member = members[next].pid;
    auto related = std::stable_partition(rest.begin(), rest.end(), [member](const ProcessEntry& each) {
      return each.parent != member && each.group != member && each.session != member;
    });
    members.insert(members.end(), related, rest.end());
    rest.erase(related, rest.end());
  }
  return found;
}

bool MayBelong(const std::vector<pid_t>& orphans, const TreeOf& tree) {
  if (orphans.empty()) return false;
  const std::optional<ProcessEntry> leader = LookAt(tree.leader);
  return std::any_of(orphans.begin(), orphans.end(), [&](pid_t pid) {
    const std::optional<ProcessEntry> orphan = LookAt(pid);
    if (!orphan || orphan->zombie || orphan->group == tree.leader) return true;
    if (std::any_of(tree.known.begin(), tree.known.end(),
                    [pid](const ProcessEntry& each) { return each.pid == pid; })) {
      return true;
    }
    if (leader && orphan->start < leader->start) return false;
    return tree.mark.empty() || LookForMark(pid, tree.mark) != HasMark::kOfAnother;
  });
}

void SignalProcess(const ProcessEntry& process, int signal) {
  UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, process.pid, 0)));
  const bool gone = !pidfd.valid() && errno == ESRCH;
  // Looked at after it is held: the number cannot pass to another process now, or the signal fails.
  std::optional<ProcessEntry> now = LookAt(process.pid);
  const bool cannot_look = !now && IsShortage(errno);
  if (now && now->start != process.start) return;
  if (pidfd.valid()) {
    syscall(SYS_pidfd_send_signal, pidfd.get(), signal, nullptr, 0);
  } else if (!gone && (now || cannot_look)) {
    kill(process.pid, signal);  // No descriptor is free, or the kernel knows no pidfd.
  }
}

std::optional<std::vector<pid_t>> AdoptedChildren() {
  // The kernel gives orphans to the first thread of a process. Those that another thread started are not in its list.
  const pid_t self = getpid();
  std::vector<pid_t> children;
  errno = 0;
  if (std::optional<std::string> text =
          ReadFile(ProcPath(self, "task") + "/" + std::to_string(self) + "/children", kEnvironmentBytesMax)) {
    const char* at = text->data();
    const char* const end = at + text->size();
    for (pid_t pid = 0; at != end; ++at) {
      auto parsed = std::from_chars(at, end, pid);
      if (parsed.ec != std::errc()) break;
      children.push_back(pid);
      at = parsed.ptr;
      if (at == end) break;
    }
    return children;
  }
  if (errno != ENOENT) return std::nullopt;
  // A kernel without CONFIG_PROC_CHILDREN.
  std::optional<std::vector<ProcessEntry>> all = ListProcesses();
  if (!all) return std::nullopt;
  for (const ProcessEntry& each : *all) {
    if (each.parent == self) children.push_back(each.pid);
  }
  return children;
}

pid_t ReapIfEnded(pid_t child) {
  int status;
  return waitpid(child, &status, WNOHANG);
}

size_t EndMarked(const std::string& mark, Nanos patience) {
  const auto begun = std::chrono::steady_clock::now();
  for (;;) {
    const auto passed = std::chrono::steady_clock::now() - begun;
    size_t left = 1;
    if (std::optional<std::vector<ProcessEntry>> all = ListProcesses()) {
      FoundTree found = FindTree(*all, {.mark = mark});
      left = found.error != 0 || passed < kUnclearPatience ? found.unclear : 0;
      for (const ProcessEntry& each : found.members) {
        if (each.zombie) continue;
        ++left;
        SignalProcess(each, SIGKILL);
      }
      if (left == 0) return 0;
    }
    if (passed > patience) return left;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

}  // namespace millrace::io
