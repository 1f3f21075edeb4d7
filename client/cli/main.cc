// The `millrace` command.
#include "base/standard_streams.h"
#include "client/cli/admin.h"
#include "client/cli/command_line.h"

MR_HOLD_STANDARD_STREAMS();

int main(int argc, char** argv) {
  millrace::cli::Interrupt interrupt;
  return static_cast<int>(millrace::cli::RunCommandLine(argc, argv, interrupt, millrace::cli::InProgramBeside(argv)));
}
