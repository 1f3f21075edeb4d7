#include <CLI/CLI.hpp>
#include <string>

#include "client/cli/commands.h"
#include "client/cli/pools.h"
#include "client/cli/whole_number.h"

namespace millrace::cli {
namespace {

void AddChange(Menu& menu, CLI::App* pools, const char* name, const char* about, client::PoolVerb verb) {
  auto& pool = menu.Keep<std::string>();
  menu.Add(pools, name, about, [&pool, verb](Session& s) { return ChangePool(s, verb, pool); })
      ->add_option("name", pool)
      ->required();
}

}  // namespace

void AddPoolsCommands(Menu& menu) {
  CLI::App* pools = menu.AddGroup("pools", "Look at worker pools, resize, pause and drain them");
  menu.Add(pools, "list", "All pools", [](Session& s) { return ListPools(s); });

  auto& pool = menu.Keep<std::string>();
  menu.Add(pools, "get", "All about a pool", [&pool](Session& s) { return GetPool(s, pool); })
      ->add_option("name", pool)
      ->required();

  AddChange(menu, pools, "pause",
            "Accept jobs up to the capacity, start none; outlives a restart of a daemon with a data folder",
            client::PoolVerb::kPause);
  AddChange(menu, pools, "resume", "Undo pause and drain", client::PoolVerb::kResume);
  AddChange(menu, pools, "drain",
            "Refuse new jobs, also after a restart, and wait until the others are done, an hour at most",
            client::PoolVerb::kDrain);

  auto& a = menu.Keep<ResizeArguments>();
  CLI::App* resize =
      menu.Add(pools, "resize", "Change the number of workers and the capacity, until the daemon is restarted",
               [&a](Session& s) { return ResizePool(s, a); });
  resize->add_option("name", a.name)->required();
  resize->add_option("--workers", a.workers, "1 to 10,000")->transform(Whole(1, 10'000));
  resize->add_option("--capacity-jobs", a.capacity_jobs, "Queued jobs at most")->transform(Whole(0, 10'000'000));
  resize->add_option("--capacity-bytes", a.capacity_bytes, "Their payload at most, e.g. 256MiB");
}

}  // namespace millrace::cli
