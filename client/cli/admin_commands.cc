#include <CLI/CLI.hpp>
#include <string>

#include "client/cli/admin.h"
#include "client/cli/commands.h"

namespace millrace::cli {

void AddAdminCommands(Menu& menu, const StoreCommands& store) {
  CLI::App* admin = menu.AddGroup("admin", "Back up the daemon's store; look at a stopped one and check it");

  auto& copy = menu.Keep<std::string>();
  CLI::App* backup = menu.Add(admin, "backup", "Copy the store of the running daemon, which goes on meanwhile",
                              [&copy](Session& s) { return Backup(s, copy); });
  backup->add_option("folder", copy, "On the daemon's machine; not there yet, or empty")->required();
  backup->footer(
      "The copy holds everything that was acknowledged before: jobs, results, request ids. It appears when all of it "
      "is on the\n"
      "disk, readable by the daemon's user only. `millraced --data-dir FOLDER` goes on from there. On "
      "the file\n"
      "system of the store large files are linked, not copied.");

  auto& a = menu.Keep<InspectArguments>();
  CLI::App* inspect = menu.Add(admin, "inspect", "What a store holds: jobs by state, the oldest, sizes, one job",
                               [&a, &store](Session& s) { return store.inspect(s, a); });
  inspect->add_option("folder", a.folder, "The daemon's --data-dir, or a backup")->required();
  inspect->add_option("--job", a.job, "Only this job; with --json as `jobs get` prints it");
  inspect->footer("No daemon may run on it, and none is asked. Nothing in the folder is changed.");

  auto& folder = menu.Keep<std::string>();
  CLI::App* verify = menu.Add(admin, "verify", "Check every file, record and key of a store",
                              [&folder, &store](Session& s) { return store.verify(s, folder); });
  verify->add_option("folder", folder, "The daemon's --data-dir, or a backup")->required();
  verify->footer(
      "No daemon may run on it. Nothing in the folder is changed. Exits 0 sound, 1 damaged; otherwise it could not be "
      "checked.\n"
      "Problems: file (cannot be read, or its checksum differs), key (is no job id), record (is not what was written), "
      "no_state,\n"
      "no_spec, no_payload, no_result, no_ended, no_request (a part of a job that is not there), no_job (a part of "
      "none), "
      "two_states\n"
      "(lives and has ended), wrong_shelf (a job that ended among the live, or the other way round), mismatch (two "
      "parts of a job\n"
      "contradict each other).");
}

}  // namespace millrace::cli
