#include "rpc/read_payload.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <string>

#include "dispatch/leases.h"
#include "millrace/v1/worker_service.pb.h"
#include "rpc/wire.h"
#include "rpc/work_convert.h"

namespace millrace::rpc {
namespace {

// A piece is there twice while it is written: as a message and as the bytes of one.
constexpr size_t kPieceBytes = 2 * kPayloadPieceBytes;

// One thing at a time: the fiber that reads, then one write after the other. Whoever does the next one ends the call
// instead where there is a reason, so it ends once, and the server waits for it.
class PayloadRead final : public PayloadReactor, public OpenCalls::Call, public Unsent::Entry {
 public:
  PayloadRead(const Backend& backend, grpc::CallbackServerContext* context)
      : backend_(backend), context_(context), call_(backend, Method::kReadPayload, context) {}

  void Start(grpc::ByteBuffer* bytes) {
    v1::ReadPayloadRequest request;
    Status status = call_.Enter(kCallBytes + bytes->Length());
    if (status.ok()) status = Parse(bytes, &request);
    if (!status.ok()) return End(status);
    auto ref = TakeRef(request.ref(), "ref");
    if (!ref.ok()) return End(ref.status());
    OnFiber(backend_, [this, ref = *ref] { Read(ref); });
    backend_.open_calls.Add(this);
  }

  // A write that is on its way is still finished.
  void OnClosing() override { closing_.store(true, std::memory_order_relaxed); }

 private:
  // On the fiber.
  void Read(const dispatch::LeaseRef& ref) {
    backend_.reads.Acquire();
    Status status = context_->IsCancelled() ? GoneStatus() : Load(ref);
    backend_.reads.Release();
    status.ok() ? WriteNext() : End(status);
  }

  Status Load(const dispatch::LeaseRef& ref) {
    auto payload = backend_.dispatcher.leases().ReadPayload(ref);
    if (!payload.ok()) return payload.status();
    payload_ = *std::move(payload);
    if (payload_ == nullptr || call_.TryHold(payload_->size() + kPieceBytes)) return OkStatus();
    return BusyStatus(backend_.lasting);
  }

  void WriteNext() {
    if (closing_.load(std::memory_order_relaxed)) return End(ClosingStatus());
    if (payload_ == nullptr || written_ >= payload_->size()) return End(OkStatus());
    const size_t bytes = std::min(kPayloadPieceBytes, payload_->size() - written_);
    v1::ReadPayloadResponse response;
    response.set_data(payload_->data() + written_, bytes);
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

  static Status GoneStatus() { return Cancelled("CALL_CANCELLED", "the worker cancelled the call or went away"); }

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

  Bytes payload_;
  size_t written_ = 0;
  grpc::ByteBuffer piece_;
};

}  // namespace

PayloadReactor* StartReadPayload(const Backend& backend, grpc::CallbackServerContext* context,
                                 const grpc::ByteBuffer* request) {
  auto* read = new PayloadRead(backend, context);
  // Nobody else looks at the bytes; only the generated signature says const.
  read->Start(const_cast<grpc::ByteBuffer*>(request));
  return read;
}

}  // namespace millrace::rpc
