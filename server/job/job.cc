#include "job/job.h"

#include <array>
#include <cctype>

namespace millrace {

namespace {

// Each name twice: as the proto writes it, and as a metric label.
struct Name {
  const char* upper;
  const char* lower;
};

constexpr std::array<Name, kJobStates> kStateNames = {{{"SCHEDULED", "scheduled"},
                                                       {"BLOCKED", "blocked"},
                                                       {"QUEUED", "queued"},
                                                       {"RUNNING", "running"},
                                                       {"SUCCEEDED", "succeeded"},
                                                       {"FAILED", "failed"},
                                                       {"CANCELLED", "cancelled"},
                                                       {"EXPIRED", "expired"},
                                                       {"QUARANTINED", "quarantined"}}};
constexpr std::array<Name, kBands> kBandNames = {
    {{"CRITICAL", "critical"}, {"HIGH", "high"}, {"NORMAL", "normal"}, {"LOW", "low"}}};
constexpr std::array<Name, 7> kResultNames = {{{"RUNNING", "running"},
                                               {"SUCCEEDED", "succeeded"},
                                               {"FAILED", "failed"},
                                               {"TIMED_OUT", "timed_out"},
                                               {"CANCELLED", "cancelled"},
                                               {"LOST", "lost"},
                                               {"RELEASED", "released"}}};
constexpr std::array<const char*, 3> kDurabilityNames = {"NONE", "INTERVAL", "FSYNC"};

bool EqualInAnyCase(std::string_view text, std::string_view upper) {
  if (text.size() != upper.size()) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (std::toupper(static_cast<unsigned char>(text[i])) != upper[i]) return false;
  }
  return true;
}

template <typename Enum, size_t N>
std::optional<Enum> Find(const std::array<Name, N>& names, std::string_view name) {
  for (size_t i = 0; i < N; ++i) {
    if (EqualInAnyCase(name, names[i].upper)) return static_cast<Enum>(i);
  }
  return std::nullopt;
}

}  // namespace

const char* ToString(JobState state) { return kStateNames[static_cast<size_t>(state)].upper; }
const char* ToString(Band band) { return kBandNames[static_cast<size_t>(band)].upper; }
const char* ToString(AttemptResult result) { return kResultNames[static_cast<size_t>(result)].upper; }
const char* ToString(Durability durability) { return kDurabilityNames[static_cast<size_t>(durability)]; }
const char* Label(Band band) { return kBandNames[static_cast<size_t>(band)].lower; }
const char* Label(JobState state) { return kStateNames[static_cast<size_t>(state)].lower; }
const char* Label(AttemptResult result) { return kResultNames[static_cast<size_t>(result)].lower; }

std::optional<JobState> ParseJobState(std::string_view name) { return Find<JobState>(kStateNames, name); }
std::optional<Band> ParseBand(std::string_view name) { return Find<Band>(kBandNames, name); }

bool IsTerminal(JobState state) { return state >= JobState::kSucceeded; }

}  // namespace millrace
