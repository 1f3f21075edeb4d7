// Weight: what a job takes in memory, for the budgets (DispatcherOptions). An estimate by the sizes of what it holds,
// with what the allocator adds: tests/dispatch/weight_test.cc compares it with the heap.
//   Threads   Pure functions.
#pragma once

#include <cstdint>
#include <string>

#include "dispatch/event_log.h"
#include "dispatch/journal.h"

namespace millrace::dispatch {

// With its record in memory: entry, payload, labels, ids, keys, names, and what its attempts left.
int64_t HotWeight(const JobRecord& record);
// Cold: its place, its times, and what must be found without reading it, its request id and unique key.
int64_t ColdWeight(const JobRecord& record);

// What one request id weighs that RequestIds knows.
int64_t RequestIdWeight(const std::string& request_id);
int64_t LabelsWeight(const Labels& labels);
int64_t TraceWeight(const Trace& trace);
// All labels and the trace of a job.
int64_t TextsWeight(const JobSpec& spec);
inline int64_t LabelsWeight(const Labels* labels) { return labels == nullptr ? 0 : LabelsWeight(*labels); }
// What a text holds beside the string object itself.
int64_t TextWeight(const std::string& text);

}  // namespace millrace::dispatch
