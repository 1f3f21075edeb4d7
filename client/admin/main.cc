// millrace-admin: the `millrace` command with those of its subcommands that read a store. `millrace` calls it.
#include "base/standard_streams.h"
#include "client/admin/store_commands.h"
#include "client/cli/command_line.h"

MR_HOLD_STANDARD_STREAMS();

int main(int argc, char** argv) {
  millrace::cli::Interrupt interrupt;
  return static_cast<int>(millrace::cli::RunCommandLine(
      argc, argv, interrupt, {.inspect = millrace::admin::InspectStore, .verify = millrace::admin::VerifyStore}));
}
