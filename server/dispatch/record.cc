#include "dispatch/record.h"

namespace millrace::dispatch {

EndedJob EndedOf(const JobRecord& record) {
  auto size = [](const Bytes& bytes) { return bytes ? static_cast<int64_t>(bytes->size()) : 0; };
  return {.id = record.id,
          .state = record.life.state,
          .finished = record.finished.value_or(record.created),
          .bytes = record.payload_bytes + size(record.result) + size(record.log_tail)};
}

}  // namespace millrace::dispatch
