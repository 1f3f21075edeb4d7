#include "client/cli/pools.h"

#include <cstdio>

#include "client/cli/json.h"
#include "client/cli/render.h"

namespace millrace::cli {
namespace {

ExitCode Show(Session& session, const Result<v1::Pool>& pool, const std::string& name) {
  if (!pool.ok()) {
    v1::JobSpec spec;
    spec.set_pool(name);
    return session.FailSubmit(pool.status(), spec);
  }
  Print(session.json() ? ToJson(*pool) + "\n" : PoolDetail(*pool, std::chrono::system_clock::now()));
  return ExitCode::kOk;
}

}  // namespace

ExitCode ListPools(Session& session) {
  const Result<v1::ListPoolsResponse> pools = session.client().Pools(session.Call());
  if (!pools.ok()) return session.Fail(pools.status());
  if (session.json()) {
    for (const v1::Pool& pool : pools->pools()) PrintLine(ToJson(pool));
  } else {
    Print(PoolTable({pools->pools().begin(), pools->pools().end()}, std::chrono::system_clock::now()));
  }
  return ExitCode::kOk;
}

ExitCode GetPool(Session& session, const std::string& name) {
  return Show(session, session.client().GetPool(name, session.Call()), name);
}

ExitCode ResizePool(Session& session, const ResizeArguments& arguments) {
  v1::ResizePoolRequest request;
  request.set_name(arguments.name);
  if (arguments.workers) request.set_workers(*arguments.workers);
  if (arguments.capacity_jobs) request.set_capacity_jobs(*arguments.capacity_jobs);
  if (!arguments.capacity_bytes.empty()) {
    const auto bytes = ParseBytes(arguments.capacity_bytes);
    if (!bytes) {
      return session.Fail(InvalidArgument(
          "BAD_ARGUMENT", "--capacity-bytes: '" + arguments.capacity_bytes + "' is not a size like 512k or 64MiB"));
    }
    request.set_capacity_bytes(*bytes);
  }
  if (!request.has_workers() && !request.has_capacity_jobs() && !request.has_capacity_bytes()) {
    return session.Fail(
        InvalidArgument("BAD_ARGUMENT", "pools resize needs --workers, --capacity-jobs or --capacity-bytes"));
  }
  return Show(session, session.client().ResizePool(request, session.Call()), arguments.name);
}

ExitCode ChangePool(Session& session, client::PoolVerb verb, const std::string& name) {
  client::CallOptions call = session.Call();
  if (verb == client::PoolVerb::kDrain && !session.TimeLeft()) call.deadline = std::chrono::hours(1);
  const Result<v1::Pool> pool = session.client().ChangePool(verb, name, call);
  const bool cut_short = !pool.ok() && (pool.status().code() == StatusCode::kDeadlineExceeded || session.interrupted());
  if (verb == client::PoolVerb::kDrain && cut_short) {
    std::fprintf(stderr,
                 "millrace: pool %s stays draining, and refuses new jobs until: millrace pools resume %s\n"
                 "  how far it is: millrace pools get %s\n",
                 name.c_str(), name.c_str(), name.c_str());
  }
  return Show(session, pool, name);
}

}  // namespace millrace::cli
