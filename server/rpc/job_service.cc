#include "rpc/job_service.h"

#include <algorithm>

#include "rpc/answer_size.h"
#include "rpc/convert.h"
#include "rpc/submit_call.h"
#include "rpc/submit_stream.h"
#include "rpc/token.h"
#include "rpc/verb_call.h"
#include "rpc/wait_call.h"
#include "rpc/watch.h"

namespace millrace::rpc {
namespace {

constexpr int kPageJobs = 50;
constexpr int kPageJobsMax = 1000;
// A page ends early rather than outgrow the 4 MiB that a gRPC client takes by default.
constexpr size_t kPageBytes = size_t{3} << 20;

Status List(const dispatch::Dispatcher& dispatcher, const v1::ListJobsRequest& request,
            v1::ListJobsResponse* response) {
  if (request.page_size() < 0) {
    return InvalidArgument("BAD_PAGE_SIZE", "page_size is " + std::to_string(request.page_size()) +
                                                ": use 1 to 1000, or 0 for the default of 50")
        .Field("page_size");
  }
  auto filter = dispatch::Filter::Parse(request.filter());
  if (!filter.ok()) return filter.status();
  auto view = ViewOf(request.view(), View::kBasic);
  if (!view.ok()) return view.status();

  const PageQuery page{request.filter(), request.newest_first(), *view};
  dispatch::ListQuery query;
  query.filter = *std::move(filter);
  query.newest_first = request.newest_first();
  query.full = *view != View::kBasic;
  if (!request.page_token().empty()) {
    auto after = ParsePageToken(page, request.page_token());
    if (!after.ok()) return after.status();
    query.after = *after;
  }
  const int wanted = request.page_size() == 0 ? kPageJobs : std::min(request.page_size(), kPageJobsMax);
  query.limit = static_cast<size_t>(wanted) + 1;  // One more tells whether there is a next page.
  query.bytes_max = kPageBytes;

  const Result<dispatch::JobPage> found = dispatcher.List(query);
  if (!found.ok()) return found.status();
  const std::vector<JobSnapshot>& jobs = found->jobs;
  size_t bytes = 0;
  for (size_t i = 0; i < jobs.size(); ++i) {
    v1::Job* job = response->add_jobs();
    Fill(jobs[i], *view, job);
    bytes += job->ByteSizeLong();
    if (i > 0 && bytes > kPageBytes) response->mutable_jobs()->RemoveLast();
    const bool page_is_full = response->jobs_size() == wanted || bytes > kPageBytes;
    if (!page_is_full) continue;
    const size_t last = static_cast<size_t>(response->jobs_size()) - 1;
    if (last + 1 < jobs.size() || found->more) response->set_next_page_token(MakePageToken(page, jobs[last].id));
    break;
  }
  return OkStatus();
}

Result<dispatch::Filter> ParseBulk(const std::string& text) {
  auto filter = dispatch::Filter::Parse(text);
  if (filter.ok() && filter->empty()) {
    return InvalidArgument("FILTER_REQUIRED",
                           "filter is empty: a bulk change of every job has to be spelled out, as in "
                           "create_time > \"1970-01-01T00:00:00Z\"")
        .Field("filter");
  }
  return filter;
}

}  // namespace

// ---- Submit and watch ----------------------------------------------------------------------------------------------------------

grpc::ServerUnaryReactor* JobService::SubmitJob(Context* context, const v1::SubmitJobRequest* request,
                                                v1::SubmitJobResponse* response) {
  return StartSubmit(backend_, context, request, response);
}

grpc::ServerUnaryReactor* JobService::BatchSubmitJobs(Context* context, const v1::BatchSubmitJobsRequest* request,
                                                      v1::BatchSubmitJobsResponse* response) {
  return StartBatchSubmit(backend_, context, request, response);
}

grpc::ServerBidiReactor<v1::StreamSubmitRequest, v1::StreamSubmitResponse>* JobService::StreamSubmit(Context* context) {
  return StartSubmitStream(backend_, context);
}

grpc::ServerWriteReactor<v1::JobEvent>* JobService::WatchJobs(Context* context, const v1::WatchJobsRequest* request) {
  return StartWatch(backend_, context, *request);
}

grpc::ServerUnaryReactor* JobService::WaitJob(Context* context, const v1::WaitJobRequest* request, v1::Job* response) {
  return StartWait(backend_, context, *request, response);
}

// ---- Look ------------------------------------------------------------------------------------------------------------------

grpc::ServerUnaryReactor* JobService::GetJob(Context* context, const v1::GetJobRequest* request, v1::Job* response) {
  const int64_t bytes_max = AnswerBytesMax(*context);
  return AnswerOnFiber(backend_, Method::kGetJob, context, [this, request, response, bytes_max] {
    auto view = ViewOf(request->view(), View::kFull);
    if (!view.ok()) return view.status();
    auto id = ParseJobId(request->id(), "id");
    if (!id.ok()) return id.status();
    auto job = backend_.dispatcher.Get(*id, *view != View::kBasic);
    if (!job.ok()) return job.status();
    Fill(*job, *view, response);
    return CheckAnswer(*response, bytes_max);
  });
}

grpc::ServerUnaryReactor* JobService::ListJobs(Context* context, const v1::ListJobsRequest* request,
                                               v1::ListJobsResponse* response) {
  const int64_t bytes_max = AnswerBytesMax(*context);
  return AnswerOnFiber(backend_, Method::kListJobs, context, [this, request, response, bytes_max] {
    MR_RETURN_IF_ERROR(List(backend_.dispatcher, *request, response));
    return CheckAnswer(*response, bytes_max);
  });
}

// ---- Change ----------------------------------------------------------------------------------------------------------------

grpc::ServerUnaryReactor* JobService::CancelJob(Context* context, const v1::CancelJobRequest* request,
                                                v1::Job* response) {
  return StartVerb(backend_, Method::kCancelJob, context, response, [this, request](dispatch::VerbCall* call) {
    MR_RETURN_IF_ERROR(CheckReason(request->reason()));
    auto id = ParseJobId(request->id(), "id");
    if (id.ok()) backend_.dispatcher.Cancel(*id, request->reason(), call);
    return id.status();
  });
}

grpc::ServerUnaryReactor* JobService::RetryJob(Context* context, const v1::RetryJobRequest* request,
                                               v1::Job* response) {
  return StartVerb(backend_, Method::kRetryJob, context, response, [this, request](dispatch::VerbCall* call) {
    auto id = ParseJobId(request->id(), "id");
    if (id.ok()) backend_.dispatcher.Retry(*id, call);
    return id.status();
  });
}

grpc::ServerUnaryReactor* JobService::DeleteJob(Context* context, const v1::DeleteJobRequest* request,
                                                v1::DeleteJobResponse* response) {
  return StartVerb(backend_, Method::kDeleteJob, context, response, [this, request](dispatch::VerbCall* call) {
    auto id = ParseJobId(request->id(), "id");
    if (id.ok()) backend_.dispatcher.Delete(*id, call);
    return id.status();
  });
}

grpc::ServerUnaryReactor* JobService::CancelJobs(Context* context, const v1::CancelJobsRequest* request,
                                                 v1::CancelJobsResponse* response) {
  return StartVerb(backend_, Method::kCancelJobs, context, response, [this, request](dispatch::VerbCall* call) {
    MR_RETURN_IF_ERROR(CheckReason(request->reason()));
    auto filter = ParseBulk(request->filter());
    if (filter.ok()) backend_.dispatcher.CancelAll(*filter, request->reason(), request->validate_only(), call);
    return filter.status();
  });
}

grpc::ServerUnaryReactor* JobService::RetryJobs(Context* context, const v1::RetryJobsRequest* request,
                                                v1::RetryJobsResponse* response) {
  return StartVerb(backend_, Method::kRetryJobs, context, response, [this, request](dispatch::VerbCall* call) {
    auto filter = ParseBulk(request->filter());
    if (filter.ok()) backend_.dispatcher.RetryAll(*filter, request->validate_only(), call);
    return filter.status();
  });
}

grpc::ServerUnaryReactor* JobService::DeleteJobs(Context* context, const v1::DeleteJobsRequest* request,
                                                 v1::DeleteJobsResponse* response) {
  return StartVerb(backend_, Method::kDeleteJobs, context, response, [this, request](dispatch::VerbCall* call) {
    auto filter = ParseBulk(request->filter());
    if (filter.ok()) backend_.dispatcher.DeleteAll(*filter, request->validate_only(), call);
    return filter.status();
  });
}

}  // namespace millrace::rpc
