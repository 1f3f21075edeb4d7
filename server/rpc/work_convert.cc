#include "rpc/work_convert.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "rpc/convert.h"

namespace millrace::rpc {
namespace {

using dispatch::AttemptOutcome;
using dispatch::LeaseRef;
using dispatch::WorkerState;
using dispatch::WorkerWords;

// The states of worker_status.h are those of the proto in the same order.
static_assert(static_cast<int>(WorkerState::kConnected) + 1 == v1::Worker::STATE_CONNECTED &&
              static_cast<int>(WorkerState::kSilent) + 1 == v1::Worker::STATE_SILENT);

// A worker holds no more than this, so it has no more to say at once.
template <typename List>
Status CheckCount(const List& list, const std::string& field) {
  if (list.size() <= dispatch::kLeaseSlotsMax) return OkStatus();
  return InvalidArgument("TOO_MANY_WORDS", field + " has " + std::to_string(list.size()) + " items; send " +
                                               std::to_string(dispatch::kLeaseSlotsMax) + " at most in a message")
      .Field(field);
}

// nullopt: it is no time that can be. What a worker says of times is not worth an error.
std::optional<Nanos> TimeOf(const google::protobuf::Duration& duration) {
  auto value = FromProto(duration, "duration");
  return value.ok() ? std::optional(*value) : std::nullopt;
}

template <typename Refs>
Status TakeRefs(const Refs& refs, const std::string& field, std::vector<LeaseRef>* out) {
  MR_RETURN_IF_ERROR(CheckCount(refs, field));
  out->reserve(static_cast<size_t>(refs.size()));
  for (const v1::AttemptRef& ref : refs) {
    auto taken = TakeRef(ref, field);
    if (!taken.ok()) return taken.status();
    out->push_back(*taken);
  }
  return OkStatus();
}

Status TakeEnd(v1::AttemptEnd&& end, WorkerWords::Ended* out) {
  auto ref = TakeRef(end.ref(), "ended.ref");
  if (!ref.ok()) return ref.status();
  out->ref = *ref;
  if (end.has_failure()) {
    v1::AttemptFailure& failure = *end.mutable_failure();
    out->finished.outcome = AttemptOutcome::Failed(std::move(*failure.mutable_error()));
    out->finished.outcome.do_not_retry = failure.do_not_retry();
    if (failure.has_retry_after()) out->finished.outcome.retry_after = TimeOf(failure.retry_after());
  } else {
    out->finished.outcome = AttemptOutcome::Succeeded(std::move(*end.mutable_result()));
  }
  out->finished.timings = TimingsOf(end.timings());
  return OkStatus();
}

// 0 means the first version. A range that is empty, or upside down, has no version in common with ours.
Status CheckProtocol(const v1::WorkerHello& hello) {
  const int least = hello.protocol_min() == 0 ? kProtocol : hello.protocol_min();
  const int most = hello.protocol_max() == 0 ? kProtocol : hello.protocol_max();
  if (least <= kProtocol && kProtocol <= most) return OkStatus();
  return FailedPrecondition("PROTOCOL_UNSUPPORTED",
                            "the worker speaks versions " + std::to_string(least) + " to " + std::to_string(most) +
                                " of the protocol, and this daemon versions " + std::to_string(kProtocol) + " to " +
                                std::to_string(kProtocol) + ": update whichever of the two is older")
      .With("worker_min", least)
      .With("worker_max", most)
      .With("daemon_min", kProtocol)
      .With("daemon_max", kProtocol);
}

}  // namespace

AttemptTimings TimingsOf(const v1::AttemptTimings& timings) {
  return {.cpu = TimeOf(timings.cpu()).value_or(Nanos(0)),
          .runnable = TimeOf(timings.runnable()).value_or(Nanos(0)),
          .blocked_inside = TimeOf(timings.blocked_inside()).value_or(Nanos(0))};
}

Result<LeaseRef> TakeRef(const v1::AttemptRef& ref, const std::string& field) {
  auto job = ParseJobId(ref.job_id(), field + ".job_id");
  if (!job.ok()) return job.status();
  return LeaseRef{.job = *job, .claim = {.attempt = ref.attempt(), .token = ref.token()}};
}

Status TakeHello(v1::WorkerHello&& hello, dispatch::WorkerOffer* offer) {
  MR_RETURN_IF_ERROR(CheckProtocol(hello));
  offer->worker = std::move(*hello.mutable_worker());
  offer->key = std::move(*hello.mutable_instance_key());
  offer->slots = hello.slots();
  offer->kinds.reserve(static_cast<size_t>(hello.kinds_size()));
  for (v1::KindOffer& kind : *hello.mutable_kinds()) {
    dispatch::KindOffer& offered = offer->kinds.emplace_back();
    offered.name = std::move(*kind.mutable_kind());
    offered.slots = kind.slots() == 0 ? 1 : kind.slots();
    offered.at_once_max = kind.at_once_max();
    if (!kind.has_beat_within()) continue;
    auto within = FromProto(kind.beat_within(), "hello.kinds.beat_within", kRunTimeoutMax);
    if (!within.ok()) {
      return InvalidArgument("BAD_WORKER", within.status().message()).Field(within.status().field());
    }
    offered.beat_within = *within;
  }
  offer->held.reserve(static_cast<size_t>(hello.held_size()));
  for (const v1::HeldAttempt& held : hello.held()) {
    auto ref = TakeRef(held.ref(), "hello.held.ref");
    if (!ref.ok()) return ref.status();
    offer->held.push_back({.ref = *ref, .finished = held.state() == v1::HeldAttempt::STATE_ENDED_UNACKED});
  }
  offer->sdk = std::move(*hello.mutable_sdk());
  offer->build_id = std::move(*hello.mutable_build_id());
  for (auto& [name, value] : *hello.mutable_labels()) offer->labels.emplace(name, std::move(value));
  const auto& able = hello.capabilities();
  offer->reads_payloads = std::find(able.begin(), able.end(), kPayloadRefCapability) != able.end();
  return OkStatus();
}

Status TakeWords(v1::WorkRequest&& request, WorkerWords* words) {
  MR_RETURN_IF_ERROR(TakeRefs(request.accepted(), "accepted", &words->accepted));
  MR_RETURN_IF_ERROR(CheckCount(request.outputs(), "outputs"));
  MR_RETURN_IF_ERROR(CheckCount(request.ended(), "ended"));
  for (v1::AttemptOutput& output : *request.mutable_outputs()) {
    auto ref = TakeRef(output.ref(), "outputs.ref");
    if (!ref.ok()) return ref.status();
    WorkerWords::Shown& shown = words->shown.emplace_back();
    shown.ref = *ref;
    shown.log = std::move(*output.mutable_log());
    if (output.has_checkpoint()) shown.checkpoint = std::move(*output.mutable_checkpoint());
    if (!output.has_progress()) continue;
    shown.progress.emplace();
    shown.progress->fraction = output.progress().fraction();
    shown.progress->message = std::move(*output.mutable_progress()->mutable_message());
  }
  for (v1::AttemptEnd& end : *request.mutable_ended()) {
    MR_RETURN_IF_ERROR(TakeEnd(std::move(end), &words->ended.emplace_back()));
  }
  MR_RETURN_IF_ERROR(TakeRefs(request.released(), "released", &words->released));
  if (request.has_credit()) words->slots_granted = request.credit().slots_granted_total();
  words->draining = request.draining();
  if (request.heartbeat().has_held()) {
    words->held.emplace();
    MR_RETURN_IF_ERROR(TakeRefs(request.heartbeat().held().refs(), "heartbeat.held.refs", &*words->held));
  }
  return OkStatus();
}

void Fill(const LeaseRef& ref, v1::AttemptRef* out) {
  out->set_job_id(ref.job.ToString());
  out->set_attempt(ref.claim.attempt);
  out->set_token(ref.claim.token);
}

void Fill(const dispatch::LeaseOptions& options, v1::WorkerWelcome* out) {
  Fill(options.heartbeat_interval(), out->mutable_heartbeat_interval());
  Fill(options.lease, out->mutable_lease());
  Fill(options.accept_within, out->mutable_accept_within());
  Fill(options.resume_grace, out->mutable_resume_grace());
  Fill(options.finish_within, out->mutable_finish_within());
}

void Fill(const dispatch::Lease& lease, v1::Lease* out) {
  Fill(lease.ref, out->mutable_ref());
  const JobSpec& spec = *lease.spec;
  out->set_kind(spec.kind);
  if (lease.payload_apart != 0) {
    out->set_payload_bytes(lease.payload_apart);
  } else {
    out->set_payload(std::string(PayloadOf(spec)));
  }
  if (lease.checkpoint) out->set_checkpoint(*lease.checkpoint);
  if (lease.run_timeout) Fill(*lease.run_timeout, out->mutable_run_timeout());
  for (const auto& [name, value] : spec.labels) (*out->mutable_labels())[name] = value;
  if (spec.trace) {
    out->mutable_trace()->set_traceparent(spec.trace->traceparent);
    out->mutable_trace()->set_tracestate(spec.trace->tracestate);
    out->mutable_trace()->set_baggage(spec.trace->baggage);
  }
  out->set_losses(lease.losses);
}

void Fill(const dispatch::LeaseStop& stop, v1::AttemptStop* out) {
  Fill(stop.ref, out->mutable_ref());
  out->set_reason(stop.why.reason());
  out->set_message(Utf8(stop.why.message()));
}

void Fill(const dispatch::LeaseStop& refused, v1::AttemptError* out) {
  Fill(refused.ref, out->mutable_ref());
  out->set_reason(refused.why.reason());
  out->set_message(Utf8(refused.why.message()));
}

void Fill(const dispatch::WorkerStatus& worker, v1::Worker* out) {
  out->set_id(worker.id.ToString());
  out->set_name(worker.name);
  out->set_state(static_cast<v1::Worker::State>(static_cast<int>(worker.state) + 1));
  out->set_sdk(worker.sdk);
  out->set_build_id(worker.build_id);
  for (const auto& [name, value] : worker.labels) (*out->mutable_labels())[name] = value;
  for (const dispatch::KindOffer& kind : worker.kinds) {
    v1::KindOffer& offer = *out->add_kinds();
    offer.set_kind(kind.name);
    offer.set_slots(kind.slots);
    offer.set_at_once_max(kind.at_once_max);
    if (kind.beat_within) Fill(*kind.beat_within, offer.mutable_beat_within());
  }
  out->set_slots(static_cast<int32_t>(worker.slots));
  out->set_slots_used(static_cast<int32_t>(worker.slots_used));
  Fill(worker.connected, out->mutable_connect_time());
  Fill(worker.heard, out->mutable_heard_time());
  out->set_attempts_given(worker.attempts_given);
  for (const dispatch::WorkerStatus::Held& held : worker.held) {
    v1::WorkerAttempt& attempt = *out->add_attempts();
    attempt.set_job_id(held.job.ToString());
    attempt.set_kind(held.kind);
    attempt.set_attempt(held.attempt);
    Fill(held.start, attempt.mutable_start_time());
    attempt.set_accepted(held.accepted);
  }
}

}  // namespace millrace::rpc
