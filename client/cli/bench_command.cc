#include <CLI/CLI.hpp>

#include "client/cli/bench.h"
#include "client/cli/commands.h"
#include "client/cli/whole_number.h"

namespace millrace::cli {

void AddBenchCommand(Menu& menu) {
  auto& a = menu.Keep<BenchArguments>();
  CLI::App* bench = menu.Add(nullptr, "bench", "Measure how fast jobs are taken and finished",
                             [&a](Session& s) { return RunBench(s, a); });
  bench->add_option("--jobs", a.jobs)->transform(Whole(1, 1'000'000'000))->capture_default_str();
  bench->add_option("--mode", a.mode, "stream, unary or batch")->capture_default_str();
  bench->add_option("--window", a.window, "Unanswered jobs of each connection")
      ->transform(Whole(1, 1'000'000))
      ->capture_default_str();
  bench->add_option("--connections", a.connections)->transform(Whole(1, 1000))->capture_default_str();
  bench->add_option("--batch", a.batch, "Jobs of one call in batch mode")
      ->transform(Whole(1, 1000))
      ->capture_default_str();
  bench->add_option("--rate", a.rate,
                    "Open loop: so many jobs a second, measured from when each is due; 0: closed loop");
  bench->add_option("--kind", a.kind)->capture_default_str();
  bench->add_option("--pool", a.pool);
  bench->add_option("--payload-bytes", a.payload_bytes)->capture_default_str();
  bench->add_flag("--request-ids", a.request_ids, "An id for each job, as clients that repeat calls send");
  bench->add_option("--on-full", a.on_full, "wait or reject")->capture_default_str();
  bench->add_option("--warmup", a.warmup, "Jobs before, not measured; default a tenth, 10,000 at most")
      ->transform(Whole(0, 1'000'000'000));
  bench->add_option("--samples", a.samples, "Jobs whose finish is looked up")
      ->transform(Whole(1, 1'000'000))
      ->capture_default_str();
  bench->add_flag("--floor", a.floor, "The server is grpc_floor, which runs nothing: measure answers only");
  bench->footer(
      "submit to ack: from the send (closed loop) or from when the job was due (open loop) to the answer.\n"
      "submit to done: of a sample of jobs, from the same start to the server's finish time, its clock corrected by "
      "what the samples\n"
      "show. Nothing is sent for it during runs of up to 50,000 jobs; longer ones ask as they go, since old jobs are "
      "forgotten.");
}

}  // namespace millrace::cli
