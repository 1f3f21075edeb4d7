#include "allocator.h"

#include <jemalloc/jemalloc.h>

#include <cstdio>

// The daemon's allocator is jemalloc (libjemalloc2): glibc's keeps what a mixed load has freed in pieces, several times
// as much as is in use. This string, which jemalloc looks for by its name, is its configuration; the variable
// MALLOC_CONF comes on top.
//
//   narenas            Few: a fiber frees on another thread than it allocated on, so memory spreads over all arenas
//                      there are.
//   dirty_decay_ms     What was freed goes back to the system after a second; the default of ten keeps the peak of each
//                      burst.
//   background_thread  Freed memory goes back also while nobody allocates.
extern "C" {
// Read by the allocator before main.
__attribute__((used, visibility("default"))) const char* malloc_conf =
    "narenas:4,dirty_decay_ms:1000,muzzy_decay_ms:0,background_thread:true";
}

namespace millrace {

void GiveMemoryBackAtOnce() {
  ssize_t now = 0;
  unsigned arenas = 0;
  size_t size = sizeof arenas;
  // The first call is for arenas to come; the loop is for those that exist.
  (void)mallctl("arenas.dirty_decay_ms", nullptr, nullptr, &now, sizeof now);
  (void)mallctl("arenas.narenas", &arenas, &size, nullptr, 0);
  for (unsigned i = 0; i < arenas; ++i) {
    char of_one[40];
    snprintf(of_one, sizeof of_one, "arena.%u.dirty_decay_ms", i);
    (void)mallctl(of_one, nullptr, nullptr, &now, sizeof now);  // Fails for an arena that nobody has used yet.
  }
}

}  // namespace millrace
