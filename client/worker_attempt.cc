#include <algorithm>
#include <exception>
#include <utility>

#include "client/client_state.h"
#include "client/errors.h"
#include "client/worker_state.h"

namespace millrace::client {

// ---- What a handler says of its attempt
void Worker::State::Held::SetProgress(double fraction, std::string message) {
  std::lock_guard guard(state.mutex);
  if (dropped) return;
  v1::Progress& progress = *state.OutputOf(*this).mutable_progress();
  progress.set_fraction(fraction);
  progress.set_message(ToText(std::move(message)));
}

void Worker::State::Held::Log(std::string_view bytes) {
  std::unique_lock guard(state.mutex);
  // A handler that says more than the connection takes waits for it.
  state.rest.wait(guard, [&] { return state.log_bytes < kLogBytesMax || source.stop_requested(); });
  if (dropped || state.log_bytes >= kLogBytesMax) return;
  if (bytes.size() > kLogBytesMax) bytes = bytes.substr(bytes.size() - kLogBytesMax);
  state.OutputOf(*this).mutable_log()->append(bytes);
  state.log_bytes += bytes.size();
}

Status Worker::State::Held::SaveCheckpoint(std::string bytes) {
  if (bytes.size() > kCheckpointBytesMax) {
    return InvalidArgument("CHECKPOINT_TOO_LARGE",
                           "the checkpoint has " + std::to_string(bytes.size()) +
                               " bytes, and 64 KiB is the limit; store it elsewhere and save a reference")
        .With("bytes", static_cast<int64_t>(bytes.size()))
        .With("limit", static_cast<int64_t>(kCheckpointBytesMax));
  }
  std::lock_guard guard(state.mutex);
  if (!state.daemon.keeps_checkpoints) return state.daemon.CheckpointError();
  if (dropped || end) return OkStatus();
  saved = std::move(bytes);
  state.SaveLater(*this);
  return OkStatus();
}

// ---- Under the mutex
v1::AttemptOutput& Worker::State::OutputOf(Held& attempt) {
  if (attempt.place < 0) {
    attempt.place = outbox.outputs_size();
    *outbox.add_outputs()->mutable_ref() = attempt.its.ref();
    shown.push_back(&attempt);
    write.notify_one();
  }
  return *outbox.mutable_outputs(attempt.place);
}

void Worker::State::CloseOutput(Held& attempt) {
  if (attempt.place < 0) return;
  std::erase(shown, &attempt);
  attempt.place = -1;
}

void Worker::State::CloseOutputs() {
  for (Held* each : shown) each->place = -1;
  shown.clear();
  log_bytes = 0;
  rest.notify_all();  // Whoever waits for room in the log.
}

void Worker::State::SaveLater(Held& attempt) {
  if (std::exchange(attempt.save_is_due, true)) return;
  to_save.push_back(KeyOf(attempt.its.ref()));
  write.notify_one();
}

Worker::State::HeldMap::iterator Worker::State::Drop(HeldMap::iterator at) {
  Held& attempt = *at->second;
  attempt.dropped = true;
  CloseOutput(attempt);
  to_stop.push_back(attempt.source);
  rest.notify_all();
  write.notify_one();
  return held.erase(at);
}

void Worker::State::Drop(const v1::AttemptRef& ref) {
  if (auto found = held.find(KeyOf(ref)); found != held.end()) Drop(found);
}

// Without the mutex: whatever a handler does when it is told to stop may come back here.
void Worker::State::StopThem(std::unique_lock<std::mutex>& guard) {
  std::vector<std::stop_source> sources;
  sources.swap(to_stop);
  if (sources.empty()) return;
  guard.unlock();
  for (std::stop_source& each : sources) each.request_stop();
  guard.lock();
  rest.notify_all();
}

int64_t Worker::State::SlotsOf(const std::string& kind) const {
  const auto found = kinds.find(kind);
  return found == kinds.end() ? 1 : std::max(1, found->second.settings.slots);
}

void Worker::State::Take(const std::string& kind, int times) {
  taken += times * SlotsOf(kind);
  if (const auto found = kinds.find(kind); found != kinds.end()) found->second.runs += times;
}

// ---- The threads of handlers
void Worker::State::Work() {
  std::unique_lock guard(mutex);
  for (;;) {
    work.wait(guard, [&] { return !queue.empty() || over; });
    if (queue.empty()) return;
    std::shared_ptr<Held> next = std::move(queue.front());
    queue.pop_front();
    if (!next->dropped) {
      guard.unlock();
      std::optional<v1::AttemptEnd> end = EndOf(*next);
      guard.lock();
      CloseOutput(*next);
      if (!next->dropped && end) {
        next->end = *std::move(end);
        to_tell.push_back(KeyOf(next->its.ref()));
      }
    }
    Take(next->its.kind(), -1);
    write.notify_one();
    rest.notify_all();
  }
}

std::optional<v1::AttemptEnd> Worker::State::EndOf(Held& attempt) {
  Outcome outcome;
  try {
    if (const Status fetched = FetchPayload(attempt); !fetched.ok()) {
      outcome = Outcome::Failure("cannot read the payload: " + fetched.message());
    } else {
      outcome = kinds.at(attempt.its.kind()).handler(attempt);
    }
  } catch (const std::exception& error) {
    outcome = Outcome::Failure(error.what());
  } catch (...) {
    outcome = Outcome::Failure("the handler threw something that is no std::exception");
  }
  int64_t result_bytes_max = 0;
  {
    std::lock_guard guard(mutex);
    result_bytes_max = daemon.result_bytes_max;
  }
  const auto size = static_cast<int64_t>(outcome.result.size());
  const bool large = outcome.succeeded && outcome.result.size() > kMessageResultBytesMax;
  if (large && size <= result_bytes_max) return WriteResult(attempt, outcome.result);
  return ToEnd(std::move(outcome), attempt.its.ref(), result_bytes_max);
}

// OK: the lease has its payload. Else what the attempt fails with, unless it was dropped meanwhile.
Status Worker::State::FetchPayload(Held& attempt) {
  if (attempt.its.payload_bytes() <= 0 || !attempt.its.payload().empty()) return OkStatus();
  constexpr milliseconds kFetchPauseMost{5'000};
  for (milliseconds pause = kPauseLeast;; pause = std::min(2 * pause, kFetchPauseMost)) {
    Result<std::string> payload = ReadPayload(attempt);
    const bool again =
        payload.status().code() == StatusCode::kUnavailable || payload.status().reason() == "SERVER_BUSY";
    const auto unwanted = [&] { return attempt.dropped || attempt.source.stop_requested(); };
    std::unique_lock guard(mutex);
    if (payload.status().reason() == "LEASE_LOST") Drop(attempt.its.ref());
    if (again) rest.wait_for(guard, pause, unwanted);
    if (unwanted()) {
      // After a stop of the worker it is given back: nothing of it was done, so it has not failed.
      if (give_up) Drop(attempt.its.ref());
      return Cancelled("INTERRUPTED", "the attempt was stopped before");
    }
    if (payload.ok()) {
      attempt.its.set_payload(*std::move(payload));
      return OkStatus();
    }
    if (!again) return payload.status();
  }
}

Result<std::string> Worker::State::ReadPayload(Held& attempt) {
  std::shared_ptr<v1::WorkerService::Stub> at;
  {
    std::lock_guard guard(mutex);
    at = stub;
  }
  const auto size = static_cast<size_t>(attempt.its.payload_bytes());
  grpc::ClientContext context;
  // No deadline: the connection finds out that a daemon is gone, and an attempt whose time is over is stopped.
  client.state().Begin(context, milliseconds(-1));
  std::stop_callback cancel(attempt.stop(), [&context] { context.TryCancel(); });
  v1::ReadPayloadRequest request;
  *request.mutable_ref() = attempt.its.ref();
  const auto reader = at->ReadPayload(&context, request);
  std::string bytes;
  bytes.reserve(std::min<size_t>(size, kReceiveBytesMax));
  for (v1::ReadPayloadResponse part; reader->Read(&part);) bytes += part.data();
  const Status status = FromGrpc(reader->Finish(), client.address(), attempt.source.stop_requested());
  if (!status.ok()) return status;
  if (bytes.size() != size) {
    return Internal("PAYLOAD_CUT",
                    "the daemon sent " + std::to_string(bytes.size()) + " bytes of " + std::to_string(size));
  }
  return bytes;
}

}  // namespace millrace::client
