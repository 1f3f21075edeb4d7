// Whole numbers on the command line.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>

namespace millrace::cli {

// For CLI::Option::transform: decimal digits, from `least` to `most`. By itself CLI11 takes 010 for eight, and a number
// that is too large for the largest there is.
CLI::Validator Whole(int64_t least, int64_t most);

}  // namespace millrace::cli
