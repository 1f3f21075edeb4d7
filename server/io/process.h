// Child processes as straight-line code: Run starts one, feeds it, listens to it and returns when it has ended.
//
//   rt fiber:  ProcessSpec gzip = {.program = "/bin/gzip", .argv = {"gzip", "-c"}, .input = bytes};
//              Result<ProcessExit> exit = host.Run(gzip, cancel);
//
//   Waiting    The caller parks (WaitReason::kProcess); a plain thread blocks. Everything in the ProcessSpec, views
//              included, must live until Run returns, and it does: the caller is standing there.
//   Child      Starts in a process group of its own with a working directory, umask, limits and exactly the environment
//              given; default signal dispositions, nothing blocked, nothing open but stdin, stdout and stderr, which
//              are pipes, and one more for writing where on_side_output is set; no new privileges. It is killed when
//              this process dies, however that dies.
//   Ending     The leader's end is the end. What is left in its group is killed then. Everything the leader wrote is
//              delivered. A descendant that left the group goes on unless the host adopts; it is not waited for: its
//              hold on the pipes is cut after a moment.
//   Adopting   With ProcessHostOptions::adopt the whole tree of the child (io/process_tree.h) hears the TERM, and what
//              is left of it at the leader's end is killed, and gone when Run returns: no process of it lives on. Out
//              of reach is only what has left the group, has no parent in the tree any more, and cleared the mark from
//              its environment.
//   Stopping   Cancelled: TERM, and KILL after `grace`. A child that writes more than `output_bytes_max` is stopped the
//              same way and its surplus is read and dropped, so it never costs more memory than that.
//   Nothing    is left when Run returns: no zombie, no descriptor, no callback that still runs.
//   Failures   A child that cannot be started is a Status that names the program and the reason; one that fails is a
//              ProcessExit.
//
// The process must not ignore SIGCHLD nor reap children it does not know.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "sync/cancel.h"

namespace millrace::io {

// Hard limits of the child, each as this process has it when unset. A core file is never written.
struct ProcessLimits {
  std::optional<int64_t> cpu_seconds;          // SIGXCPU then, SIGKILL a second later.
  std::optional<int64_t> address_space_bytes;  // Allocations beyond fail in the child.
  std::optional<int64_t> file_bytes;           // A longer write gets SIGXFSZ.
  std::optional<int64_t> open_files;           // Unset: as this process was started with (base/open_files.h).
  std::optional<int64_t> processes;            // All of the user, and no limit for root: see setrlimit(2).
  bool operator==(const ProcessLimits&) const = default;
};

// The number that the fourth pipe has in a child.
inline constexpr int kSideDescriptor = 3;

struct ProcessSpec {
  std::string program;            // A path, not searched for.
  std::vector<std::string> argv;  // argv[0] included.
  std::vector<std::string> env;   // "NAME=value"; nothing is inherited.
  std::string directory = "/";
  std::optional<mode_t> umask;  // Unset: that of this process.
  ProcessLimits limits;

  std::string_view input;                     // A child that does not read it all is no error.
  size_t output_bytes_max = size_t{1} << 20;  // For stdout.
  std::function<void(std::string_view)>
      on_error_output;  // stderr, as it comes; on a foreign thread, must not block. May be empty.
  // Where set, the child has a pipe at kSideDescriptor too, and what it writes there comes here in the same way. Else
  // that is closed and costs nothing.
  std::function<void(std::string_view)> on_side_output;
  Nanos grace = std::chrono::seconds(5);  // Between TERM and KILL.
};

struct ProcessExit {
  int code = 0;    // Exit status, when it exited.
  int signal = 0;  // What killed it; 0: it exited.
  std::string output;
  bool output_overflow = false;  // It wrote more than output_bytes_max and was stopped; `output` is the beginning.
  Nanos cpu{0};                  // User and system time of the child and those of its children it waited for.
  Nanos run_delay{0};  // Runnable but without a processor; of the child's main thread only, as the kernel keeps it.

  bool success() const { return signal == 0 && code == 0; }
};

struct ProcessHostOptions {
  // See Adopting. Orphans of this process's children, and of others where it is process 1, become its own and are
  // reaped when they end. Of the whole process, so for one host in it, and where nobody else counts on orphans going
  // elsewhere.
  bool adopt = false;
  // Where set, each child finds kMarkVariable (process_tree.h) in its environment: this, '-' and a number. Without it a
  // descendant with a session of its own is not found once its parent has ended. It should be unique on the machine.
  std::string mark;
};

class ProcessHost {
 public:
  explicit ProcessHost(ProcessHostOptions options = {});
  ~ProcessHost();  // Stops.
  ProcessHost(const ProcessHost&) = delete;
  ProcessHost& operator=(const ProcessHost&) = delete;

  // Any fiber or thread. The host must live until Run returns. UNAVAILABLE: PROCESS_START_REFUSED (nothing has begun:
  // the system is short of processes, descriptors or memory, and may have them later), PROCESS_START_FAILED (the
  // program, its folder or its limits), PROCESS_STOPPED_FOR_MEMORY (it was stopped since memory for its input or output
  // was refused), PROCESS_HOST_STOPPED. CANCELLED: it was cancelled before it was started.
  Result<ProcessExit> Run(const ProcessSpec& spec, const sync::CancelToken& cancel);

  // Kills every child at once (their Run returns) and starts no more. Blocks the thread for as long as kills take. Once
  // or often, but before the Runtime ends whose fibers used the host: until then its thread may still be waking the
  // last of them.
  void Stop();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// "SIGKILL"; "signal 42" for one without a name.
std::string SignalName(int signal);

}  // namespace millrace::io
