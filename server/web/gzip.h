// gzip for answers (RFC 9110, section 12.5.3).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace millrace::web {

// Does a client that sent this Accept-Encoding want gzip?
bool AcceptsGzip(std::string_view accept_encoding);

// Fast rather than small. Nothing where there is no memory for it: send the text as it is then.
std::optional<std::string> Gzip(std::string_view text);

}  // namespace millrace::web
