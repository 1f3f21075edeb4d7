#include "client/cli/submit_request.h"

#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include "client/words.h"

namespace millrace::cli {
namespace {

Status Bad(const std::string& option, const std::string& value, const std::string& expected) {
  return InvalidArgument("BAD_ARGUMENT", option + ": '" + value + "' is not " + expected);
}

// NAME=VALUE, each name once.
Status AddLabels(const std::string& option, const std::vector<std::string>& labels,
                 google::protobuf::Map<std::string, std::string>* into) {
  for (const std::string& label : labels) {
    const size_t equals = label.find('=');
    if (equals == std::string::npos || equals == 0) return Bad(option, label, "NAME=VALUE");
    const std::string name = label.substr(0, equals);
    if (into->contains(name)) {
      return InvalidArgument("BAD_ARGUMENT", option + ": '" + name + "' is given twice, and a label has one value");
    }
    (*into)[name] = label.substr(equals + 1);
  }
  return OkStatus();
}

constexpr char kDurationForm[] = "a time like 500ms, 30s, 5m or 2h";
constexpr char kTimeForm[] = "a time like 2026-01-31T12:00:00Z, from 1970 to 2255";

}  // namespace

Result<v1::SubmitJobRequest> MakeRequest(const SubmitArguments& arguments) {
  v1::SubmitJobRequest request;
  v1::JobSpec& spec = *request.mutable_spec();
  spec.set_kind(arguments.kind);
  spec.set_pool(arguments.pool);
  spec.set_payload(arguments.payload);

  if (!arguments.band.empty()) {
    v1::Band band;
    if (!client::ParseWord(arguments.band, &band)) {
      return Bad("--band", arguments.band, "critical, high, normal or low");
    }
    spec.set_band(band);
  }
  if (!arguments.delay.empty() && !arguments.run_at.empty()) {
    return InvalidArgument("BAD_ARGUMENT", "--delay and --run-at say the same in two ways; give one");
  }
  if (!arguments.delay.empty()) {
    const auto delay = ParseDuration(arguments.delay);
    if (!delay) return Bad("--delay", arguments.delay, kDurationForm);
    *spec.mutable_delay() = ToProto(*delay);
  }
  if (!arguments.run_at.empty()) {
    const auto time = ParseTime(arguments.run_at);
    if (!time) return Bad("--run-at", arguments.run_at, kTimeForm);
    *spec.mutable_run_at() = ToProto(*time);
  }
  if (!arguments.run_timeout.empty()) {
    const auto timeout = ParseDuration(arguments.run_timeout);
    if (!timeout || timeout->count() == 0) return Bad("--run-timeout", arguments.run_timeout, kDurationForm);
    *spec.mutable_run_timeout() = ToProto(*timeout);
  }
  if (!arguments.deadline.empty()) {
    if (const auto from_now = ParseDuration(arguments.deadline)) {
      *spec.mutable_deadline_after() = ToProto(*from_now);
    } else if (const auto time = ParseTime(arguments.deadline)) {
      *spec.mutable_deadline() = ToProto(*time);
    } else {
      return Bad("--deadline", arguments.deadline, std::string(kDurationForm) + " from now, nor " + kTimeForm);
    }
  }
  if (arguments.max_attempts) {
    if (*arguments.max_attempts < 1 || *arguments.max_attempts > 1000) {
      return Bad("--max-attempts", std::to_string(*arguments.max_attempts), "1 to 1000");
    }
    spec.mutable_retry()->set_max_attempts(*arguments.max_attempts);
  }
  spec.set_no_retry_after_start(arguments.once);

  MR_RETURN_IF_ERROR(AddLabels("--label", arguments.labels, spec.mutable_labels()));
  if (!arguments.require.empty()) {
    MR_RETURN_IF_ERROR(AddLabels("--require", arguments.require, spec.mutable_placement()->mutable_require()));
  }
  if (!arguments.prefer.empty()) {
    MR_RETURN_IF_ERROR(AddLabels("--prefer", arguments.prefer, spec.mutable_placement()->mutable_prefer()));
  }

  if (!arguments.unique_key.empty()) {
    v1::UniqueKey& unique = *spec.mutable_unique_key();
    unique.set_key(arguments.unique_key);
    if (arguments.unique_scope == "queued") {
      unique.set_scope(v1::UniqueKey::SCOPE_WHILE_QUEUED);
    } else if (!arguments.unique_scope.empty() && arguments.unique_scope != "unfinished") {
      return Bad("--unique-scope", arguments.unique_scope, "queued or unfinished");
    }
    if (arguments.unique_reject) unique.set_on_taken(v1::UniqueKey::ON_TAKEN_REJECT);
  } else if (!arguments.unique_scope.empty() || arguments.unique_reject) {
    return InvalidArgument("BAD_ARGUMENT", "--unique-scope and --unique-reject say more of a --unique-key; give one");
  }

  request.set_request_id(arguments.request_id);
  if (arguments.on_full.empty()) {
    // Many jobs may take the time they need; whoever submits one job wants an answer.
    request.set_on_full(arguments.many() ? v1::ON_FULL_WAIT : v1::ON_FULL_REJECT);
  } else if (arguments.on_full == "wait" || arguments.on_full == "reject") {
    request.set_on_full(arguments.on_full == "wait" ? v1::ON_FULL_WAIT : v1::ON_FULL_REJECT);
  } else {
    return Bad("--on-full", arguments.on_full, "wait or reject");
  }

  if (arguments.count < 1) return Bad("--count", std::to_string(arguments.count), "at least 1");
  if (arguments.many() && !arguments.request_id.empty()) {
    return InvalidArgument("BAD_ARGUMENT", "--request-id names one job; it cannot be given for several");
  }
  const bool has_files = !arguments.files.empty() || !arguments.files_from.empty();
  if (has_files && !arguments.payload.empty()) {
    return InvalidArgument("BAD_ARGUMENT", "--payload and --file both give the input of the job; give one");
  }
  if (has_files && arguments.count > 1 && (arguments.files.size() > 1 || !arguments.files_from.empty())) {
    return InvalidArgument("BAD_ARGUMENT", "--count repeats one job; with several files each is a job of its own");
  }
  return request;
}

Result<std::string> ReadFile(const std::string& path) {
  const auto unreadable = [&path](int error) {
    return InvalidArgument("UNREADABLE", "cannot read " + (path == "-" ? "stdin" : path) + ": " + std::strerror(error))
        .With("file", path);
  };
  const auto too_large = [&path](const std::string& size) {
    return InvalidArgument("PAYLOAD_TOO_LARGE", (path == "-" ? "stdin" : path) + " has " + size +
                                                    ", and a request holds less than 64 MiB; store it elsewhere and "
                                                    "send a reference")
        .With("file", path);
  };
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> opened(nullptr, std::fclose);
  std::FILE* file = stdin;
  if (path != "-") {
    opened.reset(std::fopen(path.c_str(), "rbe"));
    if (!opened) return unreadable(errno);
    file = opened.get();
  }
  struct stat about {};
  if (fstat(fileno(file), &about) == 0 && S_ISREG(about.st_mode) && about.st_size >= off_t{kFileBytesMax}) {
    return too_large(FormatBytes(about.st_size));
  }
  std::string bytes;
  char buffer[65536];
  while (const size_t count = std::fread(buffer, 1, sizeof buffer, file)) {
    bytes.append(buffer, count);
    if (bytes.size() >= kFileBytesMax) return too_large("64 MiB or more");
  }
  if (std::ferror(file)) return unreadable(errno);
  return bytes;
}

void WarnOfUnreadInput(const SubmitArguments& arguments) {
  if (!arguments.payload.empty() || !arguments.files.empty() || !arguments.files_from.empty()) return;
  struct stat about {};
  if (fstat(STDIN_FILENO, &about) != 0) return;
  int waiting = 0;
  const bool pipe = S_ISFIFO(about.st_mode) && ioctl(STDIN_FILENO, FIONREAD, &waiting) == 0 && waiting > 0;
  // stdin is a file that is not at its beginning: it is the input of a loop around this command (`while read`).
  const bool file = S_ISREG(about.st_mode) && about.st_size > 0 && lseek(STDIN_FILENO, 0, SEEK_CUR) == 0;
  if (!pipe && !file) return;
  std::fputs("millrace: stdin was not read, and the job has no payload; `--file -` makes stdin the payload\n", stderr);
}

Result<std::vector<std::string>> FilesOf(const SubmitArguments& arguments) {
  std::vector<std::string> files = arguments.files;
  if (arguments.files_from.empty()) return files;
  const Result<std::string> text = ReadFile(arguments.files_from);
  if (!text.ok()) return text.status();
  std::string_view rest = *text;
  if (rest.starts_with("\xff\xfe") || rest.starts_with("\xfe\xff")) {
    return InvalidArgument("BAD_ARGUMENT", "--files-from: " + arguments.files_from + " is in UTF-16; save it as UTF-8");
  }
  if (rest.starts_with("\xef\xbb\xbf")) rest.remove_prefix(3);
  while (!rest.empty()) {
    const size_t end = rest.find('\n');
    std::string_view line = rest.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (!line.empty()) files.emplace_back(line);
    if (end == std::string_view::npos) break;
    rest.remove_prefix(end + 1);
  }
  return files;
}

}  // namespace millrace::cli
