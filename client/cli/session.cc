#include "client/cli/session.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <regex>
#include <string_view>

#include "base/suggest.h"
#include "client/call_metadata.h"
#include "client/cli/units.h"

namespace millrace::cli {
namespace {

using std::chrono::milliseconds;

// What a person can do about the error; empty when the message says it already.
std::string Advice(const Status& status) {
  if (status.reason() == "UNREACHABLE") {
    return "start it with `millraced`, or say where it is with --address HOST[:PORT] or MILLRACE_ADDRESS";
  }
  if (status.reason() == "BAD_ADDRESS") return "for instance --address 127.0.0.1:7070";
  if (status.reason() == "DEADLINE") return "give it more with --timeout";
  if (status.code() == StatusCode::kResourceExhausted) {
    const auto delay = status.retry_delay();
    const bool full = status.reason() == "QUEUE_FULL" || status.reason() == "PROCESS_FULL";
    if (!delay && !full) return "";  // Nothing says that a later try would succeed.
    return "try again" + (delay ? " in " + FormatDuration(*delay) : std::string(" later")) +
           (full ? ", or wait for room with --on-full wait" : "");
  }
  if (status.reason() == "JOB_NOT_FOUND") return "`millrace jobs list` shows the jobs that are kept";
  return "";
}

// The trace that this process is part of, as programs hand it to each other; a job of Millrace has it in these
// variables too. The daemon leaves out what is malformed; what could not be sent is left out here.
void AddTrace(std::vector<std::pair<std::string, std::string>>* metadata) {
  struct {
    const char* variable;
    const char* name;
    size_t bytes_max;  // All metadata of a call may be 16 KiB.
  } constexpr kParts[] = {
      {"TRACEPARENT", "traceparent", 256}, {"TRACESTATE", "tracestate", 4096}, {"BAGGAGE", "baggage", 8192}};
  for (const auto& part : kParts) {
    const char* const text = getenv(part.variable);
    const std::string_view value = text != nullptr ? text : "";
    if (value.empty() || value.size() > part.bytes_max) continue;
    if (client::CheckMetadata({{part.name, std::string(value)}}).ok()) metadata->emplace_back(part.name, value);
  }
}

std::vector<std::string> NamesOf(const v1::ListPoolsResponse& pools, bool kinds) {
  std::vector<std::string> names;
  for (const v1::Pool& pool : pools.pools()) {
    if (kinds) {
      names.insert(names.end(), pool.kinds().begin(), pool.kinds().end());
    } else {
      names.push_back(pool.name());
    }
  }
  return names;
}

}  // namespace

std::optional<std::string> WantedBy(const std::string& filter, const std::string& field) {
  // Finds the whole word `field` outside of quotes: before it there is an even number of quotes.
  const std::regex term("(^|[\\s(])" + field + "\\s*=\\s*(\"([^\"\\\\]*)\"|([A-Za-z0-9._-]+))");
  for (std::sregex_iterator at(filter.begin(), filter.end(), term), end; at != end; ++at) {
    const std::string before = filter.substr(0, static_cast<size_t>(at->position()));
    if (std::count(before.begin(), before.end(), '"') % 2 != 0) continue;
    return (*at)[3].matched ? (*at)[3].str() : (*at)[4].str();
  }
  return std::nullopt;
}

Status Session::Open(client::ClientOptions client_options) {
  if (!options_.timeout.empty()) {
    const auto timeout = ParseDuration(options_.timeout);
    if (!timeout || timeout->count() == 0) {
      return InvalidArgument("BAD_TIMEOUT",
                             "--timeout: '" + options_.timeout + "' is not a time like 500ms, 30s or 5m");
    }
    deadline_ = std::chrono::steady_clock::now() + std::min<nanoseconds>(*timeout, std::chrono::hours(24 * 365));
  }
  AddTrace(&client_options.metadata);
  Result<std::unique_ptr<client::Client>> client = client::Client::Connect(options_.address, std::move(client_options));
  if (!client.ok()) return client.status();
  client_ = std::move(*client);
  return OkStatus();
}

std::optional<milliseconds> Session::TimeLeft() const {
  if (!deadline_) return std::nullopt;
  return std::max(milliseconds(0),
                  std::chrono::duration_cast<milliseconds>(*deadline_ - std::chrono::steady_clock::now()));
}

client::CallOptions Session::Call(bool unlimited) const {
  client::CallOptions call;
  call.stop = interrupt_.token();
  call.deadline = TimeLeft();
  if (!call.deadline && unlimited) call.deadline = milliseconds(-1);
  return call;
}

ExitCode Session::Fail(const Status& status) {
  if (status.reason() == "INTERRUPTED" && interrupted()) {
    std::fputs("millrace: interrupted\n", stderr);
    return ExitCode::kInterrupted;
  }
  std::string text = "millrace: " + (status.message().empty() ? status.ToString() : status.message());
  const bool about_field = status.code() == StatusCode::kInvalidArgument && !status.field().empty();
  if (about_field && text.find(status.field()) == std::string::npos) text += " (field " + status.field() + ")";
  if (const std::string advice = Advice(status); !advice.empty()) text += "\n  " + advice;
  std::fprintf(stderr, "%s\n", PrintableLines(text).c_str());
  return FromStatus(status);
}

ExitCode Session::FailWait(const Status& status, const v1::SubmitJobResponse& accepted) {
  const std::string id = Printable(accepted.id());
  if (status.code() == StatusCode::kNotFound) {
    const char* why = accepted.existing() ? "was submitted before, ended, and was forgotten"
                                          : "is not known any more: it ended and was forgotten, or the daemon lost it";
    std::fprintf(stderr, "millrace: job %s %s; there is no result to show\n", id.c_str(), why);
    return ExitCode::kNotFound;
  }
  if (status.code() == StatusCode::kDeadlineExceeded || interrupted()) {
    std::fprintf(stderr, "millrace: job %s goes on; see it with: millrace jobs get %s\n", id.c_str(), id.c_str());
  } else {
    std::fprintf(stderr, "millrace: job %s was accepted, and what becomes of it is not known: millrace jobs get %s\n",
                 id.c_str(), id.c_str());
  }
  return Fail(status);
}

ExitCode Session::FailSubmit(const Status& status, const v1::JobSpec& spec) {
  const ExitCode code = Fail(status);
  const bool kind = status.reason() == "KIND_NOT_FOUND";
  if (!kind && status.reason() != "POOL_NOT_FOUND") return code;
  const Result<v1::ListPoolsResponse> pools = client_->Pools(Call());
  if (!pools.ok()) return code;

  const std::string text =
      Known(kind ? "kinds" : "pools", kind ? spec.kind() : spec.pool(), NamesOf(*pools, kind), status.message());
  if (!text.empty()) std::fprintf(stderr, "%s\n", PrintableLines(text).c_str());
  return code;
}

std::string Session::Known(std::string_view what, std::string_view word, std::vector<std::string> known,
                           std::string_view said) {
  std::sort(known.begin(), known.end());
  known.erase(std::unique(known.begin(), known.end()), known.end());
  if (known.empty()) return "";
  std::string text;
  if (const std::string nearest = Nearest(word, known); !nearest.empty()) text += "  did you mean '" + nearest + "'?";
  if (said.find("'" + known.front() + "'") == std::string_view::npos) {
    text += "  known " + std::string(what) + ":";
    for (const std::string& name : known) text += " " + name;
  }
  return text;
}

ExitCode Session::CheckNames(const std::string& filter) {
  Result<v1::ListPoolsResponse> pools = InvalidArgument("", "");
  for (const bool kind : {false, true}) {
    const std::optional<std::string> word = WantedBy(filter, kind ? "kind" : "pool");
    if (!word) continue;
    if (!pools.ok()) pools = client_->Pools(Call());
    if (!pools.ok()) return ExitCode::kOk;
    const std::vector<std::string> known = NamesOf(*pools, kind);
    if (std::find(known.begin(), known.end(), *word) != known.end()) continue;
    const std::string text = "millrace: the daemon has no " + std::string(kind ? "kind" : "pool") + " '" + *word +
                             "'\n" + Known(kind ? "kinds" : "pools", *word, known, "");
    std::fprintf(stderr, "%s\n", PrintableLines(text).c_str());
    return ExitCode::kNotFound;
  }
  return ExitCode::kOk;
}

}  // namespace millrace::cli
