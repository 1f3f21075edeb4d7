#include "client/daemon_skills.h"

#include <algorithm>

namespace millrace::client {

DaemonSkills DaemonSkills::Of(const v1::WorkerWelcome& welcome) {
  const auto& able = welcome.capabilities();
  const auto can = [&](const char* what) { return std::find(able.begin(), able.end(), what) != able.end(); };
  DaemonSkills skills;
  if (!welcome.server_version().empty()) skills.version = welcome.server_version();
  skills.result_bytes_max = welcome.result_bytes_max();
  skills.keeps_checkpoints = can("checkpoint");
  // The first daemons that knew costs named only `checkpoint`.
  skills.knows_costs = can("costs") || skills.keeps_checkpoints;
  return skills;
}

Status DaemonSkills::CheckpointError() const {
  return FailedPrecondition("CHECKPOINT_UNSUPPORTED", "the daemon (version " + version +
                                                          ") keeps no checkpoints: upgrade the daemon, or save no "
                                                          "checkpoint")
      .With("daemon_version", version);
}

std::string DaemonSkills::NoCosts() const {
  return "the daemon (version " + version +
         ") does not know the slots and at_once_max of kinds, so this worker takes fewer jobs at once than it has "
         "slots "
         "for: upgrade the daemon";
}

std::string DaemonSkills::NoBeatWithin() const {
  return "the daemon (version " + version +
         ") does not know beat_within, so handlers that hang are not stopped: upgrade the daemon";
}

}  // namespace millrace::client
