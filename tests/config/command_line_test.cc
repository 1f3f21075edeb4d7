#include "config/command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace millrace::config {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

EarlyExit Refused(const std::vector<std::string>& arguments) {
  auto parsed = ParseCommandLine(arguments, {});
  auto* exit = std::get_if<EarlyExit>(&parsed);
  return exit != nullptr ? *exit : EarlyExit{-1, "was accepted"};
}

TEST(CommandLine, ReadsFlagsInBothForms) {
  auto line = std::get<CommandLine>(ParseCommandLine(
      {"--config", "a.toml", "--procs=2", "--http-address", "127.0.0.1:0", "--insecure", "--check-config"}, {}));
  EXPECT_EQ(line.action, CommandLine::Action::kCheckConfig);
  EXPECT_EQ(line.config_file, "a.toml");
  std::vector<std::string> seen;
  for (const auto& each : line.overrides) seen.push_back(each.value.origin + "=" + each.value.text);
  EXPECT_THAT(seen, ::testing::UnorderedElementsAre("--procs=2", "--http-address=127.0.0.1:0", "--insecure=true"));
}

TEST(CommandLine, AnswersHelpAndVersionAndExitsWithZero) {
  EarlyExit help = Refused({"--help"});
  EXPECT_EQ(help.code, 0);
  for (const char* flag :
       {"--config", "--grpc-address", "--http-address", "--store", "--data-dir", "--drain-timeout", "--insecure",
        "--procs", "--log-level", "--check-config", "--print-config", "--version", "Exit codes"}) {
    EXPECT_THAT(help.text, HasSubstr(flag));
  }
  EarlyExit version = Refused({"--version"});
  EXPECT_EQ(version.code, 0);
  EXPECT_THAT(version.text, StartsWith("millraced "));
}

TEST(CommandLine, RefusesWhatItDoesNotKnowWithTwo) {
  EarlyExit misspelt = Refused({"--grpc-adress=127.0.0.1:1"});
  EXPECT_EQ(misspelt.code, kExitUsage);
  EXPECT_THAT(misspelt.text, HasSubstr("unknown flag --grpc-adress; did you mean '--grpc-address'?"));

  EarlyExit positional = Refused({"millrace.toml"});
  EXPECT_EQ(positional.code, kExitUsage);
  EXPECT_THAT(positional.text, HasSubstr("'millrace.toml' was not expected"));

  EarlyExit valueless = Refused({"--config"});
  EXPECT_EQ(valueless.code, kExitUsage);
  EXPECT_THAT(valueless.text, HasSubstr("--config"));

  EXPECT_EQ(Refused({"--procs", "1", "--procs", "2"}).code, kExitUsage);
}

TEST(CommandLine, WarnsOfAVariableThatIsNearlyRight) {
  Environment environment = {{"MILLRACE_ADDRESS", "x"},
                             {"MILLRACE_GRPC_ADDRES", "x"},
                             {"MILLRACE_PORT", "tcp://10.0.0.1:7070"},
                             {"MILLRACE_SERVICE_HOST", "10.0.0.1"},
                             {"MILLRACE_PORT_7070_TCP_ADDR", "x"},
                             {"MILLRACE_CONFIG", "env.toml"}};
  auto line = std::get<CommandLine>(ParseCommandLine({}, environment));
  EXPECT_THAT(line.warnings,
              ElementsAre(AllOf(HasSubstr("MILLRACE_GRPC_ADDRES "), HasSubstr("did you mean MILLRACE_GRPC_ADDRESS?"))));
  EXPECT_THAT(line.overrides, IsEmpty());
  EXPECT_EQ(line.config_file, "env.toml");
}

}  // namespace
}  // namespace millrace::config
