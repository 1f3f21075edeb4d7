// "did you mean": the known word nearest to what was typed.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace millrace::cli {

// Empty when nothing is near: more than a third of the letters wrong. Swapped neighbours count as one mistake; a known word that
// starts with what was typed is near too.
std::string Nearest(std::string_view typed, const std::vector<std::string>& known);

}  // namespace millrace::cli
