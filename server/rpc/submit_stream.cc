#include "rpc/submit_stream.h"

#include <memory>
#include <utility>
#include <vector>

#include "rpc/convert.h"
#include "rpc/error_details.h"
#include "rpc/trace_metadata.h"
#include "rpc/wire.h"
#include "runtime/lock.h"

namespace millrace::rpc {
namespace {

// What a stream may hold beside its items: room for kWindowItems of them.
constexpr size_t kStreamBytes = size_t{128} << 10;

// Every event (a read, a write, an answer, a cancel) changes the state under lock_, plans there what to start next, and
// starts it after the lock is released. Finish is planned once no item is in use and no write is on its way; the stream
// is deleted in OnDone some time after. So whoever has planned something knows that the stream is still there; nobody
// else touches it.
class SubmitStream final : public StreamSubmitReactor, public OpenCalls::Call, public Unsent::Entry {
 public:
  SubmitStream(const Backend& backend, grpc::CallbackServerContext* context)
      : backend_(backend), context_(context), call_(backend, Method::kStreamSubmit, context) {}

  void Start() {
    if (Status why = call_.Enter(kStreamBytes); !why.ok()) {
      finished_ = true;
      return End(why);
    }
    trace_ = TraceOf(*context_);
    StartRead(&request_bytes_);
    backend_.open_calls.Add(this);
  }

  // What has been read is still answered.
  void OnClosing() override {
    Next next;
    {
      rt::LockGuard guard(lock_);
      closing_ = true;
      next = Plan();
    }
    Run(next);
  }

 private:
  enum class Stage : uint8_t { kFree, kTranslated, kInDispatch, kAnswered };

  struct Item final : dispatch::Submission {
    explicit Item(SubmitStream* owner) : stream(owner) { items.resize(1); }
    void Done() override { stream->OnAnswer(this); }

    SubmitStream* const stream;
    int64_t sequence = 0;
    size_t payload_bytes = 0;
    size_t counted_bytes = 0;  // In the budget of all calls.
    Stage stage = Stage::kFree;
    Item* next = nullptr;  // In the list of free items or of answers.
  };

  struct Next {
    bool read = false;
    Item* write = nullptr;
    bool more_answers = false;  // Others follow the answer to write.
    bool finish = false;
    Status status;  // To finish with.
  };

  // ---- gRPC's reactions
  void OnReadDone(bool ok) override {
    const size_t bytes = request_bytes_.Length();
    Status parsed = ok ? Parse(&request_bytes_, &request_) : OkStatus();
    const bool malformed = !parsed.ok();
    // After such an item we cannot know what the client meant. What came before it is still answered.
    Status bad = malformed ? std::move(parsed).With("item", items_read_) : OkStatus();
    ++items_read_;
    Item* item = nullptr;
    Next next;
    {
      rt::LockGuard guard(lock_);
      if (ok && !malformed && !Stopping()) {
        item = TakeFree(request_.request().spec().payload().size());
      } else {
        if (malformed && !Stopping()) bad_input_ = std::move(bad);
        input_ended_ = input_ended_ || !ok;
        reader_busy_ = false;
        next = Plan();
      }
    }
    if (item == nullptr) return Run(next);

    Submit(item, bytes);
    bool withdraw = false;
    {
      rt::LockGuard guard(lock_);
      // Only this function makes use of free items, so whatever became of it meanwhile, `item` is not another submit
      // yet.
      if (item->stage == Stage::kTranslated) {
        item->stage = Stage::kInDispatch;
        withdraw = cancelled_;  // OnCancel did not see it.
      }
      reader_busy_ = false;
      next = Plan();
    }
    if (withdraw) Withdraw(item);
    Run(next);
  }

  void OnWriteDone(bool ok) override {
    backend_.unsent.Remove(this);
    if (!ok) Cancel();
    Item* const written = std::exchange(written_, nullptr);
    written->items[0].spec.payload.reset();  // The payload of a refused job is freed outside the lock.
    Next next;
    {
      rt::LockGuard guard(lock_);
      writing_ = false;
      PutFree(written);
      next = Plan();
    }
    Run(next);
  }

  void OnCancel() override { Cancel(); }

  void OnDone() override {
    backend_.open_calls.Remove(this);
    backend_.unsent.Remove(this);
    delete this;
  }

  void Cut() override { context_->TryCancel(); }

  // ---- One item
  void Submit(Item* item, size_t bytes) {
    item->sequence = request_.sequence();
    if (backend_.lasting.TryTake(bytes)) {
      item->counted_bytes = bytes;
      item->status = Translate(item);
    } else {
      item->status = BusyStatus(backend_.lasting);
    }
    if (item->status.ok()) {
      backend_.dispatcher.Submit(item);
    } else {
      OnAnswer(item);
    }
  }

  Status Translate(Item* item) {
    auto policy = FromProto(request_.request().on_full());
    if (!policy.ok()) return policy.status();
    item->on_full = *policy;
    item->acks.clear();
    MR_RETURN_IF_ERROR(TakeSubmit(std::move(*request_.mutable_request()), &item->items[0]));
    if (!item->items[0].spec.trace) item->items[0].spec.trace = trace_;
    return OkStatus();
  }

  // Called inside Submit, or on a thread or fiber of dispatch. It frees no room, so it never plans a read; a write or a
  // finish that it plans keeps the stream alive until it is started.
  void OnAnswer(Item* item) {
    Next next;
    {
      rt::LockGuard guard(lock_);
      if (cancelled_) {
        PutFree(item);
      } else {
        item->stage = Stage::kAnswered;
        item->next = nullptr;
        (answers_first_ != nullptr ? answers_last_->next : answers_first_) = item;
        answers_last_ = item;
      }
      next = Plan();
    }
    Run(next);
  }

  // Called inside a reaction of gRPC, so the stream outlives it.
  void Withdraw(Item* item) {
    if (!backend_.dispatcher.Abandon(item)) return;  // Its Done is on the way.
    Next next;
    {
      rt::LockGuard guard(lock_);
      PutFree(item);
      next = Plan();
    }
    Run(next);
  }

  // The client is gone: nobody reads answers, and what still waits for room is taken back.
  void Cancel() {
    std::vector<Item*> waiting;
    {
      rt::LockGuard guard(lock_);
      if (cancelled_) return;
      cancelled_ = true;
      while (answers_first_ != nullptr) PutFree(std::exchange(answers_first_, answers_first_->next));
      for (const auto& item : items_) {
        if (item->stage == Stage::kInDispatch) waiting.push_back(item.get());
      }
    }
    for (Item* item : waiting) Withdraw(item);
    Next next;
    {
      rt::LockGuard guard(lock_);
      next = Plan();
    }
    Run(next);
  }

  // ---- Under lock_
  bool Stopping() const { return cancelled_ || closing_ || !bad_input_.ok(); }

  bool HasRoom() const { return (free_ != nullptr || items_.size() < kWindowItems) && payload_bytes_ < kWindowBytes; }

  Item* TakeFree(size_t payload_bytes) {
    if (free_ == nullptr) {
      items_.push_back(std::make_unique<Item>(this));
      free_ = items_.back().get();
    }
    Item* item = std::exchange(free_, free_->next);
    item->stage = Stage::kTranslated;
    item->payload_bytes = payload_bytes;
    payload_bytes_ += payload_bytes;
    ++in_use_;
    return item;
  }

  void PutFree(Item* item) {
    backend_.lasting.Give(std::exchange(item->counted_bytes, 0));
    payload_bytes_ -= item->payload_bytes;
    --in_use_;
    item->stage = Stage::kFree;
    item->next = std::exchange(free_, item);
  }

  Next Plan() {
    Next next;
    if (finished_) return next;
    if (!writing_ && answers_first_ != nullptr) {
      writing_ = true;
      next.write = std::exchange(answers_first_, answers_first_->next);
      next.more_answers = answers_first_ != nullptr;
    }
    if (!reader_busy_ && !input_ended_ && !Stopping() && HasRoom()) next.read = reader_busy_ = true;
    if (in_use_ == 0 && (input_ended_ || Stopping())) {
      next.finish = finished_ = true;
      if (cancelled_) {
        next.status = Cancelled("CALL_CANCELLED", "the client cancelled the stream or went away");
      } else if (!bad_input_.ok()) {
        next.status = bad_input_;
      } else if (!input_ended_) {
        next.status = ClosingStatus();
      }
    }
    return next;
  }

  // The write comes last: until it is done, the stream cannot finish.
  void Run(const Next& next) {
    if (next.read) StartRead(&request_bytes_);
    if (next.write != nullptr) Write(next.write, next.more_answers);
    if (next.finish) End(next.status);
  }

  void Write(Item* item, bool more_answers) {
    written_ = item;
    response_.set_sequence(item->sequence);
    if (item->status.ok()) {
      Fill(item->acks[0], backend_.durability, response_.mutable_response());
    } else {
      response_.mutable_error()->Clear();
      Fill(InField("request.", item->status), response_.mutable_error());
    }
    grpc::WriteOptions options;
    if (more_answers) options.set_buffer_hint();
    Serialize(response_, &response_bytes_);
    backend_.unsent.Add(this, std::chrono::steady_clock::now());
    StartWrite(&response_bytes_, options);
  }

  void End(const Status& status) { Finish(call_.End(status)); }

  const Backend& backend_;
  grpc::CallbackServerContext* const context_;
  RpcCall call_;                    // Holds what the stream itself takes; items count for themselves.
  Trace trace_;                     // For every item that names none. Does not change after Start.
  grpc::ByteBuffer request_bytes_;  // Used by the reader, as are the next two.
  v1::StreamSubmitRequest request_;
  int64_t items_read_ = 0;
  grpc::ByteBuffer response_bytes_;  // Used by the writer, as are the next two.
  v1::StreamSubmitResponse response_;
  Item* written_ = nullptr;

  rt::Lock lock_;
  std::vector<std::unique_ptr<Item>> items_;
  Item* free_ = nullptr;
  Item* answers_first_ = nullptr;
  Item* answers_last_ = nullptr;
  size_t in_use_ = 0;         // Items that are not free.
  size_t payload_bytes_ = 0;  // Payload of the items that are not free.
  bool reader_busy_ = true;   // From StartRead until its item is with dispatch.
  bool writing_ = false;
  bool input_ended_ = false;
  bool cancelled_ = false;
  bool closing_ = false;
  bool finished_ = false;
  Status bad_input_;  // Not OK: an item could not be parsed, and the stream ends with this.
};

}  // namespace

StreamSubmitReactor* StartSubmitStream(const Backend& backend, grpc::CallbackServerContext* context) {
  auto* stream = new SubmitStream(backend, context);
  stream->Start();
  return stream;
}

}  // namespace millrace::rpc
