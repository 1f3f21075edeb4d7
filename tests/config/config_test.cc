#include "config/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>

namespace millrace::config {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

Loaded LoadToml(const std::string& text, const std::vector<Override>& overrides = {}) {
  return LoadText(text, "m.toml", overrides);
}

TEST(Config, NothingAtAllIsAGoodConfiguration) {
  Loaded loaded = LoadToml("");
  EXPECT_THAT(loaded.problems, IsEmpty());
  EXPECT_EQ(loaded.config.grpc_address.ToString(), "127.0.0.1:7070");
  EXPECT_EQ(loaded.config.http.address.ToString(), "127.0.0.1:7071");
  ASSERT_THAT(loaded.config.pools, SizeIs(1));
  EXPECT_EQ(loaded.config.pools[0].name, "default");
  EXPECT_EQ(loaded.config.pools[0].runner, "native");
}

TEST(Config, BudgetsThatNobodySetFitIntoTheMemory) {
  auto jobs = [](const std::string& text, int64_t memory_bytes) {
    return LoadText(text, "m.toml", {}, memory_bytes).config.jobs;
  };
  constexpr int64_t kMiB = int64_t{1} << 20;
  dispatch::DispatcherOptions options = jobs("", 256 * kMiB);
  EXPECT_EQ(options.process_bytes_max, 64 * kMiB);
  EXPECT_EQ(options.hot_bytes_max, 16 * kMiB);
  EXPECT_EQ(options.finished_bytes_max, 16 * kMiB);
  EXPECT_EQ(options.dead_letter_bytes_max, 16 * kMiB);
  // On the disk, which has room of its own.
  EXPECT_EQ(jobs("[server]\ndata_dir = \"/x\"", 256 * kMiB).finished_bytes_max, 512 * kMiB);
  // What somebody set stays, also where it is what the default would be; "auto" takes it back.
  EXPECT_EQ(jobs("[jobs]\nprocess_bytes_max = \"1GiB\"", 256 * kMiB).process_bytes_max, 1024 * kMiB);
  EXPECT_EQ(jobs("[jobs]\nprocess_bytes_max = \"auto\"", 256 * kMiB).process_bytes_max, 64 * kMiB);
  // Much memory raises nothing, little leaves something, and where none is known nothing is lowered.
  EXPECT_EQ(jobs("", 1024 * 1024 * kMiB).process_bytes_max, 1024 * kMiB);
  EXPECT_EQ(jobs("", 4 * kMiB).process_bytes_max, 2 * kMiB);
  EXPECT_EQ(jobs("", 0).process_bytes_max, 1024 * kMiB);
  Config small = LoadText("", "m.toml", {}, 256 * kMiB).config;
  EXPECT_EQ(small.call_bytes_max, 64 * kMiB);
  EXPECT_EQ(LoadText("[jobs]\npayload_bytes_max = \"64MiB\"", "m.toml", {}, 256 * kMiB).config.call_bytes_max,
            132 * kMiB)
      << "the largest payload still fits";
  EXPECT_THAT(ToToml(small, Secrets::kShown), HasSubstr("process_bytes_max = \"64MiB\"")) << "what is in effect";
}

TEST(Config, CallsMustHaveRoomForTheLargestPayloadAndResult) {
  EXPECT_THAT(LoadToml("[server]\ncall_bytes_max = \"5MiB\"").problems,
              ElementsAre(AllOf(HasSubstr("m.toml:2:"), HasSubstr("call_bytes_max = \"5MiB\""),
                                HasSubstr("payload_bytes_max = \"1MiB\""), HasSubstr("use \"6MiB\""))));
  EXPECT_THAT(LoadToml("[server]\ncall_bytes_max = \"6MiB\"").problems, IsEmpty());
  EXPECT_THAT(LoadToml("[server]\ncall_bytes_max = \"6MiB\"\n[jobs]\npayload_bytes_max = \"2MiB\"").problems,
              ElementsAre(HasSubstr("use \"8MiB\"")));
  EXPECT_THAT(
      LoadToml("[server]\ncall_bytes_max = \"6MiB\"\n[jobs]\nresult_bytes_max = \"2MiB\"").problems,
      ElementsAre(AllOf(HasSubstr("result_bytes_max = \"2MiB\""), HasSubstr("written"), HasSubstr("use \"20MiB\""))));
  EXPECT_THAT(LoadToml("[server]\ncall_bytes_max = \"1MiB\"\n[jobs]\npayload_bytes_max = \"1KiB\"").problems,
              ElementsAre(HasSubstr("payload_bytes_max")));
}

TEST(Config, AKindMayNotHaveTheNameOfABuiltInOne) {
  Loaded loaded = LoadToml("[pool.mine]\nrunner = \"exec\"\n[kind.sha256]\npool = \"mine\"\nexec = [\"true\"]\n");
  EXPECT_THAT(loaded.problems, ElementsAre(AllOf(HasSubstr("m.toml:3:"), HasSubstr("built-in kind 'sha256'"))));
}

TEST(Config, AVariableThatNoProgramCanBeStartedWithIsAProblem) {
  Loaded loaded =
      LoadToml("[pool.mine]\nrunner = \"exec\"\n[kind.big]\npool = \"mine\"\nexec = [\"true\"]\nenv = { BIG = \"" +
               std::string(200'000, 'x') + "\" }\n");
  EXPECT_THAT(loaded.problems, ElementsAre(AllOf(HasSubstr("'BIG'"), HasSubstr("131071"))));
}

TEST(Config, FillsTheOptionsOfEveryModule) {
  Loaded loaded = LoadToml(R"(
[server]
grpc_address = "127.0.0.1:1"
http_address = "[::1]:2"
data_dir = "/var/lib/millrace"
drain_timeout = "5s"
[log]
level = "warning"
format = "json"
[runtime]
procs = 3
stack_bytes = "64KiB"
[jobs]
payload_bytes_max = "2MiB"
finished_age_max = "1h"
losses_max = 1
[pool.files]
runner = "exec"
workers = 2
capacity = 0
capacity_bytes = "1MiB"
[kind.list]
pool = "files"
exec = ["ls", "-l"]
env = { LANG = "C.UTF-8", "odd name" = "x" }
cwd = "/tmp"
timeout = "1m"
grace = "1s"
no_retry_exit_codes = [64, 65]
checkpoint = true
limits = { cpu_seconds = 10, memory = "1GiB", file_size = "0B", open_files = 16, processes = 100 }
retry = { max_attempts = 3, initial_backoff = "100ms", max_backoff = "10s", multiplier = 3 }
)");
  ASSERT_THAT(loaded.problems, IsEmpty());
  const Config& config = loaded.config;
  EXPECT_EQ(config.grpc_address.port, 1);
  EXPECT_EQ(config.http.address.host, "::1");
  EXPECT_EQ(config.data_dir, "/var/lib/millrace");
  EXPECT_EQ(config.drain_timeout, Nanos(5s));
  EXPECT_EQ(config.log_level, LogLevel::kWarning);
  EXPECT_EQ(config.log_format, LogFormat::kJson);
  EXPECT_EQ(config.runtime.procs, 3);
  EXPECT_EQ(config.runtime.stack_bytes, 64u << 10);
  EXPECT_EQ(config.jobs.payload_bytes_max, 2u << 20);
  EXPECT_EQ(config.jobs.finished_age_max, Nanos(1h));
  EXPECT_EQ(config.jobs.losses_max, 1);

  ASSERT_THAT(config.pools, SizeIs(2));  // "default" is always there.
  EXPECT_EQ(config.pools[0].name, "files");
  EXPECT_EQ(config.pools[0].workers, 2);
  EXPECT_EQ(config.pools[0].capacity_jobs, 0);
  EXPECT_EQ(config.pools[0].capacity_bytes, 1 << 20);
  EXPECT_EQ(config.pools[1].name, "default");

  ASSERT_THAT(config.kinds, SizeIs(1));
  const KindConfig& kind = config.kinds[0];
  const auto& exec = std::get<runners::ExecOptions>(kind.runs);
  EXPECT_EQ(kind.options.name, "list");
  EXPECT_EQ(kind.options.pool, "files");
  EXPECT_EQ(kind.options.run_timeout, Nanos(1min));
  EXPECT_EQ(kind.options.retry.max_attempts, 3);
  EXPECT_EQ(kind.options.retry.initial_backoff, Nanos(100ms));
  EXPECT_EQ(kind.options.retry.max_backoff, Nanos(10s));
  EXPECT_EQ(kind.options.retry.multiplier, 3.0);
  EXPECT_THAT(exec.argv, ElementsAre("ls", "-l"));
  EXPECT_EQ(exec.env.at("LANG"), "C.UTF-8");
  EXPECT_EQ(exec.directory, "/tmp");
  EXPECT_EQ(exec.grace, Nanos(1s));
  EXPECT_THAT(exec.no_retry_exit_codes, ElementsAre(64, 65));
  EXPECT_TRUE(exec.checkpoint);
  EXPECT_EQ(exec.limits.cpu_seconds, 10);
  EXPECT_EQ(exec.limits.address_space_bytes, int64_t{1} << 30);
  EXPECT_EQ(exec.limits.file_bytes, 0);
  EXPECT_EQ(exec.limits.open_files, 16);
  EXPECT_EQ(exec.limits.processes, 100);
}

struct Wrong {
  const char* toml;
  const char* place;
  const char* problem;
  const char* fix;
};

std::ostream& operator<<(std::ostream& out, const Wrong& wrong) { return out << wrong.toml; }

class ConfigTells : public ::testing::TestWithParam<Wrong> {};

TEST_P(ConfigTells, ThePlaceTheProblemAndTheFix) {
  Loaded loaded = LoadToml(GetParam().toml);
  ASSERT_THAT(loaded.problems, SizeIs(1)) << ::testing::PrintToString(loaded.problems);
  EXPECT_THAT(loaded.problems[0],
              AllOf(StartsWith(GetParam().place), HasSubstr(GetParam().problem), HasSubstr(GetParam().fix)));
}

constexpr const char* kExecPool = "[pool.x]\nrunner = \"exec\"\n";

INSTANTIATE_TEST_SUITE_P(
    WrongInput, ConfigTells,
    ::testing::Values(
        // Syntax.
        Wrong{"[server\n", "m.toml:1:8: ", "expected ']'", ""},  //
        Wrong{"[log]\n[log]\n", "m.toml:2:1: ", "cannot redefine existing table 'log'", ""},
        Wrong{"a = 1\na = 2\n", "m.toml:2:", "cannot redefine existing integer 'a'", ""},
        Wrong{"[jobs]\nlosses_max = 99999999999999999999\n", "m.toml:2:34: ", "not representable", ""},
        // Names.
        Wrong{"[sever]\n", "m.toml:1:2: ", "unknown section [sever]", "did you mean 'server'?"},
        Wrong{"helpers = 3\n", "m.toml:1:1: ", "unknown section [helpers]",
              "known are: server, log, runtime, jobs, workers, pool, kind"},
        Wrong{"[server]\n\n  grpc_adress = \"127.0.0.1:1\"\n", "m.toml:3:3: ", "unknown key 'grpc_adress' in [server]",
              "did you mean 'grpc_address'?"},
        Wrong{"[pool.thumbs]\nworker = 4\n", "m.toml:2:1: ", "unknown key 'worker' in [pool.thumbs]",
              "did you mean 'workers'?"},
        Wrong{"[pool.thumbs]\nfoobarbaz = 4\n", "m.toml:2:1: ", "unknown key 'foobarbaz'",
              "known are: runner, workers, capacity, capacity_bytes"},
        Wrong{"[pool]\nworkers = 4\n", "m.toml:2:1: ", "'workers' stands in [pool]", "[pool.thumbs]"},
        Wrong{"pool = 3\n", "m.toml:1:1: ", "pool must be a table", "[pool.thumbs]"},
        Wrong{"[[server]]\n", "m.toml:1:3: ", "server must be a table, not an array", ""},
        Wrong{"[pool.\"Größe\"]\n", "m.toml:1:7: ", "'Größe' cannot name a pool", "a-z 0-9 _ -"},
        // Types and ranges.
        Wrong{"[pool.p]\nworkers = \"4\"\n", "m.toml:2:1: ", "workers must be a whole number, not '4'", ""},
        Wrong{"[pool.p]\nworkers = 4.5\n", "m.toml:2:1: ", "workers must be a whole number, not a fraction", ""},
        Wrong{"[pool.p]\nworkers = 0\n", "m.toml:2:1: ", "workers = 0 is out of range", "from 1 to 10000"},
        Wrong{"[pool.p]\nworkers = 10001\n", "m.toml:2:1: ", "workers = 10001 is out of range", "from 1 to 10000"},
        Wrong{"[pool.p]\ncapacity = -1\n", "m.toml:2:1: ", "capacity = -1 is out of range", "from 0 to 10000000"},
        Wrong{"[pool.p]\ncapacity_bytes = 1000\n", "m.toml:2:1: ", "capacity_bytes must be a size such as \"64MiB\"",
              "not a whole number"},
        Wrong{"[pool.p]\ncapacity_bytes = \"0B\"\n", "m.toml:2:1: ", "is out of range", "from 1B to 1TiB"},
        Wrong{"[server]\ndrain_timeout = 30\n", "m.toml:2:1: ", "drain_timeout must be a duration such as \"30s\"",
              "not a whole number"},
        Wrong{"[server]\ndrain_timeout = \"25h\"\n", "m.toml:2:1: ", "drain_timeout = \"25h\" is out of range",
              "from 0s to 1d"},
        Wrong{"[server]\ninsecure = \"yes\"\n", "m.toml:2:1: ", "insecure must be true or false, not 'yes'", ""},
        Wrong{"[log]\nlevel = \"loud\"\n", "m.toml:2:1: ", "not 'loud'", "one of debug, info, warning, error"},
        Wrong{"[runtime]\nprocs = 257\n", "m.toml:2:1: ", "procs = 257 is out of range", "from 0 to 256"},
        // Addresses.
        Wrong{"[server]\ngrpc_address = \"7070\"\n", "m.toml:2:1: ", "grpc_address: '7070' is not an address",
              "write HOST:PORT"},
        Wrong{"[server]\ngrpc_address = \"0.0.0.0:7070\"\n", "m.toml:2:1: ", "no authentication", "--insecure"},
        Wrong{"[server]\nhttp_address = \"10.0.0.1:7071\"\n", "m.toml:2:1: ", "can be reached by other machines",
              "--insecure"},
        Wrong{"[server]\nhttp_address = \"127.0.0.1:7070\"\n", "m.toml:2:1: ", "is also grpc_address", "its own port"},
        // The store.
        Wrong{"[server]\nstore = \"rocksdb\"\n", "m.toml:2:1: ", "keeps jobs in data_dir, which is not set",
              "--data-dir"},
        Wrong{"[server]\nstore = \"disk\"\n", "m.toml:2:1: ", "store must be one of auto, memory, rocksdb, not 'disk'",
              ""},
        // Pools and kinds.
        Wrong{"[pool.p]\nrunner = \"exce\"\n", "m.toml:2:1: ", "unknown runner 'exce' for the pool 'p'",
              "did you mean 'exec'?"},
        Wrong{"[pool.files]\nrunner = \"exec\"\n[kind.k]\nexec = [\"ls\"]\npool = \"file\"\n",
              "m.toml:5:1: ", "names the pool 'file', which is not declared", "did you mean 'files'?"},
        Wrong{"[kind.k]\nexec = [\"ls\"]\n", "m.toml:1:7: ", "its pool 'default' does not run programs",
              "declare a pool with runner = \"exec\""},
        Wrong{"[pool.x]\nrunner = \"exec\"\n[kind.k]\nexec = [\"ls\"]\n",
              "m.toml:3:7: ", "its pool 'default' does not run programs", "set pool to one that does: x"},
        Wrong{"[pool.x]\nrunner = \"exec\"\n[kind.k]\npool = \"x\"\n", "m.toml:3:7: ", "the kind 'k' runs nothing",
              "add exec = ["},
        Wrong{"[pool.x]\nrunner = \"exec\"\n[kind.k]\npool = \"x\"\nexec = \"ls\"\n",
              "m.toml:5:1: ", "exec must be an array of strings", "[\"/usr/bin/gzip\", \"-c\"]"},
        Wrong{"[pool.x]\nrunner = \"exec\"\n[kind.k]\npool = \"x\"\nexec = []\n", "m.toml:5:1: ", "one at least",
              "/usr/bin/gzip"},
        Wrong{"[pool.x]\nrunner = \"exec\"\n[kind.k]\npool = \"x\"\nexec = [\"/no/such/program\"]\n",
              "m.toml:5:1: ", "/no/such/program", "No such file"},
        Wrong{"[pool.x]\nrunner = \"exec\"\n[kind.k]\npool = \"x\"\nexec = [\"/etc/passwd\"]\n",
              "m.toml:5:1: ", "/etc/passwd", "Permission denied"},
        Wrong{"[pool.x]\nrunner = \"exec\"\n[kind.k]\npool = \"x\"\nexec = [\"no-such-program-anywhere\"]\n",
              "m.toml:5:1: ", "no-such-program-anywhere", "is not in PATH"},
        Wrong{"[pool.x]\nrunner = \"exec\"\n[kind.k]\npool = \"x\"\nexec = [\"ls\"]\ncwd = \"/no/such/dir\"\n",
              "m.toml:5:1: ", "/no/such/dir", "folder"},
        Wrong{"[pool.x]\nrunner = \"exec\"\n[kind.k]\npool = \"x\"\nexec = [\"ls\"]\nenv = { A = 1 }\n",
              "m.toml:6:1: ", "env must be a table of strings", "LANG"},
        Wrong{"[pool.x]\nrunner = \"exec\"\n[kind.k]\npool = \"x\"\nexec = [\"ls\"]\nno_retry_exit_codes = [0]\n",
              "m.toml:6:1: ", "no_retry_exit_codes must be an array of whole numbers from 1 to 255", "[64, 65]"},
        Wrong{"[pool.x]\nrunner = \"exec\"\n[kind.k]\npool = \"x\"\nexec = [\"ls\"]\nlimits = { memroy = \"1GiB\" }\n",
              "m.toml:6:12: ", "unknown key 'memroy' in [kind.k.limits]", "did you mean 'memory'?"},
        Wrong{"[pool.x]\nrunner = \"exec\"\n[kind.k]\npool = \"x\"\nexec = [\"ls\"]\nretry = { multiplier = 0.5 }\n",
              "m.toml:6:11: ", "multiplier = 0.5 is out of range", "from 1.0 to 100.0"},
        Wrong{"[pool.x]\nrunner = \"exec\"\n[kind.k]\npool = \"x\"\nexec = [\"ls\"]\ntimeout = \"0s\"\n",
              "m.toml:6:1: ", "timeout = \"0s\" is out of range", "from 1ms"}));

TEST(Config, JobsAreKeptOnDiskWhereThereIsAFolderForThem) {
  const std::string folder = "[server]\ndata_dir = \"/var/lib/millrace\"\n";
  EXPECT_EQ(LoadToml("").config.store, StoreKind::kMemory);
  EXPECT_EQ(LoadToml(folder).config.store, StoreKind::kRocksdb);
  EXPECT_EQ(LoadToml(folder + "store = \"auto\"\n").config.store, StoreKind::kRocksdb);
  EXPECT_EQ(LoadToml(folder + "store = \"memory\"\n").config.store, StoreKind::kMemory);
}

TEST(Config, TellsEverythingThatIsWrongAtOnce) {
  Loaded loaded =
      LoadToml("[server]\nstore = \"rocksdb\"\ngrpc_adress = 1\n[pool.a]\nworkers = 0\nrunner = \"x\"\n[kind.b]\n");
  EXPECT_THAT(loaded.problems, SizeIs(6)) << ::testing::PrintToString(loaded.problems);
}

TEST(Config, TakesAFlagOverAVariableOverTheFile) {
  Environment environment = {{"MILLRACE_PROCS", "3"}, {"MILLRACE_GRPC_ADDRESS", "127.0.0.1:3"}};
  auto line = std::get<CommandLine>(ParseCommandLine({"--procs", "4"}, environment));
  Loaded loaded =
      LoadToml("[runtime]\nprocs = 2\n[server]\ngrpc_address = \"127.0.0.1:2\"\nhttp_address = \"127.0.0.1:22\"\n",
               line.overrides);
  EXPECT_THAT(loaded.problems, IsEmpty());
  EXPECT_EQ(loaded.config.runtime.procs, 4);
  EXPECT_EQ(loaded.config.grpc_address.port, 3);
  EXPECT_EQ(loaded.config.http.address.port, 22);
}

TEST(Config, NamesTheFlagOrVariableThatIsWrong) {
  Environment environment = {{"MILLRACE_PROCS", "many"}};
  auto line =
      std::get<CommandLine>(ParseCommandLine({"--grpc-address=0.0.0.0:7070", "--store", "rocksdb"}, environment));
  EXPECT_THAT(LoadToml("", line.overrides).problems,
              ElementsAre(StartsWith("MILLRACE_PROCS: procs must be a whole number, not 'many'"),
                          AllOf(StartsWith("--grpc-address: "), HasSubstr("--insecure")),
                          AllOf(StartsWith("--store: "), HasSubstr("--data-dir"))));

  line = std::get<CommandLine>(ParseCommandLine({"--grpc-address=0.0.0.0:7070", "--insecure"}, {}));
  EXPECT_THAT(LoadToml("", line.overrides).problems, IsEmpty());
}

TEST(Config, PrintsAFileThatGivesTheSameConfiguration) {
  Loaded first = LoadToml(std::string(kExecPool) +
                          "[pool.default]\nworkers = 7\n[kind.k]\npool = \"x\"\nexec = [\"ls\", \"a \\\"b\\\"\\n\"]\n"
                          "env = { TOKEN = \"s3cret\" }\nlimits = { memory = \"1GiB\" }\nretry = { multiplier = 1.5 }\n"
                          "[log]\nformat = \"json\"\n[server]\ndrain_timeout = \"1m30s\"\n");
  ASSERT_THAT(first.problems, IsEmpty());
  std::string printed = ToToml(first.config, Secrets::kShown);
  Loaded second = LoadText(printed, "printed.toml", {});
  EXPECT_THAT(second.problems, IsEmpty()) << printed;
  EXPECT_EQ(ToToml(second.config, Secrets::kShown), printed);
  EXPECT_THAT(printed,
              AllOf(HasSubstr("[pool.default]\nrunner = \"native\"\nworkers = 7\n"), HasSubstr("TOKEN = \"s3cret\""),
                    HasSubstr("limits = { memory = \"1GiB\" }"), HasSubstr("drain_timeout = \"1m30s\"")));
  EXPECT_THAT(ToToml(first.config, Secrets::kHidden),
              AllOf(Not(HasSubstr("s3cret")), HasSubstr("TOKEN = \"(hidden)\"")));
}

TEST(Config, SaysWhyAFileCannotBeRead) {
  EXPECT_THAT(Load({.config_file = "/no/such/millrace.toml"}).problems,
              ElementsAre(AllOf(StartsWith("/no/such/millrace.toml: "), HasSubstr("No such file"))));
  EXPECT_THAT(Load({.config_file = "/tmp"}).problems, ElementsAre(HasSubstr("is a folder")));
}

}  // namespace
}  // namespace millrace::config
