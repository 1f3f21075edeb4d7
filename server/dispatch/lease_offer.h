// The check of what a worker offers when it comes.
//   Threads   Pure functions.
#pragma once

#include "base/status.h"
#include "dispatch/lease.h"
#include "job/labels.h"

namespace millrace::dispatch {

// Labels that every worker has, by its name and its build_id.
inline constexpr const char* kWorkerLabel = "worker";
inline constexpr const char* kBuildLabel = "build";

// INVALID_ARGUMENT BAD_WORKER, with the field.
Status CheckOffer(const WorkerOffer& offer);
LabelSet LabelsOf(const WorkerOffer& offer);  // With those two.

}  // namespace millrace::dispatch
