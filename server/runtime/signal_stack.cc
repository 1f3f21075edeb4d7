#include "runtime/signal_stack.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>

#include "base/check.h"

namespace millrace::rt {

SignalStack::SignalStack() {
  auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  // The kernel saves the registers here, up to 12 KiB of them where the processor has AMX; while a stopped fiber's
  // thread is parked another signal (a fault report) may come on top. Only touched pages cost memory.
  size_t bytes = 2 * static_cast<size_t>(std::max(sysconf(_SC_MINSIGSTKSZ), long{MINSIGSTKSZ})) + (size_t{64} << 10);
  bytes = (bytes + page - 1) / page * page;
  mapped_bytes_ = bytes + page;
  void* mapping = mmap(nullptr, mapped_bytes_, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
  MR_CHECK(mapping != MAP_FAILED, "cannot map a signal stack of %zu bytes; raise the address space limit (ulimit -v)",
           mapped_bytes_);
  mapping_ = static_cast<char*>(mapping);
  mprotect(mapping_, page, PROT_NONE);
  stack_t stack{};
  stack.ss_sp = mapping_ + page;
  stack.ss_size = bytes;
  MR_CHECK(sigaltstack(&stack, &previous_) == 0, "cannot set a signal stack of %zu bytes", bytes);
}

SignalStack::~SignalStack() {
  // AddressSanitizer has one of its own, which it unmaps when the thread ends.
  sigaltstack(&previous_, nullptr);
  munmap(mapping_, mapped_bytes_);
}

}  // namespace millrace::rt
