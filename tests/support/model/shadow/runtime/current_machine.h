// Instead of server/runtime/current_machine.h: the fiber that the model runs knows (runtime_stubs.cc).
#pragma once

namespace millrace::rt {

struct Machine;

Machine* CurrentMachine();

}  // namespace millrace::rt
