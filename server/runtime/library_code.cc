#include "runtime/library_code.h"

#include <dlfcn.h>
#include <link.h>

#include <array>
#include <cstddef>
#include <mutex>
#include <string_view>

namespace millrace::rt {

namespace {

struct Range {
  uintptr_t low = 0, high = 0;
  bool Holds(uintptr_t pc) const { return pc >= low && pc < high; }
};
// Written once, before anybody reads. The libraries below have one or two such ranges each.
constinit std::array<Range, 64> ranges{};
constinit size_t range_count = 0;

bool IsOne(std::string_view path) {
  std::string_view name = path.substr(path.rfind('/') + 1);
  for (std::string_view start :
       {"libc.so", "libc-", "libpthread", "libdl.", "ld-linux", "ld.so", "libgcc_s", "libstdc++", "libc++", "libunwind",
        "linux-vdso", "libasan", "libtsan", "libubsan", "libjemalloc", "libtcmalloc", "libmimalloc"}) {
    if (name.substr(0, start.size()) == start) return true;
  }
  return false;
}

int Look(dl_phdr_info* library, size_t, void* malloc_at) {
  const bool is_program = library->dlpi_name == nullptr || *library->dlpi_name == '\0';
  if (is_program) return 0;
  bool wanted = IsOne(library->dlpi_name);
  for (int pass = 0; pass < 2; ++pass) {
    for (int i = 0; i < library->dlpi_phnum; ++i) {
      const auto& segment = library->dlpi_phdr[i];
      if (segment.p_type != PT_LOAD || (segment.p_flags & PF_X) == 0) continue;
      const uintptr_t low = library->dlpi_addr + segment.p_vaddr;
      const Range range{.low = low, .high = low + segment.p_memsz};
      if (pass == 0) {
        wanted = wanted || range.Holds(reinterpret_cast<uintptr_t>(malloc_at));
      } else if (wanted && range_count < ranges.size()) {
        ranges[range_count++] = range;
      }
    }
  }
  return 0;
}

}  // namespace

void LearnLibraries() {
  static std::once_flag once;
  std::call_once(once, [] { dl_iterate_phdr(Look, dlsym(RTLD_DEFAULT, "malloc")); });
}

bool MayHoldProcessLocks(uintptr_t pc) {
  for (size_t i = 0; i < range_count; ++i) {
    if (ranges[i].Holds(pc)) return true;
  }
  return false;
}

}  // namespace millrace::rt
