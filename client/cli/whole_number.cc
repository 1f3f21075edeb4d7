#include "client/cli/whole_number.h"

#include <charconv>
#include <string>
#include <system_error>

namespace millrace::cli {

CLI::Validator Whole(int64_t least, int64_t most) {
  return CLI::Validator(
      [least, most](std::string& text) -> std::string {
        if (text.empty()) return "is empty";
        int64_t value = 0;
        const char* const end = text.data() + text.size();
        const auto [rest, error] = std::from_chars(text.data(), end, value);
        if (error != std::errc() || rest != end || value < least || value > most) {
          return "'" + text + "' is not " + std::to_string(least) + " to " + std::to_string(most);
        }
        text = std::to_string(value);
        return {};
      },
      "");
}

}  // namespace millrace::cli
