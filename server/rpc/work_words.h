// The words of a worker in another process and of the daemon, whatever way they travel: on a stream of the worker
// (work_stream.h), or by calls (sync_call.h).
//
//   Repeats   An end of an attempt that is not the worker's any more may be one that was written down and whose
//             acknowledgement was lost. So it is looked up, on a fiber, before it is called LEASE_LOST.
//   Size      A response has leases of up to kResponseBytes, or one that is larger. What is left waits for the next
//             one: dispatch bounds it by the worker's slots.
//   Order     A stop never overtakes the lease of its attempt, since the worker counts each lease.
//   Threads   One at a time for each object.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "base/status.h"
#include "dispatch/leases.h"
#include "millrace/v1/worker_service.pb.h"

namespace millrace::rpc {

inline constexpr size_t kWorkRequestBytesMax = size_t{4} << 20;
inline constexpr size_t kResponseBytes = size_t{1} << 20;

// INVALID_ARGUMENT MESSAGE_TOO_LARGE.
Status CheckWorkRequestSize(size_t bytes);
// FAILED_PRECONDITION SESSION_REPLACED.
Status SessionReplaced();

// All that there is to tell beside dispatch's news.
struct WorkReply {
  std::unique_ptr<v1::WorkerWelcome> welcome;
  std::vector<dispatch::LeaseRef> lost;  // LEASE_LOST.
  std::vector<dispatch::LeaseStop> errors;
  std::optional<int64_t> heartbeat;
  v1::WorkerDrain::Why drain = v1::WorkerDrain::WHY_UNSPECIFIED;

  size_t error_count() const { return lost.size() + errors.size(); }
  bool empty() const {
    return !welcome && error_count() == 0 && !heartbeat && drain == v1::WorkerDrain::WHY_UNSPECIFIED;
  }
  // But for its welcome and its drain.
  void Add(WorkReply&& more);
};

// ---- A worker says
struct Entrance {
  std::shared_ptr<dispatch::LeaseHolder> holder;
  std::unique_ptr<v1::WorkerWelcome> welcome;
};
// A worker comes with its hello. As Leases::Enter, its field as in a WorkRequest, and as TakeHello.
Result<Entrance> Enter(dispatch::Leases& leases, v1::WorkerHello&& hello, std::shared_ptr<dispatch::WorkerDoor> door);

struct Heard {
  WorkReply reply;
  std::vector<dispatch::LeaseRef> ended;  // To be looked up by FindLost, for reply.lost.
  bool goodbye = false;
};
// All but the hello is done. As TakeWords and Leases::Hear; then nothing of it was done.
Status Hear(dispatch::Leases& leases, dispatch::LeaseHolder& holder, v1::WorkRequest&& request, Heard* heard);
// On a fiber: it may wait for the disk. Those that no word of a worker has ended; all others are acknowledged again.
std::vector<dispatch::LeaseRef> FindLost(dispatch::Leases& leases, dispatch::LeaseHolder& holder,
                                         const std::vector<dispatch::LeaseRef>& ended);

// ---- A worker is told
// The news that is not told yet.
class WorkWords {
 public:
  bool empty() const { return leases_.empty() && stops_.empty() && revoked_.empty() && !drained_; }
  // Into `response`, which is empty: all of `reply` and `news`, and what is left of earlier news, as far as there is
  // room. The caller takes care of `news.replaced`.
  void Tell(WorkReply&& reply, dispatch::WorkerNews&& news, v1::WorkResponse* response);
  // Nobody will be told of it: dispatch takes back what is not accepted.
  void Drop();

 private:
  bool Waits(const dispatch::LeaseRef& ref) const;

  std::deque<dispatch::Lease> leases_;
  std::vector<dispatch::LeaseStop> stops_, revoked_;
  std::optional<bool> drained_;
};

}  // namespace millrace::rpc
