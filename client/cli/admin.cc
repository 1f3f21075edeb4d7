#include "client/cli/admin.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "client/cli/json.h"
#include "client/cli/units.h"

namespace millrace::cli {

ExitCode Backup(Session& session, const std::string& folder) {
  // Whoever types a relative path means the folder in which they are, and not the working folder of the daemon.
  std::error_code error;
  const std::filesystem::path path = std::filesystem::absolute(folder, error);
  const Result<v1::BackupResponse> made =
      session.client().Backup(error ? folder : path.string(), session.Call(/*unlimited=*/true));
  if (!made.ok()) {
    const ExitCode code = session.Fail(made.status());
    if (code == ExitCode::kTimedOut || code == ExitCode::kInterrupted) {
      std::fputs("millrace: the backup goes on in the daemon, whose log tells its end\n", stderr);
    }
    return code;
  }
  if (session.json()) {
    PrintLine(ToJson(*made));
    return ExitCode::kOk;
  }
  PrintLine(FormatBytes(made->bytes()) + " in " + FormatCount(made->files()) + " files, made in " +
            FormatDuration(FromProto(made->duration())) + ": " + Printable(made->folder()));
  PrintLine("to go on from there: millraced --data-dir " + Printable(made->folder()));
  return ExitCode::kOk;
}

StoreCommands InProgramBeside(char** argv) {
  const auto go_on = [argv] {
    std::error_code error;
    const std::filesystem::path program =
        std::filesystem::read_symlink("/proc/self/exe", error).replace_filename("millrace-admin");
    execv(program.c_str(), argv);
    std::fprintf(stderr,
                 "millrace: cannot run %s: %s\n  it comes with the daemon: do this where millraced is installed\n",
                 program.c_str(), std::strerror(errno));
    return ExitCode::kInternal;
  };
  return {.inspect = [go_on](Session&, const InspectArguments&) { return go_on(); },
          .verify = [go_on](Session&, const std::string&) { return go_on(); }};
}

}  // namespace millrace::cli
