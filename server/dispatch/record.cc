#include "dispatch/record.h"

namespace millrace::dispatch {

EndedJob EndedOf(const JobRecord& record) {
  auto size = [](const Bytes& bytes) { return bytes ? static_cast<int64_t>(bytes->size()) : 0; };
  return {.id = record.id,
          .state = record.life.state,
          .finished = record.finished.value_or(record.created),
          .bytes = record.payload_bytes + record.result_bytes + size(record.log_tail) + size(record.checkpoint)};
}

JobSnapshot SnapshotOf(const JobRecord& record, bool full) {
  JobSnapshot snapshot{.id = record.id,
                       .spec = record.spec,
                       .state = record.life.state,
                       .created = record.created,
                       .due = record.due,
                       .finished = record.finished,
                       .attempts = record.attempts,
                       .losses = record.losses,
                       .progress = record.progress,
                       .error = record.error,
                       .log_bytes = record.log_bytes,
                       .cancel_requested = record.cancel_requested,
                       .payload_bytes = record.payload_bytes,
                       .result_bytes = record.result_bytes,
                       .checkpoint_bytes = record.checkpoint ? static_cast<int64_t>(record.checkpoint->size()) : 0};
  if (full) {
    snapshot.history = record.history;
    if (!ResultApart(record)) snapshot.result = record.result;
    if (record.log_tail) snapshot.log_tail = *record.log_tail;
  }
  return snapshot;
}

}  // namespace millrace::dispatch
