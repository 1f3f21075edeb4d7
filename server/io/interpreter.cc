#include "io/interpreter.h"

#include <fcntl.h>
#include <unistd.h>

#include <string_view>

#include "io/unique_fd.h"

namespace millrace::io {

std::string InterpreterProblem(const std::string& program) {
  const UniqueFd file(open(program.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  char bytes[256];  // As much as the kernel looks at.
  const ssize_t count = file.valid() ? read(file.get(), bytes, sizeof bytes) : 0;
  std::string_view line(bytes, count > 0 ? static_cast<size_t>(count) : 0);
  if (!line.starts_with("#!")) return "";
  line = line.substr(2, line.find('\n') - 2);
  // Also of an interpreter that is found: to `env` and to shells it is part of the last word.
  if (line.ends_with('\r')) return "its first line ends in CR LF; save it with the line ends of Unix";
  const size_t begin = line.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return "its first line names no interpreter";
  std::string name(line.substr(begin, line.find_first_of(" \t", begin) - begin));
  return access(name.c_str(), F_OK) == 0 ? "" : "its interpreter '" + name + "' is not there";
}

}  // namespace millrace::io
