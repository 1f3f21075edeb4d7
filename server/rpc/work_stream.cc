#include "rpc/work_stream.h"

#include <grpcpp/alarm.h>

#include <memory>
#include <random>
#include <utility>
#include <vector>

#include "rpc/wire.h"
#include "rpc/work_words.h"
#include "runtime/lock.h"

namespace millrace::rpc {
namespace {

using dispatch::LeaseRef;

// What a stream may hold beside a message in hand.
constexpr size_t kStreamBytes = size_t{64} << 10;
// Errors that wait to be written. With more of them nothing is read.
constexpr size_t kErrorsMax = 1024;
// A worker that was told to come back, and has not.
constexpr std::chrono::minutes kAgedGrace{1};

class WorkStream final : public WorkReactor,
                         public dispatch::WorkerDoor,
                         public OpenCalls::Call,
                         public Unsent::Entry,
                         public std::enable_shared_from_this<WorkStream> {
 public:
  WorkStream(const Backend& backend, grpc::CallbackServerContext* context)
      : backend_(backend), context_(context), call_(backend, Method::kWork, context) {}

  void Start() {
    self_ = shared_from_this();
    if (Status why = call_.Enter(kStreamBytes); !why.ok()) {
      finished_ = true;
      return Finish(call_.End(why));
    }
    StartRead(&request_bytes_);
    backend_.open_calls.Add(this);
  }

  void OnNews() override {
    {
      rt::LockGuard guard(lock_);
      has_news_ = true;
    }
    Pump();
  }

  void OnClosing() override {
    {
      rt::LockGuard guard(lock_);
      drain_ = v1::WorkerDrain::WHY_SHUTDOWN;
    }
    EndWith(ClosingStatus());
  }

 private:
  // ---- gRPC's reactions
  void OnReadDone(bool ok) override {
    if (!ok) return EndWith(OkStatus());
    Status status = Hear();
    if (!status.ok()) return EndWith(std::move(status));
    if (said_goodbye_) return EndWith(OkStatus());
    ReadNext();
  }

  void OnWriteDone(bool ok) override {
    backend_.unsent.Remove(this);
    {
      rt::LockGuard guard(lock_);
      writing_ = false;
    }
    if (!ok) EndWith(GoneStatus());
    ReadIfItWaits();
    Pump();
  }

  void OnCancel() override { EndWith(GoneStatus()); }

  void OnDone() override {
    backend_.open_calls.Remove(this);
    backend_.unsent.Remove(this);
    age_.Cancel();
    overdue_.Cancel();
    call_.LetGo();  // Dispatch may keep the rest of the stream for a moment, and longer than the server.
    self_.reset();
  }

  void Cut() override { context_->TryCancel(); }

  static Status GoneStatus() { return Cancelled("CALL_CANCELLED", "the worker cancelled the stream or went away"); }

  // ---- What it says. One message at a time, so these need no lock.
  void ReadNext() {
    {
      rt::LockGuard guard(lock_);
      if (ending_) return;
      // What the worker says makes words for it; it has to take those first.
      read_waits_ = looking_ > 0 || (writing_ && (has_news_ || reply_.error_count() >= kErrorsMax));
      if (read_waits_) return;
    }
    StartRead(&request_bytes_);
  }

  void ReadIfItWaits() {
    {
      rt::LockGuard guard(lock_);
      if (!read_waits_) return;
      // Only one of those who come here goes on.
      read_waits_ = false;
    }
    ReadNext();
  }

  Status Hear() {
    MR_RETURN_IF_ERROR(CheckWorkRequestSize(request_bytes_.Length()));
    call_.Settle(kStreamBytes + 2 * request_bytes_.Length());
    Status status = Parse(&request_bytes_, &request_);
    if (status.ok()) status = holder_ == nullptr ? Enter() : Follow();
    request_.Clear();
    call_.Settle(kStreamBytes);
    return status;
  }

  Status Enter() {
    if (!request_.has_hello()) {
      return InvalidArgument("NO_HELLO", "the first message of a worker has a hello").Field("hello");
    }
    auto entrance = rpc::Enter(backend_.dispatcher.leases(), std::move(*request_.mutable_hello()), shared_from_this());
    if (!entrance.ok()) return entrance.status();
    bool gone;
    {
      rt::LockGuard guard(lock_);
      holder_ = entrance->holder;
      reply_.welcome = std::move(entrance->welcome);
      gone = finished_;
    }
    if (gone) {  // The worker went away meanwhile, and nobody has left for it.
      backend_.dispatcher.leases().Leave(*holder_, dispatch::Leases::Leaving::kBroken);
      return OkStatus();
    }
    Set(age_, AgeMax(), &WorkStream::OnAge);
    request_.clear_hello();
    return HearRest();
  }

  Status Follow() {
    if (request_.has_hello()) {
      return InvalidArgument("TWO_HELLOS", "a stream has one hello; open another stream for another").Field("hello");
    }
    return HearRest();
  }

  Status HearRest() {
    Heard heard;
    MR_RETURN_IF_ERROR(rpc::Hear(backend_.dispatcher.leases(), *holder_, std::move(request_), &heard));
    said_goodbye_ = heard.goodbye;
    bool look = false;
    {
      rt::LockGuard guard(lock_);
      reply_.Add(std::move(heard.reply));
      look = !heard.ended.empty() && !finished_;  // Once it has finished, the server may be gone before a fiber is.
      if (look) ++looking_;
    }
    if (look) {
      OnFiber(backend_, [self = shared_from_this(), ended = std::move(heard.ended)] { self->LookUp(ended); });
    }
    Pump();
    return OkStatus();
  }

  // On a fiber.
  void LookUp(const std::vector<LeaseRef>& ended) {
    WorkReply reply;
    backend_.reads.Acquire();
    reply.lost = FindLost(backend_.dispatcher.leases(), *holder_, ended);
    backend_.reads.Release();
    {
      rt::LockGuard guard(lock_);
      reply_.Add(std::move(reply));
      --looking_;
    }
    // The read first: what Pump may plan is the end of the stream, and of the server.
    ReadIfItWaits();
    Pump();
  }

  // ---- Its age
  static std::chrono::milliseconds AgeMax() {
    static thread_local std::minstd_rand random{std::random_device()()};
    const auto tenth = std::chrono::milliseconds(kStreamAgeMax) / 10;
    return kStreamAgeMax - tenth + std::chrono::milliseconds(random() % static_cast<uint64_t>(2 * tenth.count()));
  }

  // gRPC keeps what an alarm has called until the alarm goes, so that must not keep the stream.
  void Set(grpc::Alarm& alarm, std::chrono::milliseconds after, void (WorkStream::*then)()) {
    const gpr_timespec when =
        gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_millis(after.count(), GPR_TIMESPAN));
    alarm.Set(when, [weak = weak_from_this(), then](bool ok) {
      const std::shared_ptr<WorkStream> self = weak.lock();
      if (ok && self != nullptr) ((*self).*then)();
    });
  }

  void OnAge() {
    {
      rt::LockGuard guard(lock_);
      if (ending_) return;
      aged_ = true;
      reply_.drain = v1::WorkerDrain::WHY_AGE;
    }
    Set(overdue_, kAgedGrace, &WorkStream::OnOverdue);
    Pump();
  }

  void OnOverdue() { EndWith(Unavailable("STREAM_AGED", "the stream is old; open another one")); }

  // ---- Out
  // The first reason counts. What was said before it is still answered, as far as it is known.
  void EndWith(Status why) {
    {
      rt::LockGuard guard(lock_);
      if (!ending_) {
        ending_ = true;
        end_ = std::move(why);
        if (drain_ != v1::WorkerDrain::WHY_UNSPECIFIED) reply_.drain = drain_;
        cut_ = end_.code() == StatusCode::kCancelled;
      }
    }
    Pump();
  }

  bool AnythingToWrite() const { return !reply_.empty() || has_news_ || !words_.empty(); }

  // Whoever finds that nobody writes does: it owns words_ and response_ until its write is done.
  void Pump() {
    for (;;) {
      WorkReply reply;
      bool news, finish = false;
      {
        rt::LockGuard guard(lock_);
        if (writing_ || finished_) return;
        if (ending_ && (cut_ || holder_ == nullptr || !AnythingToWrite())) {
          if (looking_ > 0) return;  // It uses the server until then.
          finish = finished_ = true;
        } else if (holder_ == nullptr || !AnythingToWrite()) {
          return;
        }
        writing_ = true;
        std::swap(reply, reply_);
        news = std::exchange(has_news_, false) && !ending_;
        if (ending_) words_.Drop();
      }
      if (finish) return Leave();
      Compose(std::move(reply), news);
      if (response_.ByteSizeLong() > 0) return Write();
      {
        rt::LockGuard guard(lock_);
        writing_ = false;
      }
      ReadIfItWaits();
    }
  }

  void Compose(WorkReply reply, bool news) {
    dispatch::WorkerNews told;
    if (news) backend_.dispatcher.leases().TakeNews(*holder_, &told);
    if (told.replaced) {
      rt::LockGuard guard(lock_);
      if (!ending_) {
        ending_ = true;
        end_ = aged_ ? OkStatus() : SessionReplaced();
      }
    }
    response_.Clear();
    words_.Tell(std::move(reply), std::move(told), &response_);
  }

  void Write() {
    Serialize(response_, &response_bytes_);
    backend_.unsent.Add(this, std::chrono::steady_clock::now());
    StartWrite(&response_bytes_);
  }

  void Leave() {
    if (holder_ != nullptr) {  // Nothing, where it has said goodbye.
      backend_.dispatcher.leases().Leave(*holder_, dispatch::Leases::Leaving::kBroken);
    }
    Finish(call_.End(end_));
  }

  const Backend& backend_;
  grpc::CallbackServerContext* const context_;
  RpcCall call_;
  std::shared_ptr<WorkStream> self_;  // Until OnDone.
  grpc::Alarm age_, overdue_;

  // The reader's.
  grpc::ByteBuffer request_bytes_;
  v1::WorkRequest request_;
  bool said_goodbye_ = false;

  // The writer's.
  grpc::ByteBuffer response_bytes_;
  v1::WorkResponse response_;
  WorkWords words_;

  rt::Lock lock_;
  std::shared_ptr<dispatch::LeaseHolder> holder_;  // Set once, by the reader.
  WorkReply reply_;
  v1::WorkerDrain::Why drain_ = v1::WorkerDrain::WHY_UNSPECIFIED;
  bool has_news_ = false;
  bool writing_ = false;
  bool read_waits_ = false;
  bool aged_ = false;  // It was told to come back.
  bool ending_ = false, cut_ = false, finished_ = false;
  int looking_ = 0;  // Fibers that look up repeats.
  Status end_;
};

}  // namespace

WorkReactor* StartWork(const Backend& backend, grpc::CallbackServerContext* context) {
  auto stream = std::make_shared<WorkStream>(backend, context);
  stream->Start();
  return stream.get();
}

}  // namespace millrace::rpc
