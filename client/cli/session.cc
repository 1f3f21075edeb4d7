#include "client/cli/session.h"

#include <algorithm>
#include <cstdio>

#include "client/cli/suggest.h"
#include "client/cli/units.h"

namespace millrace::cli {
namespace {

using std::chrono::milliseconds;

// What a person can do about it; empty when the message says it all.
std::string Advice(const Status& status) {
  if (status.reason() == "UNREACHABLE") {
    return "start it with `millraced`, or say where it is with --address HOST:PORT or MILLRACE_ADDRESS";
  }
  if (status.reason() == "BAD_ADDRESS") return "for instance --address 127.0.0.1:7070";
  if (status.reason() == "DEADLINE") return "give it more with --timeout";
  if (status.code() == StatusCode::kResourceExhausted) {
    const auto delay = status.retry_delay();
    return "try again" + (delay ? " in " + FormatDuration(*delay) : std::string(" later")) +
           ", or wait for room with --on-full wait";
  }
  if (status.reason() == "JOB_NOT_FOUND") return "`millrace jobs list` shows the jobs that are kept";
  return "";
}

}  // namespace

void Print(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); }

void PrintLine(std::string_view line) {
  Print(line);
  std::fputc('\n', stdout);
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
  Result<std::unique_ptr<client::Client>> client = client::Client::Connect(options_.address, client_options);
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
  std::fprintf(stderr, "%s\n", text.c_str());
  return FromStatus(status);
}

ExitCode Session::FailSubmit(const Status& status, const v1::JobSpec& spec) {
  const ExitCode code = Fail(status);
  const bool kind = status.reason() == "KIND_NOT_FOUND";
  if (!kind && status.reason() != "POOL_NOT_FOUND") return code;
  const Result<v1::ListPoolsResponse> pools = client_->Pools(Call());
  if (!pools.ok()) return code;

  std::vector<std::string> known;
  for (const v1::Pool& pool : pools->pools()) {
    if (kind) {
      known.insert(known.end(), pool.kinds().begin(), pool.kinds().end());
    } else {
      known.push_back(pool.name());
    }
  }
  std::sort(known.begin(), known.end());
  known.erase(std::unique(known.begin(), known.end()), known.end());
  if (known.empty()) return code;

  std::string text;
  if (const std::string nearest = Nearest(kind ? spec.kind() : spec.pool(), known); !nearest.empty()) {
    text += "  did you mean '" + nearest + "'?";
  }
  if (status.message().find("'" + known.front() + "'") == std::string::npos) {
    text += kind ? "  known kinds:" : "  known pools:";
    for (const std::string& name : known) text += " " + name;
  }
  if (!text.empty()) std::fprintf(stderr, "%s\n", text.c_str());
  return code;
}

}  // namespace millrace::cli
