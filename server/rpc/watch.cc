#include "rpc/watch.h"

#include <grpcpp/alarm.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "dispatch/weight.h"
#include "rpc/convert.h"
#include "rpc/token.h"
#include "rpc/wire.h"

namespace millrace::rpc {
namespace {

constexpr size_t kBatchEvents = 64;
constexpr int kBatchesAtOnce = 16;
// An event, with the names of its pool and its kind.
constexpr size_t kEventBytes = sizeof(dispatch::JobEvent) + 128;
// What is kept free for a batch before it is read. Only its last event may take more.
constexpr size_t kBatchBytes = dispatch::EventLog::kReadBytesMax + kBatchEvents * kEventBytes;
// How soon a watch for whose events there was no room looks again.
constexpr std::chrono::milliseconds kCrowdedPause{500};
// How often a watch of one job looks for a moment in which nothing happens to the job. After that it may send one event
// twice.
constexpr int kSnapshotTries = 64;

size_t BytesOf(const dispatch::JobEvent& event) {
  return kEventBytes + event.error.size() + event.progress.message.size() + (event.log ? event.log->size() : 0) +
         static_cast<size_t>(dispatch::LabelsWeight(event.labels.get()));
}

// While an event is written it is there three times: as it was read, as a message and as the bytes of one.
size_t BytesOf(const std::vector<dispatch::JobEvent>& batch) {
  size_t bytes = 0, largest = 0;
  for (const dispatch::JobEvent& event : batch) {
    bytes += BytesOf(event);
    largest = std::max(largest, BytesOf(event));
  }
  return bytes + 2 * largest;
}

// One thread at a time owns the watch (pump_ is not kIdle): it reads events and starts writes; a write in flight keeps
// the ownership, which OnWriteDone takes over. A look at the job itself may wait for the disk: a fiber owns the watch
// meanwhile. Only the owner ends a watch, so the server waits for it. All others (news, a cancel, the closing server)
// leave a note and ring.
class Watch final : public WatchReactor,
                    public dispatch::EventListener,
                    public OpenCalls::Call,
                    public std::enable_shared_from_this<Watch> {
 public:
  Watch(const Backend& backend, grpc::CallbackServerContext* context)
      : backend_(backend), context_(context), call_(backend, Method::kWatchJobs, context) {}

  void Start(grpc::ByteBuffer* bytes) {
    self_ = shared_from_this();
    v1::WatchJobsRequest request;
    idle_bytes_ = kCallBytes + bytes->Length();
    Status status = call_.Enter(idle_bytes_);
    if (status.ok()) status = Parse(bytes, &request);
    if (status.ok()) status = Take(request);
    if (!status.ok()) return End(status);
    if (job_) {
      OnFiber(backend_, [self = self_] { self->BeginWithJob(); });
    } else {
      Begin();
    }
    backend_.open_calls.Add(this);
  }

 private:
  enum PumpState { kIdle, kBusy, kBusyWithNews };

  Status Take(const v1::WatchJobsRequest& request) {
    auto filter = dispatch::Filter::Parse(request.filter());
    if (!filter.ok()) return filter.status();
    if (filter->uses_create_time()) {
      return InvalidArgument("BAD_FILTER", "a watch cannot filter by create_time: leave that term out").Field("filter");
    }
    filter_ = *std::move(filter);
    include_log_ = request.include_log();
    dispatch::EventLog& events = backend_.dispatcher.events();
    cursor_ = events.End();
    if (!request.resume_token().empty()) {
      auto sequence = ParseResumeToken(request.resume_token());
      if (!sequence.ok()) return sequence.status();
      cursor_ = *sequence + 1;
    }
    if (request.job_id().empty()) {
      if (include_log_) {
        return InvalidArgument("LOG_WITHOUT_JOB", "include_log needs a job_id: logs are watched one job at a time")
            .Field("include_log");
      }
      events.Subscribe(self_, cursor_);
      return OkStatus();
    }
    if (!filter_.empty()) {
      return InvalidArgument("FILTER_WITH_JOB", "filter and job_id are both set: give one of them").Field("filter");
    }
    auto id = ParseJobId(request.job_id(), "job_id");
    if (!id.ok()) return id.status();
    job_ = *id;
    check_present_ = !request.resume_token().empty();
    events.Subscribe(self_, cursor_);
    return OkStatus();
  }

  void Begin() {
    // A client may wait for this to know that nothing from now on will be missed, also when the connection breaks
    // before the first event. A watch of one job begins again with the present instead.
    if (!job_) context_->AddInitialMetadata(kResumeTokenMetadata, MakeResumeToken(cursor_ - 1));
    StartSendInitialMetadata();
    Pump();
  }

  // On a fiber.
  void BeginWithJob() {
    backend_.reads.Acquire();
    if (stop_.load(std::memory_order_acquire) != StatusCode::kOk) {  // No client is there any more.
      backend_.reads.Release();
      return Begin();
    }
    const Status status = check_present_ ? backend_.dispatcher.Get(*job_, false).status() : TakePresent();
    backend_.reads.Release();
    if (!status.ok()) return End(status);
    Begin();
  }

  // The job as it is, made into events, and the place where what follows begins.
  Status TakePresent() {
    dispatch::EventLog& events = backend_.dispatcher.events();
    for (int attempt = 0;; ++attempt) {
      cursor_ = events.End();
      auto job = backend_.dispatcher.Get(*job_, include_log_);
      if (!job.ok()) return job.status();
      uint64_t after = cursor_;
      std::vector<dispatch::JobEvent> meanwhile;
      while (events.Read(&after, kBatchEvents, &meanwhile) > 0) {
      }
      const bool quiet = std::none_of(meanwhile.begin(), meanwhile.end(), [this](const dispatch::JobEvent& event) {
        return event.type == dispatch::EventType::kGap || event.job == *job_;
      });
      if (!quiet && attempt < kSnapshotTries) continue;
      AddPresent(*job);
      return call_.TryHold(BytesOf(batch_)) ? OkStatus() : BusyStatus(backend_.lasting);
    }
  }

  void AddPresent(const JobSnapshot& job) {
    dispatch::JobEvent event;
    event.sequence = cursor_ - 1;
    event.time = job.finished ? *job.finished : job.created;
    event.job = job.id;
    event.state = job.state;
    event.attempt = job.attempts;
    if (job.spec) {
      event.pool = job.spec->pool;
      event.kind = job.spec->kind;
    }
    batch_.push_back(event);
    batch_.back().error = job.error;
    if (job.progress) {
      batch_.push_back(event);
      batch_.back().type = dispatch::EventType::kProgress;
      batch_.back().progress = *job.progress;
    }
    if (include_log_ && !job.log_tail.empty()) {
      batch_.push_back(event);
      batch_.back().type = dispatch::EventType::kLog;
      batch_.back().log = MakeBytes(job.log_tail);
    }
    last_batch_ = IsTerminal(job.state);
  }

  // ---- Rings
  void OnEvents() override { Ring(); }
  void OnCancel() override { Stop(StatusCode::kCancelled); }
  void OnClosing() override { Stop(StatusCode::kUnavailable); }

  void Stop(StatusCode why) {
    StatusCode running = StatusCode::kOk;
    stop_.compare_exchange_strong(running, why);
    Ring();
  }

  void Ring() {
    // acq_rel: the new owner sees what the last one left, and an owner sees what was noted before the ring.
    if (pump_.exchange(kBusyWithNews, std::memory_order_acq_rel) == kIdle) Pump();
  }

  // ---- The owner's
  void Pump() {
    for (;;) {
      pump_.exchange(kBusy, std::memory_order_acq_rel);
      if (WriteNext() || ended_) return;
      PumpState busy = kBusy;
      if (pump_.compare_exchange_strong(busy, kIdle, std::memory_order_acq_rel)) return;
    }
  }

  // True: a write, an alarm or a fiber is on its way and owns the watch. False: nothing more to tell now, or it has
  // ended.
  bool WriteNext() {
    for (int batches = 0;; ++batches) {
      if (const StatusCode why = stop_.load(std::memory_order_acquire); why != StatusCode::kOk) {
        End(why == StatusCode::kUnavailable
                ? ClosingStatus()
                : Cancelled("CALL_CANCELLED", "the client cancelled the watch or went away"));
        return false;
      }
      if (next_ < batch_.size()) {
        Write(batch_[next_++]);
        return true;
      }
      if (last_batch_) {
        End(OkStatus());
        return false;
      }
      // Whoever made the news must not look through a long log for this watch.
      if (batches == kBatchesAtOnce) {
        alarm_.Set(gpr_now(GPR_CLOCK_MONOTONIC), [weak = weak_from_this()](bool) { PumpAgain(weak); });
        return true;
      }
      const Got got = ReadBatch();
      if (got == Got::kEvents) continue;
      if (got == Got::kNoRoom) {
        // It falls behind meanwhile, and is told of the gap when its place is no longer kept.
        const gpr_timespec pause = gpr_time_from_millis(kCrowdedPause.count(), GPR_TIMESPAN);
        alarm_.Set(gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), pause),
                   [weak = weak_from_this()](bool) { PumpAgain(weak); });
        return true;
      }
      if (!std::exchange(check_present_, false)) return false;
      // Whoever made the news does not wait for the disk.
      OnFiber(backend_, [self = shared_from_this()] { self->CheckPresent(); });
      return true;
    }
  }

  // gRPC keeps what an alarm has called until the alarm goes, so that must not keep the watch.
  static void PumpAgain(const std::weak_ptr<Watch>& weak) {
    if (const std::shared_ptr<Watch> self = weak.lock()) self->Pump();
  }

  // kNothing: the end of the log, and the next event will ring.
  enum class Got { kEvents, kNothing, kNoRoom };

  Got ReadBatch() {
    DropBatch();
    // Without room for a batch it goes on event by event, as far as there is room for those.
    const bool room = call_.TryHold(kBatchBytes);
    const uint64_t before = cursor_;
    if (backend_.dispatcher.events().Read(&cursor_, room ? kBatchEvents : 1, &batch_, this) == 0) {
      call_.Settle(idle_bytes_);
      return Got::kNothing;
    }
    if (!room && !call_.TryHold(BytesOf(batch_))) {
      DropBatch();
      cursor_ = before;
      return Got::kNoRoom;
    }
    TakeWhatIsWanted();
    call_.Settle(idle_bytes_ + (batch_.empty() ? 0 : BytesOf(batch_)));
    return Got::kEvents;
  }

  // An idle watch keeps nothing of the events that it has told.
  void DropBatch() {
    std::vector<dispatch::JobEvent>().swap(batch_);
    next_ = 0;
    response_ = v1::JobEvent();
    response_bytes_.Clear();
    call_.Settle(idle_bytes_);
  }

  void TakeWhatIsWanted() {
    if (!job_) {
      std::erase_if(batch_, [this](const dispatch::JobEvent& event) {
        return event.type == dispatch::EventType::kLog || !filter_.Matches(event);
      });
      return;
    }
    std::erase_if(batch_, [this](const dispatch::JobEvent& event) {
      if (event.type == dispatch::EventType::kGap) check_present_ = true;
      return event.type != dispatch::EventType::kGap &&
             (event.job != *job_ || (event.type == dispatch::EventType::kLog && !include_log_));
    });
    for (size_t i = 0; i < batch_.size() && !last_batch_; ++i) {
      if (batch_[i].type != dispatch::EventType::kState || !IsTerminal(batch_[i].state)) continue;
      batch_.resize(i + 1);
      last_batch_ = true;
    }
  }

  // Called on a fiber. A watch of one job that was resumed, or that has missed events, may have missed the last one.
  void CheckPresent() {
    backend_.reads.Acquire();
    auto job = backend_.dispatcher.Get(*job_, false);
    backend_.reads.Release();
    if (job.status().code() == StatusCode::kNotFound) {
      last_batch_ = true;  // The job has finished and was forgotten.
    } else if (!job.ok()) {
      return End(job.status());
    } else if (IsTerminal(job->state)) {
      AddPresent(*job);
      call_.Settle(idle_bytes_ + BytesOf(batch_));
    }
    Pump();
  }

  void Write(const dispatch::JobEvent& event) {
    response_.Clear();
    response_.set_resume_token(MakeResumeToken(event.sequence));
    Fill(event.time, response_.mutable_event_time());
    switch (event.type) {
      case dispatch::EventType::kState:
        response_.set_state(ToProto(event.state));
        response_.set_error(Utf8(event.error));
        break;
      case dispatch::EventType::kProgress:
        Fill(event.progress, response_.mutable_progress());
        break;
      case dispatch::EventType::kLog:
        response_.set_log_chunk(event.log ? *event.log : std::string());
        break;
      case dispatch::EventType::kGap:
        response_.set_gap_events(event.gap);
        break;
    }
    if (event.type != dispatch::EventType::kGap) {
      response_.set_job_id(event.job.ToString());
      response_.set_pool(event.pool);
      response_.set_kind(event.kind);
      response_.set_attempt(event.attempt);
    }
    grpc::WriteOptions options;
    if (next_ < batch_.size()) options.set_buffer_hint();
    Serialize(response_, &response_bytes_);
    StartWrite(&response_bytes_, options);
  }

  void OnWriteDone(bool ok) override {
    if (!ok) stop_.store(StatusCode::kCancelled, std::memory_order_release);
    Pump();
  }

  void End(const Status& status) {
    ended_ = true;
    Finish(call_.End(status));
  }

  // The event log may still ring for a moment. It has a share in this object, and the pump is never idle again.
  void OnDone() override {
    backend_.open_calls.Remove(this);
    backend_.dispatcher.events().Unsubscribe(this);
    call_.LetGo();  // The event log may keep the rest of the watch for a moment, and longer than the server.
    self_.reset();
  }

  const Backend& backend_;
  grpc::CallbackServerContext* const context_;
  RpcCall call_;
  std::shared_ptr<Watch> self_;  // Until OnDone.

  std::atomic<PumpState> pump_{kBusy};  // Start owns the watch at first.
  std::atomic<StatusCode> stop_{StatusCode::kOk};

  // Used by the owner only.
  dispatch::Filter filter_;
  std::optional<JobId> job_;
  bool include_log_ = false;
  uint64_t cursor_ = 0;
  size_t idle_bytes_ = 0;                  // What the watch holds beside a batch.
  std::vector<dispatch::JobEvent> batch_;  // Events from next_ on are still to be written.
  size_t next_ = 0;
  bool last_batch_ = false;
  bool check_present_ = false;
  bool ended_ = false;
  grpc::Alarm alarm_;
  v1::JobEvent response_;
  grpc::ByteBuffer response_bytes_;
};

}  // namespace

WatchReactor* StartWatch(const Backend& backend, grpc::CallbackServerContext* context,
                         const grpc::ByteBuffer* request) {
  auto watch = std::make_shared<Watch>(backend, context);
  // Nobody else looks at the bytes; only the generated signature says const.
  watch->Start(const_cast<grpc::ByteBuffer*>(request));
  return watch.get();
}

}  // namespace millrace::rpc
