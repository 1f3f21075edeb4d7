// RpcCall: one rpc from its arrival to its end. Whatever way it is answered (at once, on a fiber, by dispatch, as a
// stream), it comes in and goes out through this, so what holds for every rpc is written once.
//
//   Enter     First of all: before it nothing of the request is parsed and nothing is done for the call. Refuses one
//             for which there is no room, one with too much metadata, and one that the Door refuses (door.h), which is
//             where identity will be checked.
//   End       Last of all. An OK answer to a call that has not entered is a bug of ours, and stops the process.
//   Holds     What the call keeps in memory, against one budget of all calls. A call that may last as long as its
//             client likes takes from a part of it, so that others get through however many of those there are.
//   Threads   One at a time.
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/status.h>

#include <chrono>
#include <string>

#include "base/budget.h"
#include "base/status.h"
#include "dispatch/dispatcher.h"
#include "rpc/call_stats.h"
#include "rpc/door.h"
#include "rpc/method.h"
#include "rpc/open_calls.h"
#include "rpc/unsent.h"
#include "runtime/runtime.h"
#include "sync/semaphore.h"

namespace millrace::rpc {

// Jobs are read from the disk, or changed there, for so many calls at a time; a job that is read is in memory up to
// four times.
inline constexpr int kReadsAtOnce = 32;
inline constexpr int kChangesAtOnce = 32;
// What gRPC and we need for any call.
inline constexpr size_t kCallBytes = 8 << 10;
// The part of the budget that calls that last may hold.
inline constexpr size_t LastingBytes(size_t call_bytes_max) { return call_bytes_max / 2; }

// What every service works with; all of it outlives the server, and `runtime` runs until the server has stopped.
struct Backend {
  rt::Runtime& runtime;
  dispatch::Dispatcher& dispatcher;
  CallStats& stats;
  OpenCalls& open_calls;
  Unsent& unsent;
  Budget& budget;
  Budget& lasting;           // The part of `budget` for calls that last (method.h).
  sync::Semaphore& reads;    // kReadsAtOnce
  sync::Semaphore& changes;  // kChangesAtOnce
  size_t metadata_bytes_max;
  Door door;
  Durability durability;        // What the journal promises; every acknowledgement names it,
  std::string durability_word;  // and so do the trailers of every answer.
};

// The trailer that says what an answer is worth; see job.proto.
inline constexpr const char kDurabilityTrailer[] = "millrace-durability";

class RpcCall {
 public:
  using Time = std::chrono::steady_clock::time_point;

  RpcCall(const Backend& backend, Method method, grpc::CallbackServerContext* context)
      : backend_(backend),
        info_(InfoOf(method)),
        context_(context),
        start_(std::chrono::steady_clock::now()),
        share_(info_.lasts ? backend.lasting : backend.budget),
        answer_(backend.budget) {}
  RpcCall(const RpcCall&) = delete;
  RpcCall& operator=(const RpcCall&) = delete;

  // To be called once. `bytes`: what the call will hold, its request included. RESOURCE_EXHAUSTED SERVER_BUSY or
  // METADATA_TOO_LARGE, or what the door says.
  Status Enter(size_t bytes);

  // Counts more memory for the call, beside its answer. False: there is no room.
  [[nodiscard]] bool TryHold(size_t bytes) { return share_.TryTake(bytes); }
  // What the call holds beside its answer is so much by now, also beyond the budget: for what is small and cannot be
  // refused any more.
  void Settle(size_t bytes) { share_.Settle(bytes); }

  // The answer, which does not last, whatever the call. TryHoldAnswer also keeps room for the answer of a change before
  // it is begun; HoldAnswer is then told its size, and never refuses.
  [[nodiscard]] bool TryHoldAnswer(size_t bytes) { return answer_.TryTake(bytes); }
  void HoldAnswer(size_t bytes) { answer_.Settle(bytes); }

  // Gives back what the call holds. When a call that did so is deleted, the server may be gone.
  void LetGo() {
    share_.Release();
    answer_.Release();
  }

  // Gives what to Finish with, which comes next; counts the call and sets its trailers. To be called once.
  grpc::Status End(const Status& status, Time now);
  grpc::Status End(const Status& status) { return End(status, std::chrono::steady_clock::now()); }

  const MethodInfo& info() const { return info_; }

 private:
  const Backend& backend_;
  const MethodInfo& info_;
  grpc::CallbackServerContext* const context_;
  const Time start_;
  BudgetShare share_, answer_;
  bool entered_ = false;
};

}  // namespace millrace::rpc
