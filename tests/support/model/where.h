// Where: the place in the source of an operation. std::source_location, or as much of it as clang-tidy 14, which reads
// the sources but runs nothing, can be given.
#pragma once

#include <cstdint>
#include <source_location>

namespace millrace::model {

#ifdef __cpp_lib_source_location
using Where = std::source_location;
#else
class Where {
 public:
  static constexpr Where current(const char* file = __builtin_FILE(), const char* function = __builtin_FUNCTION(),
                                 uint32_t line = __builtin_LINE()) {
    Where here;
    here.file_ = file, here.function_ = function, here.line_ = line;
    return here;
  }
  constexpr const char* file_name() const { return file_; }
  constexpr const char* function_name() const { return function_; }
  constexpr uint32_t line() const { return line_; }
  constexpr uint32_t column() const { return 0; }

 private:
  const char* file_ = "";
  const char* function_ = "";
  uint32_t line_ = 0;
};
#endif

}  // namespace millrace::model
