// What a kind of the exec runner may say: its program and what surrounds it.
#pragma once

#include <string_view>

#include "base/status.h"
#include "config/kind_schema.h"
#include "config/schema.h"
#include "runners/exec.h"

namespace millrace::config {

template <>
struct KindSchema<runners::ExecOptions> {
  static constexpr std::string_view kRunner = runners::ExecRunner::kName;
  static constexpr const char* kKey = "exec";
  static constexpr const char* kExample = "exec = [\"/path/to/program\", \"argument\"]";
  static constexpr const char *kOne = "a program", *kMany = "programs";

  KindSchema(runners::ExecOptions* options, Section* section);

  static bool Said(const runners::ExecOptions& options) { return !options.argv.empty(); }
  static Status Check(const dispatch::KindOptions& kind, const runners::ExecOptions& options) {
    return runners::ExecRunner::Prepare(kind, options).status();
  }
  // Values of `env`: passwords are given to programs so.
  static void HideSecrets(runners::ExecOptions* options);

  Section limits;
};

}  // namespace millrace::config
