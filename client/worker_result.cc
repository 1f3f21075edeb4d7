// The end of an attempt whose result no message holds.
#include <algorithm>
#include <string>
#include <utility>

#include "client/client_state.h"
#include "client/errors.h"
#include "client/worker_state.h"

namespace millrace::client {

// A call that was cut off is repeated from its beginning for as long as the attempt is the worker's. What the handler
// showed is written before, as nothing is added to an attempt that has ended; that it also arrives before is all but
// sure, since the result is large.
std::optional<v1::AttemptEnd> Worker::State::WriteResult(Held& attempt, const std::string& result) {
  constexpr milliseconds kPauseLongest{5'000};
  const v1::AttemptRef& ref = attempt.its.ref();
  const auto unwanted = [&] { return attempt.dropped || attempt.source.stop_requested(); };
  {
    std::unique_lock guard(mutex);
    rest.wait(guard, [&] { return unwanted() || (attempt.place < 0 && !attempt.save_is_due); });
    const int64_t shown_in = composed;
    ++results_wait;
    rest.wait(guard, [&] { return unwanted() || written >= shown_in; });
    --results_wait;
  }
  for (milliseconds pause = kPauseLeast;; pause = std::min(2 * pause, kPauseLongest)) {
    const Status status = SendResult(attempt, result);
    const bool again = status.code() == StatusCode::kUnavailable || status.code() == StatusCode::kCancelled ||
                       status.code() == StatusCode::kDeadlineExceeded || status.reason() == "SERVER_BUSY";
    std::unique_lock guard(mutex);
    if (again) rest.wait_for(guard, pause, unwanted);
    if (status.ok() || !held.contains(KeyOf(ref))) {
      held.erase(KeyOf(ref));
      return std::nullopt;
    }
    if (attempt.source.stop_requested()) {
      // After a stop of the worker it is given back; else its end was decided when it was stopped.
      if (give_up) Drop(ref);
      guard.unlock();
      return ToEnd(Outcome::Failure("stopped while its result was written"), ref);
    }
    if (status.reason() == "LEASE_LOST") {
      Drop(ref);
      return std::nullopt;
    }
    if (!again) {
      Outcome failure = Outcome::Failure("cannot write the result: " + status.message());
      failure.do_not_retry = status.reason() == "RESULT_TOO_LARGE";
      return ToEnd(std::move(failure), ref);
    }
  }
}

Status Worker::State::SendResult(Held& attempt, const std::string& result) {
  constexpr size_t kPieceBytes = size_t{256} << 10;
  std::shared_ptr<v1::WorkerService::Stub> at;
  {
    std::lock_guard guard(mutex);
    at = stub;
  }
  grpc::ClientContext context;
  // No deadline: the connection finds out that a daemon is gone, and an attempt whose time is over is stopped.
  client.state().Begin(context, milliseconds(-1));
  std::stop_callback cancel(attempt.stop(), [&context] { context.TryCancel(); });
  v1::WriteResultResponse response;
  const auto writer = at->WriteResult(&context, &response);
  v1::WriteResultRequest piece;
  *piece.mutable_ref() = attempt.its.ref();
  piece.set_bytes(static_cast<int64_t>(result.size()));
  bool open = writer->Write(piece);
  piece.Clear();
  for (size_t sent = 0; open && sent < result.size(); sent += kPieceBytes) {
    piece.set_data(result.data() + sent, std::min(kPieceBytes, result.size() - sent));
    open = writer->Write(piece);  // Else Finish says why.
  }
  writer->WritesDone();
  return FromGrpc(writer->Finish(), client.address(), attempt.source.stop_requested());
}

}  // namespace millrace::client
