#include "tests/crash/driver.h"

#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <thread>

#include "base/check.h"
#include "tests/crash/daemon_process.h"
#include "tests/crash/ledger.h"
#include "tests/crash/load.h"

namespace millrace::crash {

namespace fs = std::filesystem;

namespace {

constexpr int64_t kMilli = 1'000'000;
// What only catches a hang.
constexpr int64_t kPatience = 120'000 * kMilli;

// Jobs that end in a round are fewer.
constexpr int64_t kAll = 10'000'000;

// With --ack interval, what was acknowledged has a sync after so long. The seconds are for a machine that pauses, or
// has better to do than to run the daemon; one that does not sync by itself would have none however long one waits.
constexpr int64_t kAckIntervalMs = 50;
constexpr int64_t kSyncedWithin = (kAckIntervalMs + 5'000) * kMilli;

// How a life ends.
struct Plan {
  Faults faults;
  int64_t after = 0;  // By time, from its start; a plan that counts steps ends so as well if they do not come.
  bool calm = false;  // The load ends first, and what was acknowledged has its sync.
};

class Round {
 public:
  Round(const DriverOptions& options, uint64_t seed, Tally* tally)
      : options_(options),
        tally_(*tally),
        random_(seed),
        disk_(options.scratch / "disk", options.programs / "libmillrace_power_cut.so"),
        ledger_({.seed = seed, .payload_bytes = options.payload_bytes, .forgets = options.remember > 0}) {
    fs::remove(Executions());
    std::ofstream(Config())
        << "[server]\nack_interval = \"" << kAckIntervalMs
        << "ms\"\n"
           "[pool.default]\nworkers = 8\ncapacity = 1000000\n"
           "[pool.programs]\nrunner = \"exec\"\nworkers = 4\ncapacity = 1000000\n"
           "[jobs]\nfinished_age_min = \"0s\"\nfinished_bytes_max = \"64GiB\"\ndead_letter_bytes_max = \"64GiB\"\n"
           "finished_jobs_max = "
        << FinishedMax() << "\ndead_letter_jobs_max = " << DeadLettersMax()
        << "\n[kind.record]\npool = \"programs\"\nexec = [\"" << (options.programs / "crash_record").string()
        << "\", \"" << Executions() << "\"]\nretry = { initial_backoff = \"10ms\", max_backoff = \"50ms\" }\n";
  }

  Findings Run(int kills) {
    for (int i = 0; i < kills && findings_.none(); ++i) Live(MakePlan(i));
    if (findings_.none()) Settle();
    findings_.Add(ledger_.findings());
    tally_.repeats += ledger_.repeats();
    tally_.verbs += ledger_.removed(/*dead_letters=*/false) + ledger_.removed(/*dead_letters=*/true);
    tally_.requests += static_cast<int64_t>(ledger_.requests().size());
    return std::move(findings_);
  }

 private:
  std::string Config() const { return options_.scratch / "config.toml"; }
  std::string Log() const { return options_.scratch / "daemon.log"; }
  std::string LastWords() const {
    std::ifstream log(Log());
    std::string last;
    for (std::string line; std::getline(log, line);) last = line;
    return last;
  }
  std::string Executions() const { return options_.scratch / "executions"; }
  int64_t FinishedMax() const { return options_.remember > 0 ? options_.remember : kAll; }
  int64_t DeadLettersMax() const { return options_.remember > 0 ? std::max<int64_t>(options_.remember / 10, 1) : kAll; }
  bool Forgiving() const { return options_.cut && options_.ack != "fsync"; }

  uint64_t Below(uint64_t end) { return random_() % end; }

  Plan MakePlan(int life) {
    Plan plan;
    plan.faults.unsynced = options_.unsynced;
    plan.faults.sync_micros_max = std::array<uint32_t, 3>{0, 1000, 5000}[Below(3)];
    plan.after = static_cast<int64_t>(Below(static_cast<uint64_t>(options_.life_ms_max))) * kMilli;
    // What may be forgotten is looked at when the next daemon is ready, so the one before it must have been.
    if (Forgiving()) {
      plan.calm = options_.ack == "interval" && life % 4 == 3;
      return plan;
    }
    if (!options_.at_syncs && Below(5) < 2) return plan;
    plan.faults.kill_moment = static_cast<Moment>(Below(3));
    if (options_.at_syncs) {
      // What was written just before them is what a torn write is made of.
      plan.faults.kill_step = Step::kSync;
      plan.faults.kill_moment = Moment::kBefore;
      plan.faults.kill_at = 20 + static_cast<uint32_t>(Below(100));
    } else if (Below(3) == 0) {
      // Any step. Most of these happen at the start.
      plan.faults.kill_step = static_cast<Step>(Below(static_cast<uint64_t>(Step::kCount)));
      plan.faults.kill_at = 1 + static_cast<uint32_t>(Below(20));
    } else {
      // These go on with the load.
      plan.faults.kill_step = Below(2) == 0 ? Step::kWrite : Step::kSync;
      plan.faults.kill_at = 1 + static_cast<uint32_t>(Below(300));
    }
    plan.after = 2 * options_.life_ms_max * kMilli;
    return plan;
  }

  std::unique_ptr<DaemonProcess> Start(const Faults& faults) {
    disk_.Arm(faults, random_());
    const std::vector<std::string> command = {options_.programs / "millraced",
                                              "--config",
                                              Config(),
                                              "--data-dir",
                                              disk_.root() / "data",
                                              "--store",
                                              "rocksdb",
                                              "--ack",
                                              options_.ack,
                                              "--grpc-address",
                                              "127.0.0.1:0",
                                              "--http-address",
                                              "127.0.0.1:0"};
    return std::make_unique<DaemonProcess>(command, disk_.Environment(), Log());
  }

  void Live(const Plan& plan) {
    const auto daemon = Start(plan.faults);
    const int64_t start = MonotonicNow();
    std::optional<Load> load;
    bool ready = false;
    const auto address = daemon->AwaitReady(Forgiving() ? start + kPatience : start + plan.after);
    if (address) {
      ready = true;
      if (Forgiving() && !Forgive(*address)) return;
      ledger_.Allow(options_.requests_in_life);
      load.emplace(ledger_, *address,
                   Load::Options{.seed = random_(),
                                 .cancels = options_.cancels,
                                 .verbs = options_.verbs,
                                 .listens = options_.remember > 0});
    }
    const int64_t from = Forgiving() ? MonotonicNow() : start;
    daemon->AwaitEnd(from + plan.after);
    if (plan.calm && load) {
      load->Finish();
      AwaitSync(*address);
    }
    const int64_t end = MonotonicNow();
    daemon->Signal(SIGKILL);
    const int status = daemon->Reap();
    if (load) load->Stop();
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL) {
      return findings_.Add(Fault::kDaemon,
                           "the daemon ended by itself, wait status " + std::to_string(status) + ": " + LastWords());
    }
    ++tally_.kills;
    ++(disk_.killed_itself() ? tally_.by_step : tally_.by_time);
    tally_.before_ready += ready ? 0 : 1;
    killed_at_ = end;
    promised_until_ = std::max(disk_.LastSync(".log"), start);
    if (options_.cut) Cut();
    if (options_.verbose) {
      std::printf("steps:");
      for (uint32_t i = 0; i < static_cast<uint32_t>(Step::kCount); ++i) {
        std::printf(" %u", disk_.steps(static_cast<Step>(i)));
      }
      std::printf("; life of %.0f ms, %s%s%s\n", static_cast<double>(end - start) / kMilli,
                  disk_.killed_itself() ? "killed at a step" : "killed by time", ready ? "" : ", before it was ready",
                  plan.calm ? ", calm" : "");
    }
  }

  void Cut() {
    const CutReport report = disk_.Cut(options_.tails, random_);
    ++tally_.cuts;
    tally_.names_undone += report.names_undone;
    tally_.files_shortened += report.files_shortened;
    tally_.files_torn += report.files_torn;
    if (options_.verbose) {
      std::printf("cut: %d names undone, %d files shortened, %d torn, %lu bytes lost\n", report.names_undone,
                  report.files_shortened, report.files_torn, report.bytes_lost);
    }
  }

  // Everything acknowledged until now is on the disk once a sync of the log that begins from now on is over. The mode
  // says that it comes by itself where there is something to sync, so there is one more: the others may have had theirs
  // already.
  void AwaitSync(const std::string& address) {
    const int64_t since = MonotonicNow();
    const auto client = client::Client::Connect(address);
    if (const Status status = SubmitOneMore(**client, ledger_); !status.ok()) {
      return findings_.Add(Fault::kDaemon, status.ToString());
    }
    const int64_t until = MonotonicNow() + kSyncedWithin;
    while (disk_.LastSync(".log") <= since) {
      if (MonotonicNow() > until) return findings_.Add(Fault::kDaemon, "no sync came by itself");
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
  }

  bool Forgive(const std::string& address) {
    const auto client = client::Client::Connect(address);
    const auto jobs = ListAll(**client);
    if (!jobs.ok()) {
      findings_.Add(Fault::kDaemon, jobs.status().ToString());
      return false;
    }
    const Ledger::Forgiven forgiven =
        ledger_.Forgive({.kept_until = promised_until_,
                         .cut_at = killed_at_,
                         .age_max = options_.ack == "interval" ? kSyncedWithin : INT64_MAX},
                        *jobs);
    tally_.forgiven += forgiven.requests;
    tally_.forgiven_ends += forgiven.ends;
    if (forgiven.requests > 0) {
      tally_.forgiven_age = std::max(tally_.forgiven_age, killed_at_ - forgiven.oldest_at);
    }
    return true;
  }

  Result<std::vector<v1::Job>> EndAll(const std::string& address) {
    const auto client = client::Client::Connect(address);
    MR_RETURN_IF_ERROR(SubmitTheRest(**client, ledger_));
    MR_RETURN_IF_ERROR(AwaitAllEnds(**client));
    // A job that is not there any more must still be known.
    if (options_.remember > 0 || options_.verbs) MR_RETURN_IF_ERROR(RepeatAll(**client, ledger_));
    return ListAll(**client);
  }

  // A daemon that is left alone: all is answered, all ends, and the next one has the same.
  void Settle() {
    Facts facts;
    facts.starts_may_be_lost = Forgiving();
    for (int life = 0; life < 2; ++life) {
      const auto daemon = Start({});
      const auto address = daemon->AwaitReady(MonotonicNow() + kPatience);
      if (!address) return findings_.Add(Fault::kDaemon, "it does not start: " + LastWords());
      if (life == 0 && Forgiving() && !Forgive(*address)) return;
      auto jobs = EndAll(*address);
      if (!jobs.ok()) return findings_.Add(Fault::kDaemon, jobs.status().ToString());
      // Those of the first become what was seen.
      for (const v1::Job& job : *jobs) {
        ledger_.Saw(job);
        if (life == 0) facts.at_rest.insert(job.id());
      }
      facts.jobs = *std::move(jobs);
      daemon->Signal(SIGTERM);
      if (!daemon->AwaitEnd(MonotonicNow() + kPatience)) return findings_.Add(Fault::kDaemon, "it does not stop");
      if (const int status_word = daemon->Reap(); status_word != 0) {
        return findings_.Add(Fault::kDaemon, "it stopped with wait status " + std::to_string(status_word));
      }
    }
    facts.requests = ledger_.requests();
    std::ifstream executions(Executions());
    std::string word;
    for (Execution each; executions >> each.job >> each.attempt >> word >> each.at;) {
      each.ended = word == "ends";
      facts.executions.push_back(each);
    }
    facts.finished = {.jobs_max = FinishedMax(), .removed = ledger_.removed(/*dead_letters=*/false)};
    facts.dead_letters = {.jobs_max = DeadLettersMax(), .removed = ledger_.removed(/*dead_letters=*/true)};
    findings_.Add(Check(facts, &tally_.totals));
  }

  const DriverOptions& options_;
  Tally& tally_;
  Random random_;
  PowerCut disk_;
  Ledger ledger_;
  Findings findings_;
  int64_t killed_at_ = 0, promised_until_ = 0;  // In the last life.
};

}  // namespace

Findings Drive(const DriverOptions& options, Tally* tally) {
  fs::remove_all(options.scratch);
  fs::create_directories(options.scratch);
  Findings findings;
  auto goes_on = [&] { return options.expect ? findings.count(*options.expect) == 0 : findings.none(); };
  for (int left = options.kills, round = 0; left > 0 && goes_on(); ++round) {
    const int kills = std::min(left, options.kills_in_round);
    findings.Add(Round(options, options.seed * 1000 + static_cast<uint64_t>(round), tally).Run(kills));
    left -= kills;
  }
  return findings;
}

}  // namespace millrace::crash
