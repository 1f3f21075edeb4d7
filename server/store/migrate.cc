#include "store/migrate.h"

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "store/paged_scan.h"
#include "store/record.h"

namespace millrace::store {

namespace {

using dispatch::EndedJob;
using dispatch::JobRecord;
using dispatch::SpentRequest;

constexpr size_t kStepJobs = 1000;

// Format 1 had no shelf of what retention knows, no request ids of jobs that are remembered still, and a job that was
// retried kept its old record among the finished. Records of version 1, payloads in them, are read as they are.
Status FromFormat1(Disk& disk) {
  for (PagedScan scan(disk, {Shelf::kFinished, Shelf::kLive, Shelf::kSpec}, {.keys = kStepJobs}); !scan.AtEnd();) {
    std::vector<Change> changes;
    MR_RETURN_IF_ERROR(scan.ReadPage([&](std::span<Disk::Cursor* const> cursors) -> Result<size_t> {
      const auto [finished, live, spec] = std::array{cursors[0], cursors[1], cursors[2]};
      const std::string key(finished->key());
      live->Seek(key);
      if (live->Valid() && live->key() == key) {
        changes.push_back({Change::Kind::kErase, Shelf::kFinished, key, {}});
        return size_t{0};
      }
      const std::optional<JobId> id = IdOf(key);
      spec->Seek(key);
      if (!id || !spec->Valid() || spec->key() != key) {
        return Internal("STORE_DAMAGED", "a job that has ended has no spec; restore the folder from a copy");
      }
      Result<JobRecord> record = DecodeJob(*id, {.spec = spec->value(), .state = finished->value()});
      if (!record.ok()) return record.status();
      const EndedJob ended = EndedOf(*record);
      changes.push_back({Change::Kind::kPut, Shelf::kEnded, KeyOfEnded(ended), EncodeEnded(ended)});
      if (record->request_id.empty()) return size_t{0};
      const SpentRequest request{.request_id = record->request_id,
                                 .job = *id,
                                 .fingerprint = record->fingerprint,
                                 .final_state = record->life.state};
      changes.push_back({Change::Kind::kPut, Shelf::kRequests, request.request_id, EncodeRequest(request)});
      return size_t{0};
    }));
    MR_RETURN_IF_ERROR(disk.Write(changes));
    MR_RETURN_IF_ERROR(disk.Sync());
  }
  return OkStatus();
}

}  // namespace

Status Migrate(Disk& disk, int format) {
  MR_CHECK(format == 1 || format == 2, "there is no way from format %d", format);
  // Format 2 had no shelf of large results, and no large results.
  return format == 1 ? FromFormat1(disk) : OkStatus();
}

}  // namespace millrace::store
