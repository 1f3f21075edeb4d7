#include "rpc/work_words.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>

#include "base/version.h"
#include "rpc/convert.h"
#include "rpc/work_convert.h"

namespace millrace::rpc {

using dispatch::LeaseRef;
using dispatch::LeaseStop;

namespace {

template <typename T>
void Append(std::vector<T>&& more, std::vector<T>* to) {
  to->insert(to->end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

}  // namespace

Status CheckWorkRequestSize(size_t bytes) {
  if (bytes <= kWorkRequestBytesMax) return OkStatus();
  return InvalidArgument("MESSAGE_TOO_LARGE",
                         "a message has " + std::to_string(bytes) + " bytes, and 4 MiB are the limit; send several")
      .With("bytes", static_cast<int64_t>(bytes))
      .With("limit", static_cast<int64_t>(kWorkRequestBytesMax));
}

Status SessionReplaced() {
  return FailedPrecondition("SESSION_REPLACED",
                            "another stream or hello brought the same instance_key; draw one for each process");
}

void WorkReply::Add(WorkReply&& more) {
  Append(std::move(more.lost), &lost);
  Append(std::move(more.errors), &errors);
  if (more.heartbeat) heartbeat = more.heartbeat;
}

// ---- What it says ---------------------------------------------------------------------------------------------------

Result<Entrance> Enter(dispatch::Leases& leases, v1::WorkerHello&& hello, std::shared_ptr<dispatch::WorkerDoor> door) {
  dispatch::WorkerOffer offer;
  MR_RETURN_IF_ERROR(TakeHello(std::move(hello), &offer));
  auto entered = leases.Enter(offer, std::move(door));
  if (!entered.ok()) return InField("hello.", entered.status());
  auto welcome = std::make_unique<v1::WorkerWelcome>();
  welcome->set_server_version(Version());
  Fill(leases.Options(), welcome.get());
  for (const LeaseRef& ref : entered->kept) Fill(ref, welcome->add_kept());
  for (const LeaseRef& ref : entered->lost) Fill(ref, welcome->add_lost());
  welcome->set_protocol(kProtocol);
  welcome->add_capabilities(kPayloadRefCapability);
  welcome->add_capabilities(kCheckpointCapability);
  welcome->add_capabilities(kCostsCapability);
  welcome->set_result_bytes_max(static_cast<int64_t>(leases.ResultBytesMax()));
  welcome->set_worker_id(entered->worker_id.ToString());
  return Entrance{.holder = entered->holder, .welcome = std::move(welcome)};
}

Status Hear(dispatch::Leases& leases, dispatch::LeaseHolder& holder, v1::WorkRequest&& request, Heard* heard) {
  dispatch::WorkerWords words;
  if (request.has_heartbeat()) heard->reply.heartbeat = request.heartbeat().sequence();
  heard->goodbye = request.goodbye();
  MR_RETURN_IF_ERROR(TakeWords(std::move(request), &words));
  dispatch::Unheard unheard;
  MR_RETURN_IF_ERROR(leases.Hear(holder, std::move(words), &unheard));
  if (heard->goodbye) leases.Leave(holder, dispatch::Leases::Leaving::kGoodbye);
  heard->reply.lost = std::move(unheard.refused);
  heard->reply.errors = std::move(unheard.other);
  heard->ended = std::move(unheard.ended);
  return OkStatus();
}

std::vector<LeaseRef> FindLost(dispatch::Leases& leases, dispatch::LeaseHolder& holder,
                               const std::vector<LeaseRef>& ended) {
  std::vector<LeaseRef> lost;
  for (const LeaseRef& ref : ended) {
    if (!leases.AckAgain(holder, ref)) lost.push_back(ref);
  }
  return lost;
}

// ---- What it is told ------------------------------------------------------------------------------------------------

bool WorkWords::Waits(const LeaseRef& ref) const {
  return std::any_of(leases_.begin(), leases_.end(), [&](const dispatch::Lease& lease) { return lease.ref == ref; });
}

void WorkWords::Tell(WorkReply&& reply, dispatch::WorkerNews&& news, v1::WorkResponse* response) {
  if (reply.welcome) response->set_allocated_welcome(reply.welcome.release());
  for (const LeaseRef& ref : reply.lost) Fill({ref, dispatch::LeaseLost(ref)}, response->add_errors());
  for (const LeaseStop& error : reply.errors) Fill(error, response->add_errors());
  if (reply.heartbeat) response->mutable_heartbeat_ack()->set_sequence(*reply.heartbeat);

  if (news.drained) drained_ = news.drained;
  if (reply.drain != v1::WorkerDrain::WHY_UNSPECIFIED) {
    response->mutable_drain()->set_why(reply.drain);
  } else if (drained_) {
    const bool drained = *std::exchange(drained_, std::nullopt);
    response->mutable_drain()->set_why(drained ? v1::WorkerDrain::WHY_OPERATOR : v1::WorkerDrain::WHY_RESUMED);
  }
  for (const LeaseRef& ref : news.acked) Fill(ref, response->add_acked());
  Append(std::move(news.stopped), &stops_);
  for (const LeaseRef& ref : news.unknown) revoked_.push_back({ref, dispatch::LeaseLost(ref)});
  Append(std::move(news.revoked), &revoked_);
  for (dispatch::Lease& lease : news.given) leases_.push_back(std::move(lease));

  const auto tell = [this](std::vector<LeaseStop>& stops, auto add) {
    std::erase_if(stops, [&](const LeaseStop& each) {
      if (Waits(each.ref)) return false;
      Fill(each, add());
      return true;
    });
  };
  tell(stops_, [&] { return response->add_stops(); });
  tell(revoked_, [&] { return response->add_revoked(); });
  for (size_t bytes = 0; !leases_.empty(); leases_.pop_front()) {
    v1::Lease& lease = *response->add_leases();
    Fill(leases_.front(), &lease);
    bytes += lease.ByteSizeLong();
    if (bytes <= kResponseBytes || response->leases_size() == 1) continue;
    response->mutable_leases()->RemoveLast();
    break;
  }
}

void WorkWords::Drop() {
  leases_.clear();
  stops_.clear();
  revoked_.clear();
  drained_.reset();
}

}  // namespace millrace::rpc
