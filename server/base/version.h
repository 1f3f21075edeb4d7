// Which Millrace this is.
#pragma once

namespace millrace {

const char* Version();  // "0.1.0", as in CMakeLists.txt

}  // namespace millrace
