// Text from a program or a handler, made fit for an error message: protobuf strings must be UTF-8, and the text must
// not control a terminal.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace millrace::runners {

// The bytes with every control character and everything that is not UTF-8 as '?', cut to `bytes_max` with "..." at the
// end. Line breaks and tabs stay.
std::string Printable(std::string_view bytes, size_t bytes_max);

}  // namespace millrace::runners
