#include "rpc/job_service.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "rpc/answer_size.h"
#include "rpc/convert.h"
#include "rpc/submit_call.h"
#include "rpc/token.h"
#include "rpc/verb_call.h"
#include "rpc/wait_call.h"

namespace millrace::rpc {
namespace {

constexpr int kPageJobs = 50;
constexpr int kPageJobsMax = 1000;
// A page ends early rather than outgrow the 4 MiB that a gRPC client takes by default.
constexpr size_t kPageBytes = size_t{3} << 20;

Status List(const dispatch::Dispatcher& dispatcher, const v1::ListJobsRequest& request, std::function<bool()> gone,
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
  query.gone = std::move(gone);

  const Result<dispatch::JobPage> found = dispatcher.List(query);
  if (!found.ok()) return found.status();
  const std::vector<JobSnapshot>& jobs = found->jobs;
  size_t bytes = 0;
  for (size_t i = 0; i < jobs.size(); ++i) {
    v1::Job* job = response->add_jobs();
    Fill(jobs[i], *view, job);
    bytes += job->ByteSizeLong();
    if (i > 0 && bytes > kPageBytes) response->mutable_jobs()->RemoveLast();
    if (response->jobs_size() == wanted || bytes > kPageBytes) break;
  }
  // Also a page that is not full may be followed by another: what dispatch reads counts with its payload, which a view
  // may leave out.
  const auto shown = static_cast<size_t>(response->jobs_size());
  if (shown > 0 && (shown < jobs.size() || found->more)) {
    response->set_next_page_token(MakePageToken(page, jobs[shown - 1].id));
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

using Unary = grpc::ServerUnaryReactor;

// ---- Submit and watch -----------------------------------------------------------------------------------------------

Unary* JobService::SubmitJob(Context* context, const Bytes* request, Bytes* response) {
  return StartSubmit(backend_, {context, request, response});
}

Unary* JobService::BatchSubmitJobs(Context* context, const Bytes* request, Bytes* response) {
  return StartBatchSubmit(backend_, {context, request, response});
}

StreamSubmitReactor* JobService::StreamSubmit(Context* context) { return StartSubmitStream(backend_, context); }

WatchReactor* JobService::WatchJobs(Context* context, const Bytes* request) {
  return StartWatch(backend_, context, request);
}

Unary* JobService::WaitJob(Context* context, const Bytes* request, Bytes* response) {
  return StartWait(backend_, {context, request, response});
}

// ---- Look -----------------------------------------------------------------------------------------------------------

Unary* JobService::GetJob(Context* context, const Bytes* request, Bytes* response) {
  return AnswerOnFiber<v1::GetJobRequest, v1::Job>(
      backend_, Method::kGetJob, {context, request, response},
      [this, bytes_max = AnswerBytesMax(*context)](const v1::GetJobRequest& get, v1::Job* answer) {
        auto view = ViewOf(get.view(), View::kFull);
        if (!view.ok()) return view.status();
        auto id = ParseJobId(get.id(), "id");
        if (!id.ok()) return id.status();
        auto job = backend_.dispatcher.Get(*id, *view != View::kBasic, /*explain=*/true);
        if (!job.ok()) return job.status();
        Fill(*job, *view, answer);
        return CheckAnswer(*answer, bytes_max, kSmallerViews);
      });
}

Unary* JobService::ListJobs(Context* context, const Bytes* request, Bytes* response) {
  return AnswerOnFiber<v1::ListJobsRequest, v1::ListJobsResponse>(
      backend_, Method::kListJobs, {context, request, response},
      [this, context, bytes_max = AnswerBytesMax(*context)](const v1::ListJobsRequest& list,
                                                            v1::ListJobsResponse* answer) {
        MR_RETURN_IF_ERROR(List(
            backend_.dispatcher, list, [context] { return context->IsCancelled(); }, answer));
        return CheckAnswer(*answer, bytes_max, kSmallerViews);
      });
}

// ---- Change ---------------------------------------------------------------------------------------------------------

Unary* JobService::CancelJob(Context* context, const Bytes* request, Bytes* response) {
  return StartVerb<v1::CancelJobRequest, v1::Job>(backend_, Method::kCancelJob, {context, request, response},
                                                  [this](const v1::CancelJobRequest& cancel, dispatch::VerbCall* call) {
                                                    MR_RETURN_IF_ERROR(CheckReason(cancel.reason()));
                                                    auto id = ParseJobId(cancel.id(), "id");
                                                    if (id.ok()) backend_.dispatcher.Cancel(*id, cancel.reason(), call);
                                                    return id.status();
                                                  });
}

Unary* JobService::RetryJob(Context* context, const Bytes* request, Bytes* response) {
  return StartVerb<v1::RetryJobRequest, v1::Job>(backend_, Method::kRetryJob, {context, request, response},
                                                 [this](const v1::RetryJobRequest& retry, dispatch::VerbCall* call) {
                                                   auto id = ParseJobId(retry.id(), "id");
                                                   if (id.ok()) backend_.dispatcher.Retry(*id, call);
                                                   return id.status();
                                                 });
}

Unary* JobService::DeleteJob(Context* context, const Bytes* request, Bytes* response) {
  return StartVerb<v1::DeleteJobRequest, v1::DeleteJobResponse>(
      backend_, Method::kDeleteJob, {context, request, response},
      [this](const v1::DeleteJobRequest& erase, dispatch::VerbCall* call) {
        auto id = ParseJobId(erase.id(), "id");
        if (id.ok()) backend_.dispatcher.Delete(*id, call);
        return id.status();
      });
}

Unary* JobService::CancelJobs(Context* context, const Bytes* request, Bytes* response) {
  return StartVerb<v1::CancelJobsRequest, v1::CancelJobsResponse>(
      backend_, Method::kCancelJobs, {context, request, response},
      [this](const v1::CancelJobsRequest& cancel, dispatch::VerbCall* call) {
        MR_RETURN_IF_ERROR(CheckReason(cancel.reason()));
        auto filter = ParseBulk(cancel.filter());
        if (filter.ok()) backend_.dispatcher.CancelAll(*filter, cancel.reason(), cancel.validate_only(), call);
        return filter.status();
      });
}

Unary* JobService::RetryJobs(Context* context, const Bytes* request, Bytes* response) {
  return StartVerb<v1::RetryJobsRequest, v1::RetryJobsResponse>(
      backend_, Method::kRetryJobs, {context, request, response},
      [this](const v1::RetryJobsRequest& retry, dispatch::VerbCall* call) {
        auto filter = ParseBulk(retry.filter());
        if (filter.ok()) backend_.dispatcher.RetryAll(*filter, retry.validate_only(), call);
        return filter.status();
      });
}

Unary* JobService::DeleteJobs(Context* context, const Bytes* request, Bytes* response) {
  return StartVerb<v1::DeleteJobsRequest, v1::DeleteJobsResponse>(
      backend_, Method::kDeleteJobs, {context, request, response},
      [this](const v1::DeleteJobsRequest& erase, dispatch::VerbCall* call) {
        auto filter = ParseBulk(erase.filter());
        if (filter.ok()) backend_.dispatcher.DeleteAll(*filter, erase.validate_only(), call);
        return filter.status();
      });
}

}  // namespace millrace::rpc
