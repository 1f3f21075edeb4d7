#include "dispatch/lease_offer.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/units.h"
#include "job/validate.h"

namespace millrace::dispatch {

namespace {

constexpr size_t kWorkerNameMax = 128, kWorkerKeyMax = 64;
Status BadWorker(std::string field, std::string message) {
  return InvalidArgument("BAD_WORKER", std::move(message)).Field(std::move(field));
}

// Without spaces and control characters.
bool IsWord(const std::string& text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) > 0x20 && c != 0x7f; });
}

Status CheckKind(const WorkerOffer& offer, size_t i) {
  const std::string field = "kinds[" + std::to_string(i) + "]";
  const KindOffer& kind = offer.kinds[i];
  if (!IsKindName(kind.name)) return BadWorker(field, "the name of a kind is 1 to 63 of A-Z a-z 0-9 . _ -");
  if (std::count_if(offer.kinds.begin(), offer.kinds.end(),
                    [&](const KindOffer& each) { return each.name == kind.name; }) > 1) {
    return BadWorker(field, "kind '" + kind.name + "' is offered twice");
  }
  if (kind.slots < 1 || kind.slots > offer.slots) {
    return BadWorker(field + ".slots", "kind '" + kind.name + "' takes " + std::to_string(kind.slots) +
                                           " slots, and the worker has " + std::to_string(offer.slots) +
                                           "; give 1 to so many");
  }
  if (kind.beat_within && (*kind.beat_within < kRunTimeoutMin || *kind.beat_within > kRunTimeoutMax)) {
    return BadWorker(field + ".beat_within", "beat_within of kind '" + kind.name + "' is " +
                                                 FormatDuration(*kind.beat_within) +
                                                 "; give 1 ms to 31 days, or leave it out");
  }
  if (kind.at_once_max < 0 || kind.at_once_max > kLeaseSlotsMax) {
    return BadWorker(field + ".at_once_max", "at_once_max of kind '" + kind.name + "' is " +
                                                 std::to_string(kind.at_once_max) + "; give 0 to " +
                                                 std::to_string(kLeaseSlotsMax));
  }
  return OkStatus();
}

}  // namespace

Status CheckOffer(const WorkerOffer& offer) {
  const auto bad = BadWorker;
  if (offer.worker.empty() || offer.worker.size() > kWorkerNameMax || !IsWord(offer.worker)) {
    return bad("worker", "the name of a worker is 1 to 128 bytes without spaces and control characters");
  }
  if (offer.build_id.size() > kWorkerNameMax || !IsWord(offer.build_id)) {
    return bad("build_id", "build_id is at most 128 bytes without spaces and control characters");
  }
  if (offer.sdk.size() > kWorkerNameMax || !IsWord(offer.sdk)) {
    return bad("sdk", "sdk is at most 128 bytes without spaces and control characters, such as python/0.1.0");
  }
  if (Status labels = ValidateLabels(offer.labels, kLabelsMax, "the worker", "labels"); !labels.ok()) {
    return bad("labels", labels.message());
  }
  for (const char* own : {kWorkerLabel, kBuildLabel}) {
    if (offer.labels.find(own) != offer.labels.end()) {
      return bad("labels", std::string("the label '") + own + "' is made of the worker's " +
                               (own == kBuildLabel ? "build_id" : "name") + "; leave it out");
    }
  }
  if (offer.key.empty() || offer.key.size() > kWorkerKeyMax) {
    return bad("instance_key", "instance_key has " + std::to_string(offer.key.size()) +
                                   " bytes; give 16 random ones, drawn once for each process");
  }
  if (offer.slots < 1 || offer.slots > kLeaseSlotsMax) {
    return bad("slots", "slots is " + std::to_string(offer.slots) + "; give 1 to " + std::to_string(kLeaseSlotsMax));
  }
  if (offer.kinds.empty() || offer.kinds.size() > kOfferedKindsMax) {
    return bad("kinds", "a worker offers 1 to " + std::to_string(kOfferedKindsMax) + " kinds, not " +
                            std::to_string(offer.kinds.size()));
  }
  for (size_t i = 0; i < offer.kinds.size(); ++i) MR_RETURN_IF_ERROR(CheckKind(offer, i));
  if (offer.held.size() > static_cast<size_t>(kLeaseSlotsMax)) {
    return bad("held", "a worker holds " + std::to_string(kLeaseSlotsMax) + " attempts at most");
  }
  return OkStatus();
}

LabelSet LabelsOf(const WorkerOffer& offer) {
  LabelSet labels = offer.labels;
  labels[kWorkerLabel] = offer.worker;
  if (!offer.build_id.empty()) labels[kBuildLabel] = offer.build_id;
  return labels;
}

}  // namespace millrace::dispatch
