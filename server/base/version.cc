#include "base/version.h"

namespace millrace {

const char* Version() {
  return MILLRACE_VERSION;
}  // Defined by the build for this file alone, so a new version recompiles little.

}  // namespace millrace
