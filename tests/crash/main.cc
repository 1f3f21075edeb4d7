// crash_run: kills a daemon, again and again. README.md tells how it works and what to run.
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "tests/crash/driver.h"

namespace {

using namespace millrace::crash;  // NOLINT: this file is theirs

constexpr const char* kUsage =
    "crash_run [--kills N] [--kills-in-round N] [--ack fsync|interval|none] [--cut short|torn|garbage] [--seed N]\n"
    "          [--requests N] [--payload BYTES] [--life-ms N] [--remember N] [--cancels] [--verbs] [--at-syncs]\n"
    "          [--unsynced ENDING] [--expect FAULT] [--scratch DIR] [--verbose]\n"
    "  --cut       the power goes with the process; short: of what was not synced a part from the start is left;\n"
    "              torn: pages of it are zeros; garbage: or anything\n"
    "  --requests  new ones in each life; --payload: of the large ones\n"
    "  --unsynced  syncs of files with this ending do nothing ('*': all)\n"
    "  --at-syncs  all kills are just before a sync\n"
    "  --cancels   clients cancel as well, and hold the daemon to its answer\n"
    "  --verbs     and retry and delete what has ended\n"
    "  --remember  the daemon remembers so many jobs that ended, and a tenth as many dead letters\n"
    "              (neither of the two with --cut where the mode may lose jobs)\n"
    "  --expect    this must be found ('lost', ...), or it fails\n";

// What a flag without a value sets; nullptr: there is no such flag.
bool* Switch(const std::string& flag, DriverOptions* options) {
  if (flag == "--verbose") return &options->verbose;
  if (flag == "--cancels") return &options->cancels;
  if (flag == "--verbs") return &options->verbs;
  if (flag == "--at-syncs") return &options->at_syncs;
  return nullptr;
}

int Main(int count, char** arguments) {
  DriverOptions options;
  options.programs = std::filesystem::canonical("/proc/self/exe").parent_path();
  options.scratch =
      std::filesystem::temp_directory_path() / ("millrace-crash-" + std::to_string(static_cast<long>(getpid())));
  options.seed = static_cast<uint64_t>(std::chrono::system_clock::now().time_since_epoch().count()) % 1'000'000;
  for (int i = 1; i < count; ++i) {
    const std::string flag = arguments[i];
    if (bool* set = Switch(flag, &options); set != nullptr) {
      *set = true;
      continue;
    }
    if (i + 1 == count) return std::fputs(kUsage, stderr), 2;
    const std::string value = arguments[++i];
    if (flag == "--kills") {
      options.kills = std::stoi(value);
    } else if (flag == "--kills-in-round") {
      options.kills_in_round = std::stoi(value);
    } else if (flag == "--ack") {
      options.ack = value;
    } else if (flag == "--cut" && (value == "short" || value == "torn" || value == "garbage")) {
      options.cut = true;
      options.tails = value == "short" ? Tails::kShort : value == "torn" ? Tails::kTorn : Tails::kGarbage;
    } else if (flag == "--seed") {
      options.seed = std::stoull(value);
    } else if (flag == "--requests") {
      options.requests_in_life = std::stoi(value);
    } else if (flag == "--payload") {
      options.payload_bytes = std::stoull(value);
    } else if (flag == "--life-ms") {
      options.life_ms_max = std::stoi(value);
    } else if (flag == "--remember") {
      options.remember = std::stoll(value);
    } else if (flag == "--unsynced") {
      options.unsynced = value;
    } else if (flag == "--expect") {
      for (int fault = 0; fault < static_cast<int>(Fault::kCount); ++fault) {
        if (value == ToString(static_cast<Fault>(fault))) options.expect = static_cast<Fault>(fault);
      }
      if (!options.expect) return std::fputs(kUsage, stderr), 2;
    } else if (flag == "--scratch") {
      options.scratch = value;
    } else {
      return std::fputs(kUsage, stderr), 2;
    }
  }

  if ((options.remember > 0 || options.verbs) && options.cut && options.ack != "fsync") {
    return std::fputs(kUsage, stderr), 2;
  }

  std::printf("crash_run: seed %lu, ack %s, %s\n", options.seed, options.ack.c_str(),
              options.cut ? "the power goes too" : "SIGKILL only");
  std::fflush(stdout);
  Tally tally;
  const Findings findings = Drive(options, &tally);
  const Totals& totals = tally.totals;
  std::printf(
      "kills %d (by time %d, at a step %d; before ready %d), cuts %d (names undone %d, files shortened %d, torn %d)\n",
      tally.kills, tally.by_time, tally.by_step, tally.before_ready, tally.cuts, tally.names_undone,
      tally.files_shortened, tally.files_torn);
  std::printf(
      "requests %ld, repeats %ld, acknowledged %ld, jobs %ld, losses %ld, quarantined %ld, executed outside %ld, again "
      "%ld\n",
      tally.requests, tally.repeats, totals.acknowledged, totals.jobs, totals.losses, totals.quarantined,
      totals.executed, totals.executed_again);
  if (totals.forgotten + tally.verbs > 0) {
    std::printf("gone, and rightly so: %ld, of which %ld ended unseen; deleted or retried %ld times\n",
                totals.forgotten, totals.unseen, tally.verbs);
  }
  if (tally.forgiven + tally.forgiven_ends > 0) {
    std::printf("within what the mode may lose: %ld acknowledged, %ld ends; the oldest %.1f ms before the cut\n",
                tally.forgiven, tally.forgiven_ends, static_cast<double>(tally.forgiven_age) / 1e6);
  }
  std::printf("found:");
  for (int i = 0; i < static_cast<int>(Fault::kCount); ++i) {
    const auto fault = static_cast<Fault>(i);
    std::printf(" %s %d%s", ToString(fault), findings.count(fault),
                i + 1 < static_cast<int>(Fault::kCount) ? "," : "\n");
  }
  for (const std::string& told : findings.told()) std::printf("  %s\n", told.c_str());
  const bool good = options.expect ? findings.count(*options.expect) > 0 : findings.none();
  if (good) std::filesystem::remove_all(options.scratch);
  if (!good) std::printf("logs in %s\n", options.scratch.c_str());
  return good ? 0 : 1;
}

}  // namespace

int main(int count, char** arguments) { return Main(count, arguments); }
