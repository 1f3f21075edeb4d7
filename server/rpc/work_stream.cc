#include "rpc/work_stream.h"

#include <grpcpp/alarm.h>

#include <algorithm>
#include <deque>
#include <iterator>
#include <memory>
#include <random>
#include <utility>
#include <vector>

#include "base/version.h"
#include "dispatch/leases.h"
#include "rpc/convert.h"
#include "rpc/wire.h"
#include "rpc/work_convert.h"
#include "runtime/lock.h"

namespace millrace::rpc {
namespace {

using dispatch::LeaseRef;
using dispatch::LeaseStop;
using dispatch::Unheard;
using dispatch::WorkerNews;
using dispatch::WorkerWords;

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
  // What there is to write beside news.
  struct Outbox {
    std::unique_ptr<v1::WorkerWelcome> welcome;
    std::vector<LeaseRef> errors;  // LEASE_LOST.
    std::optional<int64_t> heartbeat;
    v1::WorkerDrain::Why drain = v1::WorkerDrain::WHY_UNSPECIFIED;
  };

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
      read_waits_ = looking_ > 0 || (writing_ && (has_news_ || outbox_.errors.size() >= kErrorsMax));
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
    if (request_bytes_.Length() > kWorkRequestBytesMax) {
      return InvalidArgument("MESSAGE_TOO_LARGE", "a message has " + std::to_string(request_bytes_.Length()) +
                                                      " bytes, and 4 MiB are the limit; send several");
    }
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
    dispatch::WorkerOffer offer;
    MR_RETURN_IF_ERROR(TakeHello(std::move(*request_.mutable_hello()), &offer));
    auto entered = backend_.dispatcher.leases().Enter(offer, shared_from_this());
    if (!entered.ok()) return InField("hello.", entered.status());
    auto welcome = std::make_unique<v1::WorkerWelcome>();
    welcome->set_server_version(Version());
    Fill(backend_.dispatcher.leases().Options(), welcome.get());
    for (const LeaseRef& ref : entered->kept) Fill(ref, welcome->add_kept());
    for (const LeaseRef& ref : entered->lost) Fill(ref, welcome->add_lost());
    bool gone;
    {
      rt::LockGuard guard(lock_);
      holder_ = entered->holder;
      outbox_.welcome = std::move(welcome);
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
    WorkerWords words;
    std::optional<int64_t> heartbeat;
    if (request_.has_heartbeat()) heartbeat = request_.heartbeat().sequence();
    const bool goodbye = request_.goodbye();
    MR_RETURN_IF_ERROR(TakeWords(std::move(request_), &words));
    Unheard unheard;
    MR_RETURN_IF_ERROR(backend_.dispatcher.leases().Hear(*holder_, std::move(words), &unheard));
    said_goodbye_ = goodbye;
    if (goodbye) backend_.dispatcher.leases().Leave(*holder_, dispatch::Leases::Leaving::kGoodbye);
    bool look = false;
    {
      rt::LockGuard guard(lock_);
      if (heartbeat) outbox_.heartbeat = heartbeat;
      for (const LeaseRef& ref : unheard.refused) outbox_.errors.push_back(ref);
      look = !unheard.ended.empty() && !finished_;  // Once it has finished, the server may be gone before a fiber is.
      if (look) ++looking_;
    }
    if (look) {
      OnFiber(backend_, [self = shared_from_this(), ended = std::move(unheard.ended)] { self->LookUp(ended); });
    }
    Pump();
    return OkStatus();
  }

  // On a fiber.
  void LookUp(const std::vector<LeaseRef>& ended) {
    std::vector<LeaseRef> lost;
    backend_.reads.Acquire();
    for (const LeaseRef& ref : ended) {
      if (!backend_.dispatcher.leases().AckAgain(*holder_, ref)) lost.push_back(ref);
    }
    backend_.reads.Release();
    {
      rt::LockGuard guard(lock_);
      outbox_.errors.insert(outbox_.errors.end(), lost.begin(), lost.end());
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
      outbox_.drain = v1::WorkerDrain::WHY_AGE;
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
        if (drain_ != v1::WorkerDrain::WHY_UNSPECIFIED) outbox_.drain = drain_;
        cut_ = end_.code() == StatusCode::kCancelled;
      }
    }
    Pump();
  }

  bool AnythingToWrite() const {
    return outbox_.welcome || !outbox_.errors.empty() || outbox_.heartbeat ||
           outbox_.drain != v1::WorkerDrain::WHY_UNSPECIFIED || has_news_ || !leases_.empty() || !stops_.empty() ||
           !revoked_.empty();
  }

  // Whoever finds that nobody writes does: it owns leases_ and response_ until its write is done.
  void Pump() {
    for (;;) {
      Outbox out;
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
        std::swap(out, outbox_);
        news = std::exchange(has_news_, false) && !ending_;
        if (ending_) {
          leases_.clear();
          stops_.clear();
          revoked_.clear();
        }
      }
      if (finish) return Leave();
      Compose(std::move(out), news);
      if (response_.ByteSizeLong() > 0) return Write();
      {
        rt::LockGuard guard(lock_);
        writing_ = false;
      }
      ReadIfItWaits();
    }
  }

  void Compose(Outbox out, bool news) {
    response_.Clear();
    if (out.welcome) response_.set_allocated_welcome(out.welcome.release());
    for (const LeaseRef& ref : out.errors) Fill({ref, dispatch::LeaseLost(ref)}, response_.add_errors());
    if (out.heartbeat) response_.mutable_heartbeat_ack()->set_sequence(*out.heartbeat);
    if (out.drain != v1::WorkerDrain::WHY_UNSPECIFIED) response_.mutable_drain()->set_why(out.drain);
    if (news) {
      WorkerNews told;
      backend_.dispatcher.leases().TakeNews(*holder_, &told);
      std::move(told.stopped.begin(), told.stopped.end(), std::back_inserter(stops_));
      for (const LeaseRef& ref : told.unknown) told.revoked.push_back({ref, dispatch::LeaseLost(ref)});
      std::move(told.revoked.begin(), told.revoked.end(), std::back_inserter(revoked_));
      for (const LeaseRef& ref : told.acked) Fill(ref, response_.add_acked());
      for (dispatch::Lease& lease : told.given) leases_.push_back(std::move(lease));
      if (told.replaced) {
        rt::LockGuard guard(lock_);
        if (!ending_) {
          ending_ = true;
          end_ = aged_ ? OkStatus()
                       : FailedPrecondition("SESSION_REPLACED",
                                            "another stream brought the same instance_key; draw one for each process");
        }
      }
    }
    // None of these overtakes its lease, of which the worker counts each.
    const auto waits = [this](const LeaseStop& each) {
      return std::any_of(leases_.begin(), leases_.end(),
                         [&](const dispatch::Lease& lease) { return lease.ref == each.ref; });
    };
    std::erase_if(stops_, [&](const LeaseStop& each) {
      if (waits(each)) return false;
      Fill(each, response_.add_stops());
      return true;
    });
    std::erase_if(revoked_, [&](const LeaseStop& each) {
      if (waits(each)) return false;
      Fill(each, response_.add_revoked());
      return true;
    });
    for (size_t bytes = 0; !leases_.empty(); leases_.pop_front()) {
      v1::Lease& lease = *response_.add_leases();
      Fill(leases_.front(), &lease);
      bytes += lease.ByteSizeLong();
      if (bytes <= kResponseBytes || response_.leases_size() == 1) continue;
      response_.mutable_leases()->RemoveLast();
      break;
    }
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
  std::deque<dispatch::Lease> leases_;      // Told by dispatch, and not written yet.
  std::vector<LeaseStop> stops_, revoked_;  // The same.

  rt::Lock lock_;
  std::shared_ptr<dispatch::LeaseHolder> holder_;  // Set once, by the reader.
  Outbox outbox_;
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
