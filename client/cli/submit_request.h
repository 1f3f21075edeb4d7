// From the words of the command line to a SubmitJobRequest.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "client/cli/units.h"
#include "millrace/v1/job_service.pb.h"

namespace millrace::cli {

// As typed; empty: not given.
struct SubmitArguments {
  std::string kind;
  std::string pool;
  std::string payload;
  std::vector<std::string> files;  // "-" is stdin.
  std::string files_from;          // A file that names files, one a line; "-" is stdin.
  std::string band;
  std::string delay, run_at, run_timeout, deadline;
  std::optional<int> max_attempts;
  bool once = false;
  std::vector<std::string> labels;  // NAME=VALUE, as the two below.
  std::vector<std::string> require, prefer;
  std::string request_id;
  std::string unique_key;
  std::string unique_scope;
  bool unique_reject = false;
  std::string on_full;
  int64_t count = 1;
  int window = 64;
  bool wait = false;
  bool cancel_on_interrupt = false;

  bool many() const { return count > 1 || files.size() > 1 || !files_from.empty(); }
};

// Makes everything but a payload that comes from a file. INVALID_ARGUMENT names the option.
Result<v1::SubmitJobRequest> MakeRequest(const SubmitArguments& arguments);

// A request holds 64 MiB, and no payload is larger.
inline constexpr size_t kFileBytesMax = size_t{64} << 20;

// The whole file, or stdin for "-". INVALID_ARGUMENT UNREADABLE, PAYLOAD_TOO_LARGE (before it is read, where it tells
// its size).
Result<std::string> ReadFile(const std::string& path);

// Warns on stderr when stdin has something to read and no option asked for it: `echo x | millrace submit sha256` is a
// mistake. To be called after the submit, so that whoever writes to stdin has had time to.
void WarnOfUnreadInput(const SubmitArguments& arguments);

// The files that are named one by one, then the lines of `files_from`. Empty lines are skipped; lines may end in CR LF,
// and the text may begin with a byte order mark. INVALID_ARGUMENT for UTF-16.
Result<std::vector<std::string>> FilesOf(const SubmitArguments& arguments);

}  // namespace millrace::cli
