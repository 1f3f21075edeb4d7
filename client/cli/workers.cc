#include "client/cli/workers.h"

#include <chrono>
#include <utility>
#include <vector>

#include "client/cli/json.h"
#include "client/cli/render_workers.h"

namespace millrace::cli {

ExitCode ListWorkers(Session& session, const std::string& kind) {
  v1::ListWorkersRequest request;
  request.set_kind(kind);
  request.set_page_size(500);
  std::vector<v1::Worker> workers;
  const Status status = session.client().ListWorkers(
      std::move(request),
      [&](v1::Worker worker) {
        if (session.json()) {
          PrintLine(ToJson(worker));
        } else {
          workers.push_back(std::move(worker));
        }
        return !OutputFailed();
      },
      session.Call());
  if (!status.ok()) return session.Fail(status);
  if (session.json()) return ExitCode::kOk;
  if (workers.empty()) {
    PrintLine(kind.empty() ? "no workers" : "no worker offers " + Printable(kind));
  } else {
    Print(WorkerTable(workers, std::chrono::system_clock::now()));
  }
  return ExitCode::kOk;
}

ExitCode ShowWorker(Session& session, WorkerVerb verb, const std::string& worker) {
  client::Client& client = session.client();
  const Result<v1::Worker> found = verb == WorkerVerb::kGet     ? client.GetWorker(worker, session.Call())
                                   : verb == WorkerVerb::kDrain ? client.DrainWorker(worker, session.Call())
                                                                : client.ResumeWorker(worker, session.Call());
  if (!found.ok()) return session.Fail(found.status());
  Print(session.json() ? ToJson(*found) + "\n" : WorkerDetail(*found, std::chrono::system_clock::now()));
  return ExitCode::kOk;
}

}  // namespace millrace::cli
