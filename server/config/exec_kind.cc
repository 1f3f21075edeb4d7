#include "config/exec_kind.h"

#include <climits>

namespace millrace::config {

KindSchema<runners::ExecOptions>::KindSchema(runners::ExecOptions* options, Section* section)
    : limits(section->path() + ".limits") {
  section->TextList(kKey, &options->argv);
  section->TextMap("env", &options->env);
  section->Text("cwd", &options->directory);
  section->Duration("grace", &options->grace, Nanos(0), std::chrono::hours(1));
  section->IntegerList("no_retry_exit_codes", &options->no_retry_exit_codes, 1, 255);
  section->Boolean("checkpoint", &options->checkpoint);

  constexpr int64_t kTebibyte = int64_t{1} << 40;
  io::ProcessLimits& limit = options->limits;
  limits.Integer("cpu_seconds", &limit.cpu_seconds, 1, INT_MAX);
  limits.Size("memory", &limit.address_space_bytes, 1 << 20, kTebibyte);
  limits.Size("file_size", &limit.file_bytes, 0, kTebibyte);
  limits.Integer("open_files", &limit.open_files, 8, 1 << 20);
  limits.Integer("processes", &limit.processes, 1, 1 << 22);
  section->Table("limits", &limits);
}

void KindSchema<runners::ExecOptions>::HideSecrets(runners::ExecOptions* options) {
  for (auto& [name, value] : options->env) value = "(hidden)";
}

}  // namespace millrace::config
