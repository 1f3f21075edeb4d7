#include "rpc/write_result.h"

#include <atomic>
#include <chrono>
#include <string>
#include <utility>

#include "dispatch/leases.h"
#include "millrace/v1/worker_service.pb.h"
#include "rpc/wire.h"
#include "rpc/work_convert.h"
#include "sync/cancel.h"
#include "sync/wait_group.h"

namespace millrace::rpc {
namespace {

// Clients send some 256 KiB in a message, and need no more than this.
constexpr size_t kMessageBytesMax = size_t{1} << 20;

Status BadResult(const char* field, const std::string& what) {
  return InvalidArgument("BAD_RESULT", what).Field(field);
}

// What dispatch answers, for the fiber that waits.
class End final : public dispatch::VerbCall {
 public:
  End() { waits_.Add(1); }

  // `interrupted`: nobody waits for the call any more.
  Status Await(dispatch::Dispatcher& dispatcher, const sync::CancelToken& interrupted) {
    if (!waits_.TryWait({.cancel = interrupted})) {
      if (dispatcher.Abandon(this)) return interrupted.reason();
      waits_.Wait();  // It is being answered.
    }
    return status;
  }

 private:
  void Done() override { waits_.Done(); }

  sync::WaitGroup waits_;
};

// One thing at a time, a read or a fiber. Whoever does the next one ends the call instead where there is a reason.
class ResultWrite final : public WriteResultReactor, public OpenCalls::Call, public Unsent::Entry {
 public:
  ResultWrite(const Backend& backend, grpc::CallbackServerContext* context, grpc::ByteBuffer* response)
      : backend_(backend), context_(context), response_(response), call_(backend, Method::kWriteResult, context) {}

  void Start() {
    if (Status status = call_.Enter(kCallBytes); !status.ok()) return Finish(call_.End(status));
    Read();
    backend_.open_calls.Add(this);
  }

  void OnClosing() override {
    interrupted_.Cancel(ClosingStatus());
    if (reads_.load()) context_->TryCancel();  // A worker that is silent just now does not hold up the stop.
  }

 private:
  void OnCancel() override { interrupted_.Cancel(GoneStatus()); }
  void Cut() override { context_->TryCancel(); }

  void Read() {
    reads_.store(true);
    // After the store, as OnClosing looks at it after its Cancel: one of the two sees the other.
    if (const sync::CancelToken interrupted = interrupted_.token(); interrupted.cancelled()) {
      reads_.store(false);
      return Answer(interrupted.reason());
    }
    backend_.unsent.Add(this, std::chrono::steady_clock::now());
    StartRead(&piece_);
  }

  void OnReadDone(bool ok) override {
    backend_.unsent.Remove(this);
    reads_.store(false);
    const sync::CancelToken interrupted = interrupted_.token();
    if (interrupted.cancelled()) return Answer(interrupted.reason());
    if (!ok) return context_->IsCancelled() ? Answer(GoneStatus()) : AllRead();
    const size_t length = piece_.Length();
    if (Status status = Take(); !status.ok()) return Answer(status);
    if (first_) {
      first_ = false;
      call_.Settle(kCallBytes + 2 * length);  // The message, and its bytes.
      return OnFiber(backend_, [this] { Begin(); });
    }
    Add();
  }

  // The piece, into message_.
  Status Take() {
    if (const size_t bytes = piece_.Length(); bytes > kMessageBytesMax) {
      return InvalidArgument("MESSAGE_TOO_LARGE", "a message has " + std::to_string(bytes) +
                                                      " bytes, and 1 MiB is the limit; send pieces of 256 KiB");
    }
    MR_RETURN_IF_ERROR(Parse(&piece_, &message_));
    if (!first_) return OkStatus();
    auto ref = TakeRef(message_.ref(), "ref");
    if (!ref.ok()) return ref.status();
    ref_ = *ref;
    bytes_ = message_.bytes();
    if (bytes_ < 0) return BadResult("bytes", "bytes is " + std::to_string(bytes_) + "; it is the size of the result");
    timings_ = TimingsOf(message_.timings());
    return OkStatus();
  }

  // ---- On a fiber
  void Begin() {
    backend_.reads.Acquire();
    auto awaits = backend_.dispatcher.leases().AwaitsResult(ref_, bytes_);
    backend_.reads.Release();
    if (!awaits.ok()) return Answer(awaits.status());
    if (!*awaits) {
      End end;
      backend_.dispatcher.AwaitEnd(&end);
      return Answer(end.Await(backend_.dispatcher, interrupted_.token()));
    }
    if (!call_.TryHold(static_cast<size_t>(bytes_) + kMessageBytesMax)) return Answer(BusyStatus(backend_.lasting));
    result_.reserve(static_cast<size_t>(bytes_));
    Add();
  }

  void Write() {
    const Bytes result = result_.empty() ? nullptr : MakeBytes(std::move(result_));
    End end;
    backend_.changes.Acquire();
    backend_.dispatcher.WriteResult(ref_, result, timings_, &end);
    backend_.changes.Release();
    Answer(end.Await(backend_.dispatcher, interrupted_.token()));
  }

  // ---- Anywhere
  void Add() {
    if (static_cast<int64_t>(result_.size() + message_.data().size()) > bytes_) {
      return Answer(BadResult(
          "data", "the pieces have more than the " + std::to_string(bytes_) + " bytes that the first message says"));
    }
    result_ += message_.data();
    Read();
  }

  void AllRead() {
    if (first_) return Answer(BadResult("data", "the call has no message; the first one says which attempt it is"));
    if (static_cast<int64_t>(result_.size()) < bytes_) {
      return Answer(BadResult("data", "the pieces have " + std::to_string(result_.size()) +
                                          " bytes, and the first message says " + std::to_string(bytes_)));
    }
    OnFiber(backend_, [this] { Write(); });
  }

  // Whoever does not take the answer is cut, and holds no result meanwhile.
  void Answer(const Status& status) {
    if (status.ok()) Serialize(v1::WriteResultResponse(), response_);
    result_ = std::string();
    call_.Settle(kCallBytes);
    backend_.unsent.Add(this, std::chrono::steady_clock::now());
    Finish(call_.End(status));
  }

  static Status GoneStatus() {
    return Cancelled("CALL_CANCELLED", "the worker cancelled the call, went away, or sent nothing for too long");
  }

  void OnDone() override {
    backend_.open_calls.Remove(this);
    backend_.unsent.Remove(this);
    call_.LetGo();
    delete this;
  }

  const Backend& backend_;
  grpc::CallbackServerContext* const context_;
  grpc::ByteBuffer* const response_;
  RpcCall call_;
  sync::CancelSource interrupted_;

  std::atomic<bool> reads_{false};
  bool first_ = true;  // No message was read yet.
  grpc::ByteBuffer piece_;
  v1::WriteResultRequest message_;
  dispatch::LeaseRef ref_;
  int64_t bytes_ = 0;
  AttemptTimings timings_;
  std::string result_;
};

}  // namespace

WriteResultReactor* StartWriteResult(const Backend& backend, grpc::CallbackServerContext* context,
                                     grpc::ByteBuffer* response) {
  auto* write = new ResultWrite(backend, context, response);
  write->Start();
  return write;
}

}  // namespace millrace::rpc
