#include "client/cli/render_workers.h"

#include <map>

#include "client/cli/render.h"
#include "client/cli/table.h"
#include "client/words.h"

namespace millrace::cli {
namespace {

constexpr size_t kListColumns = 48;

// In the order of the names; protobuf has none.
std::map<std::string, std::string> LabelsOf(const v1::Worker& worker) {
  return {worker.labels().begin(), worker.labels().end()};
}

std::string KindsInOneLine(const v1::Worker& worker) {
  std::string kinds;
  for (const v1::KindOffer& offer : worker.kinds()) kinds += (kinds.empty() ? "" : " ") + offer.kind();
  return OneLine(kinds, kListColumns);
}

std::string LabelsInOneLine(const v1::Worker& worker) {
  std::string labels;
  for (const auto& [name, value] : LabelsOf(worker)) {
    if (name == "worker") continue;  // Its name, which has a column of its own.
    labels += (labels.empty() ? "" : " ") + name + "=" + value;
  }
  return OneLine(labels, kListColumns);
}

std::string OfferInWords(const v1::KindOffer& offer) {
  std::string limits;
  if (offer.slots() > 1) limits = "takes " + std::to_string(offer.slots()) + " slots";
  if (offer.at_once_max() > 0)
    limits += (limits.empty() ? "" : ", ") + std::to_string(offer.at_once_max()) + " at once";
  return offer.kind() + (limits.empty() ? "" : "  (" + limits + ")");
}

std::string TimeInWords(const google::protobuf::Timestamp& time, WallNanos now) {
  return Clock(FromProto(time)) + "  " + Ago(FromProto(time), now);
}

}  // namespace

std::string WorkerTable(const std::vector<v1::Worker>& workers, WallNanos now) {
  Table table({"ID", "NAME", "STATE", ">SLOTS", "KINDS", "LABELS", ">HEARD"});
  for (const v1::Worker& worker : workers) {
    table.Add({worker.id(), worker.name(), client::Word(worker.state()),
               std::to_string(worker.slots_used()) + "/" + std::to_string(worker.slots()), KindsInOneLine(worker),
               LabelsInOneLine(worker), worker.has_heard_time() ? Ago(FromProto(worker.heard_time()), now) : "-"});
  }
  return table.Render();
}

std::string WorkerDetail(const v1::Worker& worker, WallNanos now) {
  Details details;
  details.Add("id", worker.id());
  details.Add("name", worker.name());
  details.Add("state", client::Word(worker.state()));
  details.Add("slots", std::to_string(worker.slots_used()) + " of " + std::to_string(worker.slots()) + " used");
  for (const v1::KindOffer& offer : worker.kinds()) details.Add("kind", OfferInWords(offer));
  for (const auto& [name, value] : LabelsOf(worker)) details.Add("label", name + "=" + value);
  details.Add("sdk", worker.sdk());
  details.Add("build", worker.build_id());
  if (worker.has_connect_time()) details.Add("connected", TimeInWords(worker.connect_time(), now));
  if (worker.has_heard_time()) details.Add("heard", TimeInWords(worker.heard_time(), now));
  details.Add("attempts", FormatCount(worker.attempts_given()) + " given since it came first");
  std::string text = details.Take();
  if (worker.attempts_size() == 0) return text;

  Table table({"JOB", "KIND", ">ATTEMPT", ">SINCE"});
  for (const v1::WorkerAttempt& attempt : worker.attempts()) {
    const std::string since = attempt.has_start_time() ? Ago(FromProto(attempt.start_time()), now) : "-";
    table.Add({attempt.job_id(), attempt.kind(), std::to_string(attempt.attempt()),
               since + (attempt.accepted() ? "" : " (not accepted yet)")});
  }
  return text + "\n" + table.Render();
}

}  // namespace millrace::cli
