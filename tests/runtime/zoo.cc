// A program with fibers of all kinds, for tests that look at a process from outside: SIGQUIT, gdb, a core, Valgrind.
//
//   fiber_zoo          says "open" when all its animals are in their places, and ends with 0 at the end of its input
//   fiber_zoo abort    aborts instead of saying anything
//   fiber_zoo walk     starts and ends many fibers of several sizes and needs no input
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "runtime/blocking.h"
#include "runtime/dump.h"
#include "runtime/park.h"
#include "runtime/runtime.h"

namespace {

namespace rt = millrace::rt;

// A fiber that says of itself that it is about to wait may be looked at long before it does: only the dump knows.
bool AllAtRest() {
  const std::string dump = rt::FiberDump();
  int at_rest = 0;
  for (const char* rest : {"'lion' [channel receive", "'bear' [timer", "'mole' [blocking call"}) {
    for (size_t at = dump.find(rest); at != std::string::npos; at = dump.find(rest, at + 1)) ++at_rest;
  }
  return at_rest == 5;
}

__attribute__((noinline)) void LieInTheCave() {
  rt::Park(rt::WaitReason::kChannelReceive, nullptr, nullptr);
  asm volatile("");  // No tail call: the frame is to be seen.
}
__attribute__((noinline)) void GoIntoTheCave() {
  LieInTheCave();
  asm volatile("");
}
__attribute__((noinline)) void Hibernate() {
  rt::SleepFor(std::chrono::hours(1));
  asm volatile("");
}

// In a call that blocks, after it has waited elsewhere.
__attribute__((noinline)) void DigATunnel(int fd) {
  rt::SleepFor(std::chrono::microseconds(1));
  rt::Blocking([fd] {
    char byte;
    return read(fd, &byte, 1);
  });
  asm volatile("");
}

void WalkAbout() {
  std::atomic<int> left{0};
  for (int i = 0; i < 300; ++i) {
    left += 3;
    rt::Go([&] { --left; });
    rt::Go({.name = "large", .stack_bytes = 1 << 20}, [&left, i] {
      char footprints[512 << 10];
      memset(footprints, i, sizeof footprints);
      rt::Yield();
      if (footprints[i] == static_cast<char>(i)) --left;
    });
    rt::Go({.name = "small", .stack_bytes = 16 << 10}, [&] {
      rt::SleepFor(std::chrono::microseconds(10));
      --left;
    });
    if (i % 10 == 0) {
      while (left > 0) rt::Yield();
    }
  }
  while (left > 0) rt::Yield();
}

}  // namespace

int main(int argc, char** argv) {
  const char* mode = argc > 1 ? argv[1] : "";
  rt::Runtime runtime({.procs = 2});
  return runtime.Run([mode] {
    if (strcmp(mode, "walk") == 0) {
      WalkAbout();
      return 0;
    }
    for (int i = 0; i < 3; ++i) rt::Go({.name = "lion"}, GoIntoTheCave);
    rt::Go({.name = "bear", .stack_bytes = 64 << 10}, Hibernate);
    std::array<int, 2> tunnel{};
    if (pipe2(tunnel.data(), O_CLOEXEC) != 0) return 1;
    std::atomic<bool> dug{false};
    rt::Go({.name = "mole"}, [&] {
      DigATunnel(tunnel[0]);
      dug = true;
    });
    while (!AllAtRest()) rt::Yield();
    if (strcmp(mode, "abort") == 0) abort();
    puts("open");
    fflush(stdout);
    char byte;
    while (read(STDIN_FILENO, &byte, 1) == 1) {
    }
    close(tunnel[1]);
    while (!dug) rt::Yield();
    return 0;
  });
}
