// Workers in other processes as people read them.
#pragma once

#include <string>
#include <vector>

#include "client/cli/units.h"
#include "millrace/v1/worker_service.pb.h"

namespace millrace::cli {

std::string WorkerTable(const std::vector<v1::Worker>& workers, WallNanos now);
// With a table of what it holds.
std::string WorkerDetail(const v1::Worker& worker, WallNanos now);

}  // namespace millrace::cli
