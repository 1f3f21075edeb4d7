#include "rpc/convert.h"

#include <cctype>

namespace millrace::rpc {
namespace {

using google::protobuf::Duration;
using google::protobuf::Timestamp;

constexpr int64_t kNanosPerSecond = 1'000'000'000;
constexpr size_t kReasonBytesMax = 1024;

// The enums of job.h follow those of job.proto in the same order, which makes conversion an addition.
static_assert(static_cast<int>(JobState::kScheduled) + 1 == v1::JOB_STATE_SCHEDULED &&
              static_cast<int>(JobState::kQuarantined) + 1 == v1::JOB_STATE_QUARANTINED);
static_assert(static_cast<int>(Band::kCritical) + 1 == v1::BAND_CRITICAL &&
              static_cast<int>(Band::kLow) + 1 == v1::BAND_LOW);
static_assert(static_cast<int>(AttemptResult::kRunning) == v1::ATTEMPT_RESULT_UNSPECIFIED &&
              static_cast<int>(AttemptResult::kReleased) == v1::ATTEMPT_RESULT_RELEASED);
static_assert(static_cast<int>(Durability::kNone) + 1 == v1::DURABILITY_NONE &&
              static_cast<int>(Durability::kFsync) + 1 == v1::DURABILITY_FSYNC);
static_assert(static_cast<int>(UniqueScope::kWhileQueued) + 1 == v1::UniqueKey::SCOPE_WHILE_QUEUED &&
              static_cast<int>(UniqueScope::kWhileUnfinished) + 1 == v1::UniqueKey::SCOPE_WHILE_UNFINISHED);
static_assert(static_cast<int>(OnTaken::kReturnExisting) + 1 == v1::UniqueKey::ON_TAKEN_RETURN_EXISTING &&
              static_cast<int>(OnTaken::kReject) + 1 == v1::UniqueKey::ON_TAKEN_REJECT);
static_assert(static_cast<int>(dispatch::PoolState::kActive) + 1 == v1::Pool::STATE_ACTIVE &&
              static_cast<int>(dispatch::PoolState::kMissing) + 1 == v1::Pool::STATE_MISSING);
static_assert(static_cast<int>(Waiting::Reason::kTime) + 1 == v1::Waiting::REASON_TIME &&
              static_cast<int>(Waiting::Reason::kQueue) + 1 == v1::Waiting::REASON_QUEUE);

Result<Band> BandOf(v1::Band band) {
  if (band == v1::BAND_UNSPECIFIED) return Band::kNormal;
  if (!v1::Band_IsValid(band)) {
    return InvalidArgument("UNKNOWN_BAND", "spec.band " + std::to_string(static_cast<int>(band)) +
                                               " is unknown: use BAND_CRITICAL, BAND_HIGH, BAND_NORMAL or BAND_LOW")
        .Field("spec.band");
  }
  return static_cast<Band>(static_cast<int>(band) - 1);
}

template <typename Value, typename Message>
Status Take(bool given, const Message& message, const char* field, std::optional<Value>* out) {
  if (!given) {
    out->reset();
    return OkStatus();
  }
  auto value = FromProto(message, field);
  if (!value.ok()) return value.status();
  *out = *value;
  return OkStatus();
}

Status TakeRetry(const v1::RetryPolicy& retry, RetryOverrides* out) {
  if (retry.has_max_attempts()) out->max_attempts = retry.max_attempts();
  if (retry.has_backoff_multiplier()) out->multiplier = retry.backoff_multiplier();
  MR_RETURN_IF_ERROR(
      Take(retry.has_initial_backoff(), retry.initial_backoff(), "spec.retry.initial_backoff", &out->initial_backoff));
  return Take(retry.has_max_backoff(), retry.max_backoff(), "spec.retry.max_backoff", &out->max_backoff);
}

// A field that is not set keeps the value with which UniqueKey begins.
Status TakeUniqueKey(v1::UniqueKey* unique, UniqueKey* out) {
  out->key = std::move(*unique->mutable_key());
  if (!v1::UniqueKey::Scope_IsValid(unique->scope())) {
    return InvalidArgument("UNKNOWN_SCOPE", "spec.unique_key.scope " + std::to_string(unique->scope()) +
                                                " is unknown: use SCOPE_WHILE_QUEUED or SCOPE_WHILE_UNFINISHED")
        .Field("spec.unique_key.scope");
  }
  if (!v1::UniqueKey::OnTaken_IsValid(unique->on_taken())) {
    return InvalidArgument("UNKNOWN_ON_TAKEN", "spec.unique_key.on_taken " + std::to_string(unique->on_taken()) +
                                                   " is unknown: use ON_TAKEN_RETURN_EXISTING or ON_TAKEN_REJECT")
        .Field("spec.unique_key.on_taken");
  }
  if (unique->scope() != v1::UniqueKey::SCOPE_UNSPECIFIED) {
    out->scope = static_cast<UniqueScope>(static_cast<int>(unique->scope()) - 1);
  }
  if (unique->on_taken() != v1::UniqueKey::ON_TAKEN_UNSPECIFIED) {
    out->on_taken = static_cast<OnTaken>(static_cast<int>(unique->on_taken()) - 1);
  }
  return OkStatus();
}

void FillUniqueKey(const UniqueKey& unique, v1::UniqueKey* out) {
  out->set_key(unique.key);
  out->set_scope(static_cast<v1::UniqueKey::Scope>(static_cast<int>(unique.scope) + 1));
  out->set_on_taken(static_cast<v1::UniqueKey::OnTaken>(static_cast<int>(unique.on_taken) + 1));
}

Status TakeSpec(v1::JobSpec* spec, JobSpec* out) {
  *out = JobSpec();
  out->pool = std::move(*spec->mutable_pool());
  out->kind = std::move(*spec->mutable_kind());
  if (!spec->payload().empty()) out->payload = MakeBytes(std::move(*spec->mutable_payload()));
  auto band = BandOf(spec->band());
  if (!band.ok()) return band.status();
  out->band = *band;
  MR_RETURN_IF_ERROR(Take(spec->has_delay(), spec->delay(), "spec.delay", &out->delay));
  MR_RETURN_IF_ERROR(Take(spec->has_run_at(), spec->run_at(), "spec.run_at", &out->run_at));
  if (spec->has_run_timeout()) {
    auto timeout = FromProto(spec->run_timeout(), "spec.run_timeout", kRunTimeoutMax, kRunTimeoutMin);
    if (!timeout.ok()) return timeout.status();
    out->run_timeout = *timeout;
  }
  MR_RETURN_IF_ERROR(Take(spec->has_deadline(), spec->deadline(), "spec.deadline", &out->deadline));
  MR_RETURN_IF_ERROR(
      Take(spec->has_deadline_after(), spec->deadline_after(), "spec.deadline_after", &out->deadline_after));
  if (spec->has_retry()) MR_RETURN_IF_ERROR(TakeRetry(spec->retry(), &out->retry));
  out->no_retry_after_start = spec->no_retry_after_start();
  for (auto& [key, value] : *spec->mutable_labels()) out->labels.emplace(key, std::move(value));
  if (spec->has_trace()) {
    v1::TraceContext& trace = *spec->mutable_trace();
    out->trace = Trace({.traceparent = std::move(*trace.mutable_traceparent()),
                        .tracestate = std::move(*trace.mutable_tracestate()),
                        .baggage = std::move(*trace.mutable_baggage())});
  }
  if (spec->has_placement()) {
    for (auto& [key, value] : *spec->mutable_placement()->mutable_require()) {
      out->placement.require.emplace(key, std::move(value));
    }
    for (auto& [key, value] : *spec->mutable_placement()->mutable_prefer()) {
      out->placement.prefer.emplace(key, std::move(value));
    }
  }
  if (spec->has_unique_key()) return TakeUniqueKey(spec->mutable_unique_key(), &out->unique_key.emplace());
  return OkStatus();
}

void FillSpec(const JobSpec& spec, View view, v1::JobSpec* out) {
  out->set_pool(spec.pool);
  out->set_kind(spec.kind);
  if (view == View::kFull && spec.payload) out->set_payload(*spec.payload);
  out->set_band(static_cast<v1::Band>(static_cast<int>(spec.band) + 1));
  if (spec.delay) Fill(*spec.delay, out->mutable_delay());
  if (spec.run_at) Fill(*spec.run_at, out->mutable_run_at());
  if (spec.run_timeout) Fill(*spec.run_timeout, out->mutable_run_timeout());
  if (spec.deadline) Fill(*spec.deadline, out->mutable_deadline());
  const RetryOverrides& retry = spec.retry;
  if (retry.max_attempts) out->mutable_retry()->set_max_attempts(*retry.max_attempts);
  if (retry.initial_backoff) Fill(*retry.initial_backoff, out->mutable_retry()->mutable_initial_backoff());
  if (retry.max_backoff) Fill(*retry.max_backoff, out->mutable_retry()->mutable_max_backoff());
  if (retry.multiplier) out->mutable_retry()->set_backoff_multiplier(*retry.multiplier);
  out->set_no_retry_after_start(spec.no_retry_after_start);
  for (const auto& [key, value] : spec.labels) (*out->mutable_labels())[key] = value;
  if (spec.unique_key) FillUniqueKey(*spec.unique_key, out->mutable_unique_key());
  if (spec.trace) {
    out->mutable_trace()->set_traceparent(spec.trace->traceparent);
    out->mutable_trace()->set_tracestate(spec.trace->tracestate);
    out->mutable_trace()->set_baggage(spec.trace->baggage);
  }
  const Placement& placement = spec.placement;
  for (const auto& [key, value] : placement.require) (*out->mutable_placement()->mutable_require())[key] = value;
  for (const auto& [key, value] : placement.prefer) (*out->mutable_placement()->mutable_prefer())[key] = value;
}

void FillAttempt(const Attempt& attempt, v1::Attempt* out) {
  out->set_number(attempt.number);
  Fill(attempt.start, out->mutable_start_time());
  if (attempt.end) Fill(*attempt.end, out->mutable_end_time());
  out->set_worker(attempt.worker);
  out->set_result(static_cast<v1::AttemptResult>(attempt.result));
  out->set_error(Utf8(attempt.error));
  out->set_exit_code(attempt.exit_code);
  v1::AttemptTimings* timings = out->mutable_timings();
  Fill(attempt.timings.queued, timings->mutable_queued());
  Fill(attempt.timings.run, timings->mutable_run());
  Fill(attempt.timings.cpu, timings->mutable_cpu());
  Fill(attempt.timings.runnable, timings->mutable_runnable());
  Fill(attempt.timings.blocked_inside, timings->mutable_blocked_inside());
  Fill(attempt.timings.blocked_outside, timings->mutable_blocked_outside());
}

}  // namespace

Status TakeSubmit(v1::SubmitJobRequest&& request, dispatch::Submission::Item* item) {
  MR_RETURN_IF_ERROR(TakeSpec(request.mutable_spec(), &item->spec));
  item->request_id = std::move(*request.mutable_request_id());
  return OkStatus();
}

Result<dispatch::OnFull> FromProto(v1::OnFull on_full) {
  switch (on_full) {
    case v1::ON_FULL_UNSPECIFIED:
    case v1::ON_FULL_REJECT:
      return dispatch::OnFull::kReject;
    case v1::ON_FULL_WAIT:
      return dispatch::OnFull::kWait;
    default:
      return InvalidArgument("UNKNOWN_ON_FULL", "on_full " + std::to_string(static_cast<int>(on_full)) +
                                                    " is unknown: use ON_FULL_REJECT or ON_FULL_WAIT")
          .Field("on_full");
  }
}

Result<JobId> ParseJobId(const std::string& text, std::string field) {
  if (const auto id = JobId::Parse(text)) return *id;
  return InvalidArgument("JOB_ID_MALFORMED",
                         text.empty()
                             ? field + " is empty: give the id that the submit returned"
                             : "'" + text + "' is not a job id: 26 letters and digits, as the submit returned it")
      .Field(field);
}

Result<View> ViewOf(v1::JobView view, View otherwise) {
  switch (view) {
    case v1::JOB_VIEW_UNSPECIFIED:
      return otherwise;
    case v1::JOB_VIEW_BASIC:
      return View::kBasic;
    case v1::JOB_VIEW_FULL:
      return View::kFull;
    case v1::JOB_VIEW_RESULT:
      return View::kResult;
    default:
      return InvalidArgument("UNKNOWN_VIEW", "view " + std::to_string(static_cast<int>(view)) +
                                                 " is unknown: use JOB_VIEW_BASIC, JOB_VIEW_RESULT or JOB_VIEW_FULL")
          .Field("view");
  }
}

Result<Nanos> FromProto(const Duration& duration, const std::string& field, Nanos most, Nanos least) {
  const int64_t seconds_max = std::chrono::floor<std::chrono::seconds>(most).count();
  const bool sound = duration.seconds() >= 0 && duration.seconds() <= seconds_max && duration.nanos() >= 0 &&
                     duration.nanos() < kNanosPerSecond;
  const Nanos value(sound ? duration.seconds() * kNanosPerSecond + duration.nanos() : -1);
  if (sound && value >= least && value <= most) return value;
  std::string said = std::to_string(duration.seconds()) + " s";
  if (duration.nanos() != 0) said += " and " + std::to_string(duration.nanos()) + " ns";
  return DurationOutOfRange(said, least, most, field);
}

Result<WallTime> FromProto(const Timestamp& time, std::string field) {
  // A Timestamp holds the years 1 to 9999; nanoseconds in 64 bits end in 2262.
  constexpr int64_t kSecondsMax = 9'223'372'035;
  if (time.nanos() < 0 || time.nanos() >= kNanosPerSecond || time.seconds() < -62'135'596'800 ||
      time.seconds() > kSecondsMax) {
    return InvalidArgument("BAD_TIME", field + " is not a time between the years 1 and 2262: seconds " +
                                           std::to_string(time.seconds()) + ", nanos " + std::to_string(time.nanos()))
        .Field(field);
  }
  if (time.seconds() < 0) return WallTime{};
  return WallTime(Nanos(time.seconds() * kNanosPerSecond + time.nanos()));
}

Status CheckReason(const std::string& reason) {
  if (reason.size() <= kReasonBytesMax) return OkStatus();
  return InvalidArgument("REASON_TOO_LONG", "reason has " + std::to_string(reason.size()) + " bytes: use at most " +
                                                std::to_string(kReasonBytesMax))
      .Field("reason");
}

Status InField(std::string_view prefix, Status status) {
  if (status.field().empty()) return status;
  std::string field = std::string(prefix) + status.field();
  return std::move(status).Field(field);
}

std::string Utf8(const std::string& text) {
  namespace utf8 = google::protobuf::internal;
  if (utf8::IsStructurallyValidUTF8(text)) return text;
  std::string copy(text.size(), '\0');
  const char* valid = utf8::UTF8CoerceToStructurallyValid(text, copy.data(), '?');
  return std::string(valid, text.size());
}

v1::JobState ToProto(JobState state) { return static_cast<v1::JobState>(static_cast<int>(state) + 1); }

v1::Durability ToProto(Durability durability) { return static_cast<v1::Durability>(static_cast<int>(durability) + 1); }

std::string WordFor(Durability durability) {
  constexpr std::string_view kPrefix = "DURABILITY_";
  std::string word = v1::Durability_Name(ToProto(durability)).substr(kPrefix.size());
  for (char& c : word) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return word;
}

void Fill(WallTime time, Timestamp* out) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  out->set_seconds(seconds.time_since_epoch().count());
  out->set_nanos(static_cast<int32_t>((time - seconds).count()));
}

void Fill(Nanos duration, Duration* out) {
  out->set_seconds(duration.count() / kNanosPerSecond);
  out->set_nanos(static_cast<int32_t>(duration.count() % kNanosPerSecond));
}

void Fill(const dispatch::SubmitAck& ack, Durability durability, v1::SubmitJobResponse* out) {
  out->set_id(ack.id.ToString());
  out->set_state(ToProto(ack.state));
  out->set_existing(ack.existing);
  out->set_durability(ToProto(durability));
}

void Fill(const Progress& progress, v1::Progress* out) {
  out->set_fraction(progress.fraction);
  out->set_message(Utf8(progress.message));
  Fill(progress.updated, out->mutable_update_time());
}

void Fill(const JobSnapshot& job, View view, v1::Job* out) {
  out->set_id(job.id.ToString());
  if (job.spec) FillSpec(*job.spec, view, out->mutable_spec());
  out->set_state(ToProto(job.state));
  Fill(job.created, out->mutable_create_time());
  if (job.due) Fill(*job.due, out->mutable_due_time());
  if (job.finished) Fill(*job.finished, out->mutable_finish_time());
  out->set_attempts(job.attempts);
  out->set_losses(job.losses);
  if (job.progress) Fill(*job.progress, out->mutable_progress());
  out->set_error(Utf8(job.error));
  out->set_log_bytes(job.log_bytes);
  out->set_cancel_requested(job.cancel_requested);
  out->set_checkpoint_bytes(job.checkpoint_bytes);
  out->set_result_bytes(job.result_bytes);
  if (job.waiting) {
    out->mutable_waiting()->set_reason(static_cast<v1::Waiting::Reason>(static_cast<int>(job.waiting->reason) + 1));
    out->mutable_waiting()->set_message(Utf8(job.waiting->message));
    out->mutable_waiting()->set_jobs_ahead(job.waiting->jobs_ahead);
  }
  if (view == View::kBasic) return;
  for (const Attempt& attempt : job.history) FillAttempt(attempt, out->add_attempt_history());
  if (job.result) out->set_result(*job.result);
  out->set_log_tail(job.log_tail);
}

void Fill(const dispatch::PoolStatus& pool, v1::Pool* out) {
  out->set_name(pool.name);
  out->set_runner(pool.runner);
  out->set_state(static_cast<v1::Pool::State>(static_cast<int>(pool.state) + 1));
  out->set_workers(pool.workers);
  out->set_workers_busy(pool.workers_busy);
  out->set_capacity_jobs(pool.capacity_jobs);
  out->set_capacity_bytes(pool.capacity_bytes);
  out->set_queued_jobs(pool.queued_jobs);
  out->set_queued_bytes(pool.queued_bytes);
  for (int band = 0; band < kBands; ++band) {
    v1::BandDepth* depth = out->add_bands();
    depth->set_band(static_cast<v1::Band>(band + 1));
    depth->set_queued_jobs(pool.bands[static_cast<size_t>(band)]);
  }
  out->set_scheduled_jobs(pool.scheduled_jobs);
  if (pool.oldest_queued) Fill(*pool.oldest_queued, out->mutable_oldest_queued_time());
  for (const std::string& kind : pool.kinds) out->add_kinds(kind);
  const dispatch::Efficiency& from = pool.efficiency;
  v1::Efficiency* efficiency = out->mutable_efficiency();
  Fill(from.window, efficiency->mutable_window());
  efficiency->set_speedup(from.speedup);
  efficiency->set_efficiency(from.efficiency);
  efficiency->set_utilization(from.utilization);
  Fill(from.work.useful, efficiency->mutable_useful());
  Fill(from.work.lost_runnable, efficiency->mutable_lost_runnable());
  Fill(from.work.lost_blocked, efficiency->mutable_lost_blocked());
  out->set_waiting_submits(pool.waiting_submits);
}

}  // namespace millrace::rpc
