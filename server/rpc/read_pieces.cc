#include "rpc/read_pieces.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <string>
#include <utility>

#include "dispatch/leases.h"
#include "millrace/v1/job_service.pb.h"
#include "millrace/v1/worker_service.pb.h"
#include "rpc/convert.h"
#include "rpc/wire.h"
#include "rpc/work_convert.h"

namespace millrace::rpc {
namespace {

// A piece is there twice while it is written: as a message and as the bytes of one.
constexpr size_t kPieceHeld = 2 * kPieceBytes;

struct PayloadOfAttempt {
  using Request = v1::ReadPayloadRequest;
  using Response = v1::ReadPayloadResponse;
  static constexpr Method kMethod = Method::kReadPayload;
  dispatch::LeaseRef ref;

  Status Take(const Request& request) {
    auto taken = TakeRef(request.ref(), "ref");
    if (taken.ok()) ref = *taken;
    return taken.status();
  }
  Result<Bytes> Load(dispatch::Dispatcher& dispatcher, const dispatch::MayHold& may_hold) const {
    return dispatcher.leases().ReadPayload(ref, may_hold);
  }
};

struct ResultOfJob {
  using Request = v1::ReadResultRequest;
  using Response = v1::ReadResultResponse;
  static constexpr Method kMethod = Method::kReadResult;
  JobId id;

  Status Take(const Request& request) {
    auto taken = ParseJobId(request.id(), "id");
    if (taken.ok()) id = *taken;
    return taken.status();
  }
  Result<Bytes> Load(dispatch::Dispatcher& dispatcher, const dispatch::MayHold& may_hold) const {
    return dispatcher.ReadResult(id, may_hold);
  }
};

// One thing at a time: the fiber that reads, then one write after the other. Whoever does the next one ends the call
// instead where there is a reason, so it ends once, and the server waits for it.
template <typename What>
class PiecesRead final : public PiecesReactor, public OpenCalls::Call, public Unsent::Entry {
 public:
  PiecesRead(const Backend& backend, grpc::CallbackServerContext* context)
      : backend_(backend), context_(context), call_(backend, What::kMethod, context) {}

  void Start(grpc::ByteBuffer* bytes) {
    typename What::Request request;
    Status status = call_.Enter(kCallBytes + bytes->Length());
    if (status.ok()) status = Parse(bytes, &request);
    if (status.ok()) status = what_.Take(request);
    if (!status.ok()) return End(status);
    OnFiber(backend_, [this] { Read(); });
    backend_.open_calls.Add(this);
  }

  // A write that is on its way is still finished.
  void OnClosing() override { closing_.store(true, std::memory_order_relaxed); }

 private:
  // On the fiber.
  void Read() {
    backend_.reads.Acquire();
    Status status = context_->IsCancelled() ? GoneStatus() : Load();
    backend_.reads.Release();
    status.ok() ? WriteNext() : End(status);
  }

  Status Load() {
    auto loaded = what_.Load(backend_.dispatcher, [this](int64_t bytes) {
      return call_.TryHold(static_cast<size_t>(bytes) + kPieceHeld) ? OkStatus() : BusyStatus(backend_.lasting);
    });
    if (!loaded.ok()) return loaded.status();
    bytes_ = *std::move(loaded);
    return OkStatus();
  }

  void WriteNext() {
    if (closing_.load(std::memory_order_relaxed)) return End(ClosingStatus());
    if (bytes_ == nullptr || written_ >= bytes_->size()) return End(OkStatus());
    const size_t bytes = std::min(kPieceBytes, bytes_->size() - written_);
    typename What::Response response;
    response.set_data(bytes_->data() + written_, bytes);
    written_ += bytes;
    Serialize(response, &piece_);
    backend_.unsent.Add(this, std::chrono::steady_clock::now());
    StartWrite(&piece_);
  }

  void OnWriteDone(bool ok) override {
    backend_.unsent.Remove(this);
    ok ? WriteNext() : End(GoneStatus());
  }

  void End(const Status& status) { Finish(call_.End(status)); }

  static Status GoneStatus() { return Cancelled("CALL_CANCELLED", "the client cancelled the call or went away"); }

  void OnDone() override {
    backend_.open_calls.Remove(this);
    call_.LetGo();
    delete this;
  }

  void Cut() override { context_->TryCancel(); }

  const Backend& backend_;
  grpc::CallbackServerContext* const context_;
  RpcCall call_;
  std::atomic<bool> closing_{false};

  What what_;
  Bytes bytes_;
  size_t written_ = 0;
  grpc::ByteBuffer piece_;
};

template <typename What>
PiecesReactor* Start(const Backend& backend, grpc::CallbackServerContext* context, const grpc::ByteBuffer* request) {
  auto* read = new PiecesRead<What>(backend, context);
  // Nobody else looks at the bytes; only the generated signature says const.
  read->Start(const_cast<grpc::ByteBuffer*>(request));
  return read;
}

}  // namespace

PiecesReactor* StartReadPayload(const Backend& backend, grpc::CallbackServerContext* context,
                                const grpc::ByteBuffer* request) {
  return Start<PayloadOfAttempt>(backend, context, request);
}

PiecesReactor* StartReadResult(const Backend& backend, grpc::CallbackServerContext* context,
                               const grpc::ByteBuffer* request) {
  return Start<ResultOfJob>(backend, context, request);
}

}  // namespace millrace::rpc
