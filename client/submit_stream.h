// SubmitStream: many submits over one stream, which is the fastest way to submit.
//
//   Window    At most `window` items are unanswered; Submit waits for answers beyond that. Choose it so that window /
//             rate is a few round trips; more only hides a full pool for longer.
//   Answers   `on_answer` is called exactly once for each accepted Submit, in any order, on the stream's own thread. It
//             may call Submit only when it knows that the window has room. When the stream breaks, everything
//             unanswered is answered with the stream's Status: those items may or may not have been accepted, which a
//             request_id of their own settles.
//   Threads   Submit from any thread. Finish, once, from one.
//   Full pool Give items on_full: ON_FULL_WAIT: the server then stops reading, the window fills and Submit waits, so
//             that memory stays flat on both sides. With REJECT an item that finds no room is answered with QUEUE_FULL.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>

#include "base/status.h"
#include "client/client.h"

namespace millrace::client {

enum class Flush {
  kNow,  // Send at once.
  // More items follow at once: this one may stay in the buffer until a kNow, a full window or Finish. It saves a system
  // call for each item.
  kLater,
};

struct SubmitStreamOptions {
  int window = 256;
  std::optional<std::chrono::milliseconds> deadline;  // For the whole stream. Unset: none.
  std::stop_token stop;                               // Breaks the stream.
};

class SubmitStream {
 public:
  using OnAnswer = std::function<void(int64_t sequence, const Result<v1::SubmitJobResponse>& answer)>;

  SubmitStream(Client& client, OnAnswer on_answer, SubmitStreamOptions options = {});
  ~SubmitStream();  // Breaks the stream if Finish was not called; every item has its answer afterwards.
  SubmitStream(const SubmitStream&) = delete;
  SubmitStream& operator=(const SubmitStream&) = delete;

  // Gives the sequence of the item, counted from 0. Once the stream is broken it fails, and no answer follows.
  Result<int64_t> Submit(v1::SubmitJobRequest request, Flush flush = Flush::kNow);

  // Waits for the answers that are still to come. OK: every item had an answer from the server.
  Status Finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace millrace::client
