// Jobs, events and pools as people read them.
#pragma once

#include <string>
#include <vector>

#include "client/cli/units.h"
#include "millrace/v1/job_service.pb.h"
#include "millrace/v1/pool_service.pb.h"

namespace millrace::cli {

// "3m 5s ago", "in 2.00 s".
std::string Ago(WallNanos time, WallNanos now);

// Time in UTC: "2026-01-31 12:00:00.123Z".
std::string Clock(WallNanos time);

std::string JobTable(const std::vector<v1::Job>& jobs, WallNanos now);
std::string JobDetail(const v1::Job& job, WallNanos now);

// One line about a finished or refused job: "ID  STATE  FILE  RESULT or ERROR". `file` may be empty.
std::string JobLine(const v1::Job& job, const std::string& file);

std::string EventLine(const v1::JobEvent& event);

std::string PoolTable(const std::vector<v1::Pool>& pools, WallNanos now);
std::string PoolDetail(const v1::Pool& pool, WallNanos now);

}  // namespace millrace::cli
