#include "client/submit_stream.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <unordered_set>
#include <utility>

#include "client/client_state.h"
#include "client/errors.h"

namespace millrace::client {

struct SubmitStream::State {
  std::string address;
  OnAnswer on_answer;
  size_t window;
  // A waiting Submit wakes when no more than these are unanswered: for a quarter of the window and not for each answer.
  size_t wake_at;

  grpc::ClientContext context;
  std::unique_ptr<grpc::ClientReaderWriter<v1::StreamSubmitRequest, v1::StreamSubmitResponse>> stream;
  std::mutex write_mutex;  // gRPC allows one Write at a time.

  std::mutex mutex;
  std::condition_variable changed;
  std::unordered_set<int64_t> unanswered;
  int64_t next = 0;
  bool ended = false;  // What stands below does not change any more.
  Status status;

  std::atomic<bool> stopped{false};  // This side has stopped the stream.
  std::thread reader;
  std::optional<std::stop_callback<std::function<void()>>> cancel;

  void ReadAnswers();
  void Break() {
    stopped = true;
    context.TryCancel();
  }
  bool WindowFull() {
    std::lock_guard lock(mutex);
    return unanswered.size() >= window;
  }
};

void SubmitStream::State::ReadAnswers() {
  v1::StreamSubmitResponse message;
  while (stream->Read(&message)) {
    {
      std::lock_guard lock(mutex);
      if (unanswered.erase(message.sequence()) == 0) continue;  // Not ours, or answered twice: the first one counts.
      if (unanswered.size() == wake_at) changed.notify_all();
    }
    if (message.has_error()) {
      Status error = FromRpcStatus(message.error());
      if (error.ok()) error = Internal("BAD_ANSWER", "the server answered with an error that says OK");
      on_answer(message.sequence(), error);
    } else {
      on_answer(message.sequence(), std::move(*message.mutable_response()));
    }
  }

  Status end = FromGrpc(stream->Finish(), address, stopped);
  std::unordered_set<int64_t> orphans;
  {
    std::lock_guard lock(mutex);
    ended = true;
    orphans.swap(unanswered);
    if (end.ok() && !orphans.empty())
      end = Unavailable("STREAM_ENDED", "the server ended the stream before answering everything");
    status = end;
    changed.notify_all();
  }
  for (const int64_t sequence : orphans) on_answer(sequence, end);
}

SubmitStream::SubmitStream(Client& client, OnAnswer on_answer, SubmitStreamOptions options)
    : state_(std::make_unique<State>()) {
  State& s = *state_;
  s.address = client.address();
  s.on_answer = std::move(on_answer);
  s.window = static_cast<size_t>(std::max(options.window, 1));
  s.wake_at = s.window - std::max<size_t>(s.window / 4, 1);
  client.state().Begin(s.context, options.deadline.value_or(std::chrono::milliseconds(-1)));
  s.stream = client.state().jobs->StreamSubmit(&s.context);
  s.cancel.emplace(options.stop, [&s] { s.Break(); });
  s.reader = std::thread([&s] { s.ReadAnswers(); });
}

SubmitStream::~SubmitStream() {
  if (!state_->reader.joinable()) return;
  state_->Break();
  state_->reader.join();
}

Result<int64_t> SubmitStream::Submit(v1::SubmitJobRequest request, Flush flush) {
  State& s = *state_;
  v1::StreamSubmitRequest message;
  *message.mutable_request() = std::move(request);
  int64_t sequence;
  {
    std::unique_lock lock(s.mutex);
    s.changed.wait(lock, [&s] { return s.ended || s.unanswered.size() < s.window; });
    if (s.ended) return s.status.ok() ? FailedPrecondition("STREAM_ENDED", "the stream has ended") : s.status;
    sequence = s.next++;
    s.unanswered.insert(sequence);
  }
  message.set_sequence(sequence);

  bool written;
  {
    std::lock_guard lock(s.write_mutex);
    // With a full window no item can follow a kLater: it would stay in the buffer, and its answer would never come.
    grpc::WriteOptions how;
    if (flush == Flush::kLater && !s.WindowFull()) how.set_buffer_hint();
    written = s.stream->Write(message, how);
  }
  if (written) return sequence;

  // The call is over. ReadAnswers is about to learn why, and answers this item unless we take it back first.
  std::unique_lock lock(s.mutex);
  if (s.unanswered.erase(sequence) == 0) return sequence;
  s.changed.wait(lock, [&s] { return s.ended; });
  return s.status.ok() ? FailedPrecondition("STREAM_ENDED", "the stream has ended") : s.status;
}

Status SubmitStream::Finish() {
  State& s = *state_;
  {
    std::lock_guard lock(s.write_mutex);
    s.stream->WritesDone();
  }
  if (s.reader.joinable()) s.reader.join();
  return s.status;
}

}  // namespace millrace::client
