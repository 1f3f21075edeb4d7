#include "rpc/worker_service.h"

#include <string>

#include "rpc/answer_size.h"
#include "rpc/sync_call.h"
#include "rpc/work_convert.h"

namespace millrace::rpc {
namespace {

using Unary = grpc::ServerUnaryReactor;

constexpr int kPageWorkers = 100;
constexpr int kPageWorkersMax = 1000;
// A page ends early rather than outgrow the 4 MiB that a gRPC client takes by default.
constexpr size_t kPageBytes = size_t{3} << 20;

// The token of the page after a worker is its id.
Status List(dispatch::Leases& leases, const v1::ListWorkersRequest& request, v1::ListWorkersResponse* answer) {
  if (request.page_size() < 0 || request.page_size() > kPageWorkersMax) {
    return InvalidArgument("BAD_PAGE_SIZE", "page_size is " + std::to_string(request.page_size()) +
                                                ": use 1 to 1000, or 0 for the default of 100")
        .Field("page_size");
  }
  dispatch::WorkersQuery query;
  query.limit = static_cast<size_t>(request.page_size() == 0 ? kPageWorkers : request.page_size());
  query.kind = request.kind();
  if (!request.page_token().empty()) {
    query.after = Id::Parse(request.page_token());
    if (!query.after) {
      return InvalidArgument("BAD_PAGE_TOKEN",
                             "page_token is not one that a listing returned: pass next_page_token unchanged, or leave "
                             "it empty for the first page")
          .Field("page_token");
    }
  }
  const dispatch::WorkersPage page = leases.Workers(query);
  size_t bytes = 0;
  bool more = page.more;
  for (const dispatch::WorkerStatus& each : page.workers) {
    v1::Worker* worker = answer->add_workers();
    Fill(each, worker);
    bytes += worker->ByteSizeLong();
    if (bytes <= kPageBytes || answer->workers_size() == 1) continue;
    answer->mutable_workers()->RemoveLast();
    more = true;
    break;
  }
  if (more && answer->workers_size() > 0) {
    answer->set_next_page_token(answer->workers(answer->workers_size() - 1).id());
  }
  return OkStatus();
}

Status Answer(const Result<dispatch::WorkerStatus>& worker, v1::Worker* answer) {
  if (worker.ok()) Fill(*worker, answer);
  return worker.status();
}

}  // namespace

Unary* WorkerService::Sync(Context* context, const Bytes* request, Bytes* response) {
  return StartSync(backend_, *sessions_, {context, request, response});
}

Unary* WorkerService::ListWorkers(Context* context, const Bytes* request, Bytes* response) {
  return AnswerNow<v1::ListWorkersRequest, v1::ListWorkersResponse>(
      backend_, Method::kListWorkers, {context, request, response},
      [this, bytes_max = AnswerBytesMax(*context)](const v1::ListWorkersRequest& list,
                                                   v1::ListWorkersResponse* answer) {
        MR_RETURN_IF_ERROR(List(backend_.dispatcher.leases(), list, answer));
        return CheckAnswer(*answer, bytes_max, kSmallerPages);
      });
}

Unary* WorkerService::GetWorker(Context* context, const Bytes* request, Bytes* response) {
  return AnswerNow<v1::GetWorkerRequest, v1::Worker>(
      backend_, Method::kGetWorker, {context, request, response},
      [this, bytes_max = AnswerBytesMax(*context)](const v1::GetWorkerRequest& get, v1::Worker* answer) {
        MR_RETURN_IF_ERROR(Answer(backend_.dispatcher.leases().GetWorker(get.worker()), answer));
        return CheckAnswer(*answer, bytes_max, kFewerSlots);
      });
}

Unary* WorkerService::DrainWorker(Context* context, const Bytes* request, Bytes* response) {
  return AnswerNow<v1::DrainWorkerRequest, v1::Worker>(
      backend_, Method::kDrainWorker, {context, request, response},
      [this](const v1::DrainWorkerRequest& drain, v1::Worker* answer) {
        return Answer(backend_.dispatcher.leases().SetDrained(drain.worker(), true), answer);
      });
}

Unary* WorkerService::ResumeWorker(Context* context, const Bytes* request, Bytes* response) {
  return AnswerNow<v1::ResumeWorkerRequest, v1::Worker>(
      backend_, Method::kResumeWorker, {context, request, response},
      [this](const v1::ResumeWorkerRequest& resume, v1::Worker* answer) {
        return Answer(backend_.dispatcher.leases().SetDrained(resume.worker(), false), answer);
      });
}

}  // namespace millrace::rpc
