// The interpreter that a script names in its first line. Where that is not there the kernel says "No such file or
// directory" of the script itself, which is there; most often the line ends in CR LF, and the carriage return has
// become part of the name.
#pragma once

#include <string>

namespace millrace::io {

// What is wrong with it, as a person would say; empty: nothing, or the file is no script or cannot be read.
std::string InterpreterProblem(const std::string& program);

}  // namespace millrace::io
