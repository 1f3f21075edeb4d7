#include "dispatch/journal.h"

#include <utility>

namespace millrace::dispatch {

std::optional<Status> Journal::Append(std::span<const JobRecord* const> records, Accepting accepting, Waiter* waiter) {
  Batch batch;
  for (const JobRecord* record : records) {
    if (accepting == Accepting::kYes) {
      batch.Accept(*record);
    } else {
      batch.Change(*record);
    }
  }
  batch.Close(waiter);
  Commit(batch);
  return std::move(batch.parts()[0].answer);
}

std::optional<Status> Journal::End(std::shared_ptr<const JobRecord> record, Waiter* waiter) {
  Batch batch;
  batch.End(std::move(record));
  batch.Close(waiter);
  Commit(batch);
  return std::move(batch.parts()[0].answer);
}

std::optional<Status> Journal::Revive(const JobRecord& record, const EndedJob& was, Waiter* waiter) {
  Batch batch;
  batch.Revive(record, was);
  batch.Close(waiter);
  Commit(batch);
  return std::move(batch.parts()[0].answer);
}

std::shared_ptr<const void> Journal::Forget(const EndedJob& job, const SpentRequest* request) {
  Batch batch;
  batch.Forget(job, request != nullptr ? std::optional(*request) : std::nullopt);
  batch.Close(nullptr);
  Commit(batch);
  return std::move(batch.entries(batch.parts()[0])[0].ended);
}

void Journal::DropRequest(const std::string& request_id) {
  Batch batch;
  batch.DropRequest(request_id);
  batch.Close(nullptr);
  Commit(batch);
}

std::optional<Status> Journal::Flush(Waiter* waiter) {
  Batch batch;
  batch.Close(waiter);
  Commit(batch);
  return std::move(batch.parts()[0].answer);
}

}  // namespace millrace::dispatch
