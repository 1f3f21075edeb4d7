#include "runtime/symbols.h"

#include <cxxabi.h>
#include <elfutils/libdwfl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace millrace::rt {

namespace {

// Separate debug information only where distributions put it. libdwfl's standard search would go on to ask debuginfod
// servers.
int FindDebugInfo(Dwfl_Module* module, void** user_data, const char* name, Dwarf_Addr base, const char* file_name,
                  const char* debuglink_file, GElf_Word debuglink_crc, char** debuginfo_file_name) {
  return dwfl_build_id_find_debuginfo(module, user_data, name, base, file_name, debuglink_file, debuglink_crc,
                                      debuginfo_file_name);
}

std::string Demangled(const char* name) {
  int status = 0;
  std::unique_ptr<char, decltype(&free)> text(abi::__cxa_demangle(name, nullptr, nullptr, &status), &free);
  return status == 0 ? std::string(text.get()) : std::string(name);
}

std::string_view BaseName(const char* path) {
  std::string_view name(path);
  return name.substr(name.rfind('/') + 1);
}

}  // namespace

struct Symbols::Session {
  Session() {
    dwfl = dwfl_begin(&callbacks);
    if (dwfl == nullptr) return;
    dwfl_linux_proc_report(dwfl, getpid());
    dwfl_report_end(dwfl, nullptr, nullptr);
  }
  ~Session() {
    if (dwfl != nullptr) dwfl_end(dwfl);
  }

  std::string Describe(uintptr_t pc, bool is_return_address) const {
    // A call may be the last thing a function does; the address after it is then another function's.
    Dwarf_Addr address = is_return_address ? pc - 1 : pc;
    Dwfl_Module* module = dwfl != nullptr ? dwfl_addrmodule(dwfl, address) : nullptr;
    if (module == nullptr) return "??";
    Dwarf_Addr start = 0, end = 0;
    const char* library = dwfl_module_info(module, nullptr, &start, &end, nullptr, nullptr, nullptr, nullptr);
    // What lies beyond all is given to the last one.
    if (address < start || address >= end) return "??";
    GElf_Off offset = 0;
    GElf_Sym symbol;
    const char* name = dwfl_module_addrinfo(module, address, &offset, &symbol, nullptr, nullptr, nullptr);
    std::string text = name != nullptr ? Demangled(name) : "??";
    int line = 0;
    Dwfl_Line* source = dwfl_module_getsrc(module, address);
    const char* file = source != nullptr ? dwfl_lineinfo(source, nullptr, &line, nullptr, nullptr, nullptr) : nullptr;
    if (file != nullptr) return text + " at " + file + ":" + std::to_string(line);
    char place[32];
    // addr2line takes such an offset.
    snprintf(place, sizeof place, "+0x%llx", static_cast<unsigned long long>(address - start));
    return text + " in " + std::string(BaseName(library != nullptr ? library : "??")) + place;
  }

  char* no_path = nullptr;
  Dwfl_Callbacks callbacks = {.find_elf = dwfl_linux_proc_find_elf,
                              .find_debuginfo = FindDebugInfo,
                              .section_address = nullptr,
                              .debuginfo_path = &no_path};
  Dwfl* dwfl = nullptr;
};

Symbols::Symbols() = default;
Symbols::~Symbols() = default;

const std::string& Symbols::Describe(uintptr_t pc, bool is_return_address) {
  // The innermost address of one stack may be the return address of another; both are looked up as what they are.
  auto [entry, is_new] = known_.try_emplace(is_return_address ? pc * 2 + 1 : pc * 2);
  if (is_new) {
    if (session_ == nullptr) session_ = std::make_unique<Session>();
    entry->second = session_->Describe(pc, is_return_address);
  }
  return entry->second;
}

}  // namespace millrace::rt
