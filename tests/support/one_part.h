// One part of a batch alone, as tests write it. Journal::Commit's answer: nullopt where `waiter` is called later.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "dispatch/journal.h"

namespace millrace::test {

enum class Accepting : bool { kNo, kYes };

// Closes what is open in `batch`.
inline std::optional<Status> CommitPart(dispatch::Journal& journal, dispatch::Batch& batch,
                                        dispatch::CommitWaiter* waiter) {
  batch.Close(waiter);
  journal.Commit(batch);
  return std::move(batch.parts()[0].answer);
}

inline std::optional<Status> Append(dispatch::Journal& journal, std::span<const dispatch::JobRecord* const> records,
                                    Accepting accepting, dispatch::CommitWaiter* waiter) {
  dispatch::Batch batch;
  for (const dispatch::JobRecord* record : records) {
    if (accepting == Accepting::kYes) {
      batch.Accept(*record);
    } else {
      batch.Change(*record);
    }
  }
  return CommitPart(journal, batch, waiter);
}

inline std::optional<Status> End(dispatch::Journal& journal, std::shared_ptr<const dispatch::JobRecord> record,
                                 dispatch::CommitWaiter* waiter) {
  dispatch::Batch batch;
  batch.End(std::move(record));
  return CommitPart(journal, batch, waiter);
}

inline std::optional<Status> Revive(dispatch::Journal& journal, const dispatch::JobRecord& record,
                                    const dispatch::EndedJob& was, dispatch::CommitWaiter* waiter) {
  dispatch::Batch batch;
  batch.Revive(record, was);
  return CommitPart(journal, batch, waiter);
}

// `request`: what remains of its request id; nullptr: it had none. Gives what the journal leaves to be freed.
inline std::shared_ptr<const void> Forget(dispatch::Journal& journal, const dispatch::EndedJob& job,
                                          const dispatch::SpentRequest* request) {
  dispatch::Batch batch;
  batch.Forget(job, request != nullptr ? std::make_unique<const dispatch::SpentRequest>(*request) : nullptr);
  CommitPart(journal, batch, nullptr);
  return std::move(batch.entries(batch.parts()[0])[0].ended);
}

inline void DropRequest(dispatch::Journal& journal, const std::string& request_id) {
  dispatch::Batch batch;
  batch.DropRequest(request_id);
  CommitPart(journal, batch, nullptr);
}

// Waits for all that was written before.
inline std::optional<Status> Flush(dispatch::Journal& journal, dispatch::CommitWaiter* waiter) {
  dispatch::Batch batch;
  return CommitPart(journal, batch, waiter);
}

}  // namespace millrace::test
