#include "client/client.h"

#include <absl/synchronization/mutex.h>

#include <algorithm>
#include <cstdio>
#include <random>
#include <string_view>
#include <utility>

#include "base/address.h"
#include "client/blocking_call.h"
#include "client/call_metadata.h"
#include "client/client_state.h"
#include "client/errors.h"
#include "client/words.h"

namespace millrace::client {
namespace {

using std::chrono::milliseconds;
using SteadyClock = std::chrono::steady_clock;

constexpr milliseconds kNone{-1};
constexpr milliseconds kPoll = std::chrono::seconds(60);  // One WaitJob; short enough for proxies that cut idle calls.
constexpr milliseconds kMargin = std::chrono::seconds(10);  // The answer to such a poll may take so long to arrive.
constexpr milliseconds kPause{500};
constexpr char kDefaultPort[] = "7070";

// Methods that may be repeated when they answer UNAVAILABLE, which can also mean that the connection broke after the
// server had acted. CancelJob, RetryJob and DeleteJob would then answer WRONG_STATE or NOT_FOUND about their own
// success; a repeated StreamSubmit would submit its first items twice.
constexpr const char* kRepeatable[][2] = {
    {"JobService", "SubmitJob"},      {"JobService", "BatchSubmitJobs"}, {"JobService", "GetJob"},
    {"JobService", "ListJobs"},       {"JobService", "WaitJob"},         {"PoolService", "ListPools"},
    {"PoolService", "GetPool"},       {"PoolService", "ResizePool"},     {"PoolService", "PausePool"},
    {"PoolService", "ResumePool"},    {"WorkerService", "ListWorkers"},  {"WorkerService", "GetWorker"},
    {"WorkerService", "DrainWorker"}, {"WorkerService", "ResumeWorker"},
};

std::string ServiceConfig(int max_attempts) {
  std::string names;
  for (const auto& [service, method] : kRepeatable) {
    names += std::string(names.empty() ? "" : ",") + R"({"service":"millrace.v1.)" + service + R"(","method":")" +
             method + "\"}";
  }
  return R"({"methodConfig":[{"name":[)" + names + R"(],"retryPolicy":{"maxAttempts":)" + std::to_string(max_attempts) +
         R"(,"initialBackoff":"0.1s","maxBackoff":"1s","backoffMultiplier":2,)"
         R"("retryableStatusCodes":["UNAVAILABLE"]}}],)"
         R"("retryThrottling":{"maxTokens":10,"tokenRatio":0.5}})";
}

// The address with its port. gRPC itself would take port 84536 for 19000.
Result<std::string> Whole(const std::string& text) {
  if (text.starts_with("unix:") && text.size() > 5) return text;  // The socket of a proxy; the daemon has none.
  const bool in_brackets = text.starts_with('[') && text.ends_with(']');
  const bool has_port = !in_brackets && (text.empty() || text.find(':') != std::string::npos);
  const Result<Address> address = ParseAddress(has_port ? text : text + ":" + kDefaultPort);
  if (address.ok() && address->port != 0) return address->ToString();
  if (address.ok()) {
    return InvalidArgument("BAD_ADDRESS", "'" + text + "' is no address to connect to: a port is 1 to 65535");
  }
  return address.status();
}

// What may be repeated must be known again by the server, so each job gets an id where it has none.
void GiveRequestId(v1::SubmitJobRequest* request, const ClientOptions& options) {
  if (options.max_attempts > 1 && request->request_id().empty()) request->set_request_id(RandomId());
}
void GiveRequestIds(v1::BatchSubmitJobsRequest* batch, const ClientOptions& options) {
  for (v1::SubmitJobRequest& request : *batch->mutable_requests()) GiveRequestId(&request, options);
}

template <typename Request, typename Response>
struct AsyncCall {
  grpc::ClientContext context;
  Request request;
  Response response;
  Client::Done<Response> done;
  std::stop_token stop;
  std::optional<std::stop_callback<std::function<void()>>> cancel;
};

// `Start` gets the context, the request, the response and the function that gRPC calls at the end.
template <typename Request, typename Response, typename Start>
void CallAsync(Client::State& state, Request request, Client::Done<Response> done, const CallOptions& options,
               Start start) {
  auto* call = new AsyncCall<Request, Response>{{}, std::move(request), {}, std::move(done), {}, {}};
  state.Prepare(call->context, options);
  call->stop = options.stop;
  if (options.stop.stop_possible()) call->cancel.emplace(options.stop, [call] { call->context.TryCancel(); });
  {
    std::lock_guard lock(state.mutex);
    ++state.async_calls;
  }
  start(&call->context, &call->request, &call->response, [&state, call](const grpc::Status& status) {
    std::unique_ptr<AsyncCall<Request, Response>> owned(call);
    if (status.ok()) {
      state.reached = true;
      owned->done(std::move(owned->response));
    } else {
      owned->done(FromGrpc(status, state.address, owned->stop.stop_requested()));
    }
    owned.reset();
    std::lock_guard lock(state.mutex);
    if (--state.async_calls == 0) state.idle.notify_all();
  });
}

// Where a watch begins; empty when the server does not say so. After WaitForInitialMetadata.
std::string TokenOfBeginning(const grpc::ClientContext& context) {
  const auto found = context.GetServerInitialMetadata().find("millrace-resume-token");
  if (found == context.GetServerInitialMetadata().end()) return "";
  return std::string(found->second.data(), found->second.size());
}

v1::JobEvent UnknownGap() {
  v1::JobEvent gap;
  gap.set_gap_events(0);
  gap.mutable_event_time()->set_seconds(
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count());
  return gap;
}

template <typename Request>
Request OfAll(const BulkRequest& what) {
  Request request;
  request.set_filter(what.filter);
  request.set_validate_only(what.validate_only);
  return request;
}

template <typename Response>
Result<BulkCounts> CountsOf(const Result<Response>& response) {
  if (!response.ok()) return response.status();
  return BulkCounts{response->matched(), response->changed(),
                    response->has_first_error() ? FromRpcStatus(response->first_error()) : OkStatus()};
}

}  // namespace

bool Pause(milliseconds time, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock(mutex);
  never.wait_for(lock, stop, time, [] { return false; });
  return !stop.stop_requested();
}

std::string RandomId() {
  std::random_device random;
  char text[33];
  std::snprintf(text, sizeof text, "%08x%08x%08x%08x", random(), random(), random(), random());
  return text;
}

grpc::ChannelArguments ArgumentsOf(const ClientOptions& options) {
  grpc::ChannelArguments args;
  if (options.max_attempts > 1) {
    args.SetServiceConfigJSON(ServiceConfig(std::min(options.max_attempts, 5)));
  } else {
    args.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  }
  // The server permits a ping in 10 s. A client that watches a quiet pool sends nothing else.
  args.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 30'000);
  args.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10'000);
  args.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  args.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 5'000);
  // gRPC would send calls for 127.0.0.1 through the proxy that http_proxy names.
  args.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  args.SetMaxReceiveMessageSize(kReceiveBytesMax);
  if (options.own_connection) args.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return args;
}

Client::Client(std::unique_ptr<State> state) : state_(std::move(state)) {}

Client::~Client() {
  std::unique_lock lock(state_->mutex);
  state_->idle.wait(lock, [this] { return state_->async_calls == 0; });
}

Result<std::unique_ptr<Client>> Client::Connect(const std::string& address, ClientOptions options) {
  Result<std::string> whole = Whole(address);
  if (!whole.ok()) return Status(whole.status()).Field("address").With("address", address);
  // Abseil's Debian build watches the order of gRPC's locks and ends the process where it takes one for a deadlock to
  // come. It is wrong at times: it knows locks by their address, and memory is used again.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  MR_RETURN_IF_ERROR(CheckMetadata(options.metadata));
  auto state = std::make_unique<State>();
  state->address = *std::move(whole);
  state->channel = grpc::CreateCustomChannel(state->address, grpc::InsecureChannelCredentials(), ArgumentsOf(options));
  state->options = std::move(options);
  state->jobs = v1::JobService::NewStub(state->channel);
  state->pools = v1::PoolService::NewStub(state->channel);
  state->workers = v1::WorkerService::NewStub(state->channel);
  state->admin = v1::AdminService::NewStub(state->channel);
  return std::unique_ptr<Client>(new Client(std::move(state)));
}

const std::string& Client::address() const { return state_->address; }

bool Client::reached() const { return state_->reached; }

Result<v1::SubmitJobResponse> Client::Submit(v1::SubmitJobRequest request, const CallOptions& call) {
  GiveRequestId(&request, state_->options);
  return MR_CALL(jobs, JobService, SubmitJob, request, call);
}

Result<v1::BatchSubmitJobsResponse> Client::BatchSubmit(v1::BatchSubmitJobsRequest request, const CallOptions& call) {
  GiveRequestIds(&request, state_->options);
  return MR_CALL(jobs, JobService, BatchSubmitJobs, request, call);
}

Result<v1::Job> Client::GetWithoutResult(const std::string& id, v1::JobView view, const CallOptions& call) {
  v1::GetJobRequest request;
  request.set_id(id);
  request.set_view(view);
  return MR_CALL(jobs, JobService, GetJob, request, call);
}

Result<v1::Job> Client::Get(const std::string& id, v1::JobView view, const CallOptions& call) {
  Result<v1::Job> job = GetWithoutResult(id, view, call);
  return view == v1::JOB_VIEW_BASIC ? job : WithResult(std::move(job), call);
}

Result<v1::ListJobsResponse> Client::ListPage(const v1::ListJobsRequest& request, const CallOptions& call) {
  return MR_CALL(jobs, JobService, ListJobs, request, call);
}

Status Client::List(v1::ListJobsRequest request, const std::function<bool(v1::Job)>& on_job, const CallOptions& call) {
  const TimeLeft left(call.deadline);
  do {
    Result<v1::ListJobsResponse> page = ListPage(request, {.deadline = left.Get(), .stop = call.stop});
    if (!page.ok()) return page.status();
    for (v1::Job& job : *page->mutable_jobs()) {
      if (!on_job(std::move(job))) return OkStatus();
    }
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty());
  return OkStatus();
}

Result<v1::Job> Client::Wait(const std::string& id, std::optional<milliseconds> timeout, const CallOptions& call) {
  const auto start = SteadyClock::now();
  auto last_answer = start;
  while (true) {
    const auto now = SteadyClock::now();
    // Once the daemon was reached, we wait for it when it goes away. So a client that was never answered asks first
    // whether it was reached.
    milliseconds poll = state_->reached ? kPoll : milliseconds(0);
    if (timeout)
      poll = std::clamp(*timeout - std::chrono::duration_cast<milliseconds>(now - start), milliseconds(0), poll);

    v1::WaitJobRequest request;
    request.set_id(id);
    request.set_view(v1::JOB_VIEW_RESULT);
    request.mutable_timeout()->set_seconds(poll.count() / 1000);
    request.mutable_timeout()->set_nanos(static_cast<int32_t>(poll.count() % 1000 * 1'000'000));
    CallOptions each{.deadline = poll + kMargin, .stop = call.stop};
    Result<v1::Job> job = MR_CALL(jobs, JobService, WaitJob, request, each);
    if (job.ok() && IsTerminal(job->state())) {
      // Reading takes what it takes, as the wait did.
      return WithResult(std::move(job), {.deadline = milliseconds(-1), .stop = call.stop});
    }
    if (!job.ok()) {
      const bool absent = job.status().code() == StatusCode::kUnavailable;
      if (!absent || !state_->reached || now - last_answer > state_->options.patience || !Pause(kPause, call.stop)) {
        return job;
      }
    } else {
      last_answer = SteadyClock::now();
    }
    if (timeout && SteadyClock::now() - start >= *timeout) {
      const std::string state = job.ok() ? Word(job->state()) : "out of sight";
      return DeadlineExceeded("DEADLINE", "job " + id + " is still " + state + " after the time it was given")
          .With("id", id);
    }
  }
}

Status Client::Watch(v1::WatchJobsRequest request, const std::function<bool(const v1::JobEvent&)>& on_event,
                     const CallOptions& call) {
  const TimeLeft left(call.deadline);
  bool reached = false;
  bool may_have_missed = false;  // A watch broke, and there is no token to resume it with.
  auto last_seen = SteadyClock::now();
  while (true) {
    grpc::ClientContext context;
    state_->Begin(context, left.Get().value_or(kNone));
    std::stop_callback cancel(call.stop, [&context] { context.TryCancel(); });
    auto stream = state_->jobs->WatchJobs(&context, request);
    // The server sends its metadata before the first event, which may come much later.
    stream->WaitForInitialMetadata();
    bool up = state_->channel->GetState(false) == GRPC_CHANNEL_READY;
    const auto tell = [&](const v1::JobEvent& event) {
      if (on_event(event)) return true;
      context.TryCancel();
      (void)stream->Finish();
      return false;
    };
    if (up && std::exchange(may_have_missed, false) && !tell(UnknownGap())) return OkStatus();
    // Events that come while a watch is resumed that has seen none are missed without it.
    if (request.resume_token().empty()) request.set_resume_token(TokenOfBeginning(context));
    v1::JobEvent event;
    while (stream->Read(&event)) {
      up = true;
      if (!event.resume_token().empty()) request.set_resume_token(event.resume_token());
      if (!tell(event)) return OkStatus();
    }
    const Status status = FromGrpc(stream->Finish(), state_->address, call.stop.stop_requested());
    if (status.code() != StatusCode::kUnavailable) return status;
    if (up) {
      reached = true;
      last_seen = SteadyClock::now();
      // That of one job begins again with what the job is.
      may_have_missed = request.resume_token().empty() && request.job_id().empty();
    }
    if (!reached || SteadyClock::now() - last_seen > state_->options.patience || !Pause(kPause, call.stop))
      return status;
  }
}

Result<v1::Job> Client::Cancel(const std::string& id, const std::string& reason, const CallOptions& call) {
  v1::CancelJobRequest request;
  request.set_id(id);
  request.set_reason(reason);
  return MR_CALL(jobs, JobService, CancelJob, request, call);
}

Result<v1::Job> Client::Retry(const std::string& id, const CallOptions& call) {
  v1::RetryJobRequest request;
  request.set_id(id);
  return MR_CALL(jobs, JobService, RetryJob, request, call);
}

Status Client::Delete(const std::string& id, const CallOptions& call) {
  v1::DeleteJobRequest request;
  request.set_id(id);
  return MR_CALL(jobs, JobService, DeleteJob, request, call).status();
}

Result<BulkCounts> Client::ChangeAll(Bulk verb, const BulkRequest& what, const CallOptions& call) {
  switch (verb) {
    case Bulk::kCancel: {
      auto request = OfAll<v1::CancelJobsRequest>(what);
      request.set_reason(what.reason);
      return CountsOf(MR_CALL(jobs, JobService, CancelJobs, request, call));
    }
    case Bulk::kRetry: {
      const auto request = OfAll<v1::RetryJobsRequest>(what);
      return CountsOf(MR_CALL(jobs, JobService, RetryJobs, request, call));
    }
    case Bulk::kDelete:
      break;
  }
  const auto request = OfAll<v1::DeleteJobsRequest>(what);
  return CountsOf(MR_CALL(jobs, JobService, DeleteJobs, request, call));
}

Result<v1::ListPoolsResponse> Client::Pools(const CallOptions& call) {
  v1::ListPoolsRequest request;
  return MR_CALL(pools, PoolService, ListPools, request, call);
}

Result<v1::Pool> Client::GetPool(const std::string& name, const CallOptions& call) {
  v1::GetPoolRequest request;
  request.set_name(name);
  return MR_CALL(pools, PoolService, GetPool, request, call);
}

Result<v1::Pool> Client::ResizePool(const v1::ResizePoolRequest& request, const CallOptions& call) {
  return MR_CALL(pools, PoolService, ResizePool, request, call);
}

Result<v1::Pool> Client::ChangePool(PoolVerb verb, const std::string& name, const CallOptions& call) {
  if (verb == PoolVerb::kPause) {
    v1::PausePoolRequest request;
    request.set_name(name);
    return MR_CALL(pools, PoolService, PausePool, request, call);
  }
  if (verb == PoolVerb::kResume) {
    v1::ResumePoolRequest request;
    request.set_name(name);
    return MR_CALL(pools, PoolService, ResumePool, request, call);
  }
  v1::DrainPoolRequest request;
  request.set_name(name);
  return MR_CALL(pools, PoolService, DrainPool, request, call);
}

Result<v1::BackupResponse> Client::Backup(const std::string& folder, const CallOptions& call) {
  v1::BackupRequest request;
  request.set_folder(folder);
  return MR_CALL(admin, AdminService, Backup, request, call);
}

void Client::SubmitAsync(v1::SubmitJobRequest request, Done<v1::SubmitJobResponse> done, const CallOptions& call) {
  GiveRequestId(&request, state_->options);
  CallAsync(*state_, std::move(request), std::move(done), call, [this](auto* context, auto* in, auto* out, auto end) {
    state_->jobs->async()->SubmitJob(context, in, out, std::move(end));
  });
}

void Client::BatchSubmitAsync(v1::BatchSubmitJobsRequest request, Done<v1::BatchSubmitJobsResponse> done,
                              const CallOptions& call) {
  GiveRequestIds(&request, state_->options);
  CallAsync(*state_, std::move(request), std::move(done), call, [this](auto* context, auto* in, auto* out, auto end) {
    state_->jobs->async()->BatchSubmitJobs(context, in, out, std::move(end));
  });
}

void Client::WaitAsync(v1::WaitJobRequest request, Done<v1::Job> done, const CallOptions& call) {
  CallAsync(*state_, std::move(request), std::move(done), call, [this](auto* context, auto* in, auto* out, auto end) {
    state_->jobs->async()->WaitJob(context, in, out, std::move(end));
  });
}

}  // namespace millrace::client
