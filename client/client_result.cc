#include <algorithm>
#include <chrono>
#include <string>
#include <utility>

#include "client/blocking_call.h"
#include "client/client_state.h"
#include "client/errors.h"
#include "client/outcome.h"

namespace millrace::client {

namespace {

using std::chrono::milliseconds;

// As far as it came, into `bytes`.
Status ReadPieces(Client::State& state, const std::string& id, std::optional<milliseconds> deadline,
                  const std::stop_token& stop, std::string* bytes) {
  grpc::ClientContext context;
  // None unless one is given, as it may be much: the daemon ends a read of which nothing is taken.
  state.Begin(context, deadline.value_or(milliseconds(-1)));
  std::stop_callback cancel(stop, [&context] { context.TryCancel(); });
  v1::ReadResultRequest request;
  request.set_id(id);
  const auto reader = state.jobs->ReadResult(&context, request);
  for (v1::ReadResultResponse piece; reader->Read(&piece);) *bytes += piece.data();
  const Status status = FromGrpc(reader->Finish(), state.address, stop.stop_requested());
  if (status.ok()) state.reached = true;
  return status;
}

}  // namespace

// A result does not change, so what was cut off is read from its beginning again.
Result<std::string> Client::ReadResult(const std::string& id, const CallOptions& call) {
  constexpr milliseconds kPauseLeast{100}, kPauseMost{2'000};
  const TimeLeft left(call.deadline);
  const auto give_up = std::chrono::steady_clock::now() + state_->options.patience;
  for (milliseconds pause = kPauseLeast;; pause = std::min(2 * pause, kPauseMost)) {
    std::string bytes;
    Status status = ReadPieces(*state_, id, left.Get(), call.stop, &bytes);
    if (status.ok()) return bytes;
    const bool again = status.code() == StatusCode::kUnavailable || status.reason() == "SERVER_BUSY";
    if (!again || !state_->reached || std::chrono::steady_clock::now() >= give_up || !Pause(pause, call.stop)) {
      return status;
    }
  }
}

// A daemon that has no large results does not tell a size.
bool LeavesOutResult(const v1::Job& job) {
  return job.result().empty() && job.result_bytes() > static_cast<int64_t>(kMessageResultBytesMax);
}

Result<v1::Job> Client::WithResult(Result<v1::Job> job, const CallOptions& call) {
  if (!job.ok() || !LeavesOutResult(*job)) return job;
  Result<std::string> result = ReadResult(job->id(), call);
  if (!result.ok()) return result.status();
  job->set_result(*std::move(result));
  return job;
}

}  // namespace millrace::client
