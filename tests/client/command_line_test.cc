// The `millrace` program itself, run with wrong arguments and with no daemon.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <string>

namespace {

struct Outcome {
  int exit_code;
  std::string output;  // Both streams.
};

Outcome Millrace(const std::string& arguments, const std::string& input = "</dev/null") {
  const auto program = std::filesystem::read_symlink("/proc/self/exe").parent_path() / "millrace";
  std::FILE* pipe =
      popen(("MILLRACE_ADDRESS= '" + program.string() + "' " + arguments + " 2>&1 " + input).c_str(), "r");
  Outcome outcome{-1, ""};
  std::array<char, 4096> buffer;
  while (const size_t count = std::fread(buffer.data(), 1, buffer.size(), pipe))
    outcome.output.append(buffer.data(), count);
  const int status = pclose(pipe);
  if (WIFEXITED(status)) outcome.exit_code = WEXITSTATUS(status);
  return outcome;
}

void ExpectUsage(const std::string& arguments, const std::string& words) {
  const Outcome outcome = Millrace(arguments);
  EXPECT_EQ(outcome.exit_code, 2) << arguments;
  EXPECT_NE(outcome.output.find(words), std::string::npos) << arguments << " says: " << outcome.output;
}

TEST(CommandLine, HelpsAndTellsItsVersion) {
  EXPECT_EQ(Millrace("--version").exit_code, 0);
  EXPECT_EQ(Millrace("--version").output.substr(0, 9), "millrace ");
  const Outcome help = Millrace("--help");
  EXPECT_EQ(help.exit_code, 0);
  EXPECT_NE(help.output.find("Exit codes: 0 done"), std::string::npos);
  EXPECT_EQ(Millrace("jobs cancel --help").exit_code, 0);
}

TEST(CommandLine, SuggestsTheNearestWord) {
  ExpectUsage("sumbit echo", "unknown word 'sumbit', did you mean 'submit'?");
  ExpectUsage("jobs lst", "unknown word 'lst', did you mean 'list'?\n  millrace jobs --help lists what there is");
  ExpectUsage("submit echo --paylod x", "unknown option '--paylod', did you mean '--payload'?");
  ExpectUsage("pools list --jsn", "did you mean '--json'?\n  millrace pools list --help");
}

TEST(CommandLine, NamesWhatIsMissing) {
  ExpectUsage("", "subcommand is required");
  ExpectUsage("jobs", "subcommand is required");
  ExpectUsage("submit", "kind is required");
  ExpectUsage("jobs get", "id is required");
  ExpectUsage("jobs explain", "id is required");
  ExpectUsage("workers", "subcommand is required");
  for (const char* verb : {"get", "drain", "resume"}) ExpectUsage(std::string("workers ") + verb, "worker is required");
  ExpectUsage("admin", "subcommand is required");
  ExpectUsage("admin backup", "folder is required");
  ExpectUsage("admin inspect --job 01J", "folder is required");
  ExpectUsage("pools resize default", "--workers, --capacity-jobs or --capacity-bytes");
  ExpectUsage("jobs cancel", "either ids or a selection");
  ExpectUsage("jobs delete 01J --state failed", "either ids or a selection");
}

TEST(CommandLine, RefusesValuesThatMakeNoSense) {
  ExpectUsage("submit echo --delay soon", "--delay: 'soon'");
  ExpectUsage("submit echo --count 0", "--count: '0'");
  ExpectUsage("submit echo --file /no/such/file", "cannot read /no/such/file: No such file or directory");
  ExpectUsage("submit echo --files-from /no/such/list", "cannot read /no/such/list");
  ExpectUsage("submit echo --max-attempts many", "many");
  ExpectUsage("jobs list --limit -1", "--limit: '-1' is not 0 to 1000000000");
  for (const char* number : {"99999999999999999999", "0x10", "1e3", "1.5", "'3 '", "-1"}) {
    for (const char* option :
         {"submit echo --count", "submit echo --count 2 --window", "submit echo --max-attempts", "jobs list --limit",
          "pools resize x --workers", "pools resize x --capacity-jobs", "bench --jobs", "bench --window",
          "bench --connections", "bench --batch", "bench --warmup", "bench --samples"}) {
      ExpectUsage(std::string(option) + " " + number, "is not ");
    }
  }
  ExpectUsage("jobs list --state done", "--state: 'done'");
  ExpectUsage("bench --mode fast", "--mode: 'fast'");
  ExpectUsage("bench --window 0", "--window");
  ExpectUsage("bench --rate=-5", "--rate");
  ExpectUsage("pools list --timeout never", "--timeout: 'never'");
  ExpectUsage("pools list --address nowhere:port", "'nowhere:port' is not an address");
  ExpectUsage("pools list --address 127.0.0.1:84536", "from 0 to 65535");
  ExpectUsage("submit echo --max-attempts 0", "--max-attempts: '0' is not 1 to 1000");
  ExpectUsage("submit echo --label a=1 --label a=2", "'a' is given twice");
  ExpectUsage("run echo --require gpu", "--require: 'gpu' is not NAME=VALUE");
  ExpectUsage("submit echo --prefer a=1 --prefer a=2", "--prefer: 'a' is given twice");
  ExpectUsage("submit echo --run-at 2300-01-01T00:00:00Z", "from 1970 to 2255");
  ExpectUsage("run echo --count 2", "--count");
}

// What a script passes on whose variable is not set.
TEST(CommandLine, TakesAnEmptyValueForAMistake) {
  for (const char* option : {"--pool", "--kind", "--state", "--band", "--filter", "--label"}) {
    for (const char* command :
         {"jobs delete --yes", "jobs cancel --yes", "jobs retry --yes", "jobs list", "jobs watch"}) {
      ExpectUsage(std::string(command) + " " + option + " ''", std::string(option) + ": is empty");
      ExpectUsage(std::string(command) + " " + option + "=", option);
    }
  }
  for (const char* option :
       {"--pool", "--band", "--delay", "--deadline", "--run-at", "--run-timeout", "--request-id", "--unique-key",
        "--label", "--require", "--prefer", "--file", "--files-from", "--on-full", "--max-attempts"}) {
    ExpectUsage(std::string("submit echo ") + option + " ''", std::string(option) + ": is empty");
  }
  ExpectUsage("jobs watch ''", "id: is empty");
  ExpectUsage("jobs get ''", "id: is empty");
  ExpectUsage("jobs explain ''", "id: is empty");
  ExpectUsage("workers drain ''", "worker: is empty");
  ExpectUsage("workers list --kind ''", "--kind: is empty");
  ExpectUsage("pools drain ''", "name: is empty");
  ExpectUsage("admin inspect ''", "folder: is empty");
  // A payload may well be empty.
  EXPECT_EQ(Millrace("submit echo --payload '' --address 127.0.0.1:1").exit_code, 3);
}

TEST(CommandLine, SuggestsWholeCommands) {
  ExpectUsage("list", "did you mean 'jobs list' or 'pools list' or 'workers list'?");
  ExpectUsage("get jobs", "did you mean 'jobs get'?");
  ExpectUsage("drain pools", "did you mean 'pools drain'?");
}

TEST(CommandLine, TellsThatItsOutputIsLost) {
  for (const char* command : {"--help", "--version", "jobs list --help"}) {
    const Outcome outcome = Millrace(std::string(command) + " >/dev/full");
    EXPECT_EQ(outcome.exit_code, 10) << command;
  }
}

TEST(CommandLine, DoesWithoutStandardStreams) {
  const Outcome outcome = Millrace("submit echo --file - --address 127.0.0.1:1", "<&-");
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_NE(outcome.output.find("cannot read stdin: Bad file descriptor"), std::string::npos) << outcome.output;
}

TEST(CommandLine, LooksAtAStoreWithoutADaemon) {
  for (const char* command : {"admin inspect", "admin verify"}) {
    const Outcome outcome = Millrace(std::string(command) + " /no/such/folder --address 127.0.0.1:1");
    EXPECT_EQ(outcome.exit_code, 4) << command << " says: " << outcome.output;
    EXPECT_NE(outcome.output.find("there is no store in /no/such/folder"), std::string::npos) << outcome.output;
  }
}

TEST(CommandLine, TellsHowToReachADaemon) {
  // Port 1 needs a privileged server that no machine runs.
  for (const char* command : {"submit noop", "submit noop --count 3 --wait", "run noop", "jobs list", "jobs wait 01J",
                              "jobs watch", "jobs cancel 01J", "jobs explain 01J", "pools list", "workers list",
                              "workers drain w", "admin backup /tmp/copy", "bench --jobs 10"}) {
    const Outcome outcome = Millrace(std::string(command) + " --address 127.0.0.1:1");
    EXPECT_EQ(outcome.exit_code, 3) << command << " says: " << outcome.output;
    EXPECT_NE(outcome.output.find("cannot reach millraced at 127.0.0.1:1: Connection refused"), std::string::npos)
        << command << " says: " << outcome.output;
    EXPECT_NE(outcome.output.find("start it with `millraced`"), std::string::npos) << command;
  }
}

}  // namespace
