#include <CLI/CLI.hpp>
#include <string>

#include "client/cli/commands.h"
#include "client/cli/workers.h"

namespace millrace::cli {
namespace {

void AddVerb(Menu& menu, CLI::App* workers, const char* name, const char* about, WorkerVerb verb) {
  auto& worker = menu.Keep<std::string>();
  menu.Add(workers, name, about, [&worker, verb](Session& s) { return ShowWorker(s, verb, worker); })
      ->add_option("worker", worker, "Its id, or its name where no other worker has the same")
      ->required();
}

}  // namespace

void AddWorkersCommands(Menu& menu) {
  CLI::App* workers = menu.AddGroup("workers", "Look at the workers in other processes, drain and resume them");

  auto& kind = menu.Keep<std::string>();
  menu.Add(workers, "list", "All workers, the oldest first", [&kind](Session& s) { return ListWorkers(s, kind); })
      ->add_option("--kind", kind, "Only those that offer this kind");

  AddVerb(menu, workers, "get", "All about a worker, and what it holds", WorkerVerb::kGet);
  AddVerb(menu, workers, "drain",
          "Give it no more jobs, until it is resumed or the daemon is restarted; it goes on with those that it has",
          WorkerVerb::kDrain);
  AddVerb(menu, workers, "resume", "Undo drain", WorkerVerb::kResume);
}

}  // namespace millrace::cli
