// `millrace pools`.
#pragma once

#include <optional>
#include <string>

#include "client/cli/session.h"

namespace millrace::cli {

ExitCode ListPools(Session& session);
ExitCode GetPool(Session& session, const std::string& name);

struct ResizeArguments {
  std::string name;
  std::optional<int32_t> workers;
  std::optional<int64_t> capacity_jobs;
  std::string capacity_bytes;  // "64MiB"; empty: unchanged.
};
ExitCode ResizePool(Session& session, const ResizeArguments& arguments);

// kDrain waits until the pool is empty, an hour at most unless --timeout says otherwise.
ExitCode ChangePool(Session& session, client::PoolVerb verb, const std::string& name);

}  // namespace millrace::cli
