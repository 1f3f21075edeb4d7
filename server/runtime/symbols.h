// Symbols: what an address of code is called, by the debug information of the process itself (elfutils).
//
// It allocates, opens files and takes some stack: not for signal handlers, nor for code that holds a lock of the
// runtime. Nothing is fetched from the network. Without debug information (-g) there is no line, without a symbol table
// (strip) no name but the library's.
//
//   Threads   One object is for one thread at a time; several may live at once.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>

namespace millrace::rt {

class Symbols {
 public:
  Symbols();
  ~Symbols();
  Symbols(const Symbols&) = delete;
  Symbols& operator=(const Symbols&) = delete;

  // "millrace::rt::Park(...) at server/runtime/park.cc:23", as much of it as is known. A return address is looked up as
  // the call before it. Asked for again, it is quick; the text is good until the object goes.
  const std::string& Describe(uintptr_t pc, bool is_return_address);

 private:
  struct Session;
  std::unique_ptr<Session> session_;
  std::unordered_map<uintptr_t, std::string> known_;
};

}  // namespace millrace::rt
