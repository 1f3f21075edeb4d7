#include <functional>
#include <string>
#include <utility>

#include "client/blocking_call.h"
#include "client/client.h"

namespace millrace::client {

Result<v1::ListWorkersResponse> Client::ListWorkersPage(const v1::ListWorkersRequest& request,
                                                        const CallOptions& call) {
  return MR_CALL(workers, WorkerService, ListWorkers, request, call);
}

Status Client::ListWorkers(v1::ListWorkersRequest request, const std::function<bool(v1::Worker)>& on_worker,
                           const CallOptions& call) {
  const TimeLeft left(call.deadline);
  do {
    Result<v1::ListWorkersResponse> page = ListWorkersPage(request, {.deadline = left.Get(), .stop = call.stop});
    if (!page.ok()) return page.status();
    for (v1::Worker& worker : *page->mutable_workers()) {
      if (!on_worker(std::move(worker))) return OkStatus();
    }
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty());
  return OkStatus();
}

Result<v1::Worker> Client::GetWorker(const std::string& worker, const CallOptions& call) {
  v1::GetWorkerRequest request;
  request.set_worker(worker);
  return MR_CALL(workers, WorkerService, GetWorker, request, call);
}

Result<v1::Worker> Client::DrainWorker(const std::string& worker, const CallOptions& call) {
  v1::DrainWorkerRequest request;
  request.set_worker(worker);
  return MR_CALL(workers, WorkerService, DrainWorker, request, call);
}

Result<v1::Worker> Client::ResumeWorker(const std::string& worker, const CallOptions& call) {
  v1::ResumeWorkerRequest request;
  request.set_worker(worker);
  return MR_CALL(workers, WorkerService, ResumeWorker, request, call);
}

}  // namespace millrace::client
