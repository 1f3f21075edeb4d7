// Calls into the C and C++ libraries by fibers that are stopped in the middle of them, with the library's locks in
// their hands.
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <netdb.h>

#include <array>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/stress/torment.h"

namespace millrace::test {
namespace {

class LibraryCallsUnderTorment : public UnderTorment {};
INSTANTIATE_TEST_SUITE_P(Procs, LibraryCallsUnderTorment, kAnyProcs);

TEST_P(LibraryCallsUnderTorment, MallocGivesEachFiberMemoryOfItsOwn) {
  Torment(12, [](int index, int round) {
    std::minstd_rand random(static_cast<unsigned>(index * 7919 + round + 1));
    struct Block {
      unsigned char* memory = nullptr;
      size_t bytes = 0;
      unsigned char pattern = 0;
      bool Intact() const {
        for (size_t i = 0; i < bytes; ++i) {
          if (memory[i] != pattern) return false;
        }
        return true;
      }
    };
    std::array<Block, 16> blocks;
    bool good = true;
    // Every byte is looked at, which takes a sanitizer build a hundred times as long.
    for (int step = 0; step < (test::kSlowBuild ? 20 : 200); ++step) {
      Block& block = blocks[random() % blocks.size()];
      good = good && block.Intact();
      // Sizes of the thread cache, of the arenas' bins, and now and then of mmap.
      size_t bytes = random() % 50 == 0 && !test::kSlowBuild ? 150'000 : random() % 3000;
      if (random() % 3 == 0) {
        auto* memory = static_cast<unsigned char*>(realloc(block.memory, bytes + 1));
        for (size_t i = 0; i < std::min(bytes, block.bytes); ++i) good = good && memory[i] == block.pattern;
        block.memory = memory;
      } else {
        free(block.memory);
        block.memory = static_cast<unsigned char*>(malloc(bytes + 1));
      }
      block.bytes = bytes;
      block.pattern = static_cast<unsigned char>(random());
      memset(block.memory, block.pattern, bytes);
    }
    for (Block& block : blocks) {
      good = good && block.Intact();
      free(block.memory);
    }
    return good;
  });
}

TEST_P(LibraryCallsUnderTorment, ContainersHoldWhatWasPutIn) {
  Torment(12, [](int index, int round) {
    std::map<std::string, std::vector<std::string>> map;
    for (int i = 0; i < 60; ++i) {
      std::string key = "key " + std::to_string(i % 20) + std::string(static_cast<size_t>(i), 'k');
      map[key].push_back(std::to_string(index) + "/" + std::to_string(round) + "/" + std::to_string(i));
    }
    int found = 0;
    for (const auto& [key, values] : map) {
      for (const std::string& value : values) {
        int at = 0;
        found += sscanf(value.c_str(), "%*d/%*d/%d", &at) == 1 && static_cast<size_t>(at) + 4 <= key.size();
      }
    }
    return found == 60;
  });
}

TEST_P(LibraryCallsUnderTorment, PrintfToOneStreamKeepsLinesWhole) {
#if defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "ThreadSanitizer does not see the lock of a stream in memory, with plain threads either";
#endif
  // In memory, and each line is many writes: only the stream's lock keeps them apart.
  char* text = nullptr;
  size_t bytes = 0;
  FILE* stream = open_memstream(&text, &bytes);
  std::atomic<int64_t> lines{0};
  Torment(8, [&](int index, int round) {
    for (int i = 0; i < 20; ++i) {
      lines.fetch_add(fprintf(stream, "<%d|%06d|%-10s|%.3f>\n", index, round, "line", index / 8.0) > 0);
    }
    return true;
  });
  fclose(stream);
  int64_t whole = 0;
  // A copy of each line: sscanf measures the whole rest of the text.
  for (const char *line = text, *end; line < text + bytes; line = end + 1) {
    end = strchr(line, '\n');
    std::string copy(line, end);
    int index = 0, round = 0;
    double part = 0;
    if (sscanf(copy.c_str(), "<%d|%d|line      |%lf>", &index, &round, &part) == 3 && part == index / 8.0) ++whole;
  }
  EXPECT_EQ(whole, lines.load());
  free(text);
}

TEST_P(LibraryCallsUnderTorment, NumbersAreWrittenAndReadBack) {
  Torment(12, [](int index, int round) {
    bool good = true;
    for (int i = 0; i < 50; ++i) {
      double value = (index + 1) * 1.1 / (round + 3) + i;
      char text[64];
      snprintf(text, sizeof text, "%.17g %d %s", value, i, "word");
      double again = 0;
      int number = 0;
      char word[16] = "";
      good = good && strtod(text, nullptr) == value;
      good = good && sscanf(text, "%lf %d %15s", &again, &number, word) == 3;
      good = good && again == value && number == i && strcmp(word, "word") == 0;
    }
    return good;
  });
}

struct Guard {
  int& alive;
  explicit Guard(int& count) : alive(count) { ++alive; }
  ~Guard() { --alive; }
};

[[noreturn]] void ThrowFrom(int depth, int payload, int& alive) {
  Guard guard(alive);
  std::string frame(static_cast<size_t>(depth) * 10, 'f');
  if (depth == 0) throw std::runtime_error(std::to_string(payload));
  ThrowFrom(depth - 1, payload, alive);
}

TEST_P(LibraryCallsUnderTorment, ExceptionsUnwindAndAreCaughtByWhoseTheyAre) {
  Torment(12, [](int index, int round) {
    bool good = true;
    for (int i = 0; i < 4; ++i) {
      int alive = 0;
      int payload = index * 1000 + round;
      try {
        ThrowFrom(8, payload, alive);
      } catch (const std::exception& outer) {
        rt::Yield();
        try {
          ThrowFrom(4, payload + 1, alive);
        } catch (const std::exception& inner) {
          if (i % 2 == 0) rt::SleepFor(std::chrono::microseconds(50));
          good = good && inner.what() == std::to_string(payload + 1);
        }
        good = good && outer.what() == std::to_string(payload) && std::uncaught_exceptions() == 0;
        // In flight again, through a handler, to another.
        try {
          try {
            throw;
          } catch (...) {
            rt::Yield();
            std::exception_ptr kept = std::current_exception();
            std::rethrow_exception(kept);
          }
        } catch (const std::runtime_error& again) {
          good = good && again.what() == std::to_string(payload);
        }
      }
      good = good && alive == 0;
    }
    return good;
  });
}

TEST_P(LibraryCallsUnderTorment, CallOnceCallsOnceAndAllSeeIt) {
  if (!rt::kPreemptionWorks)
    GTEST_SKIP() << "libstdc++ keeps what it calls in a thread-local, which for ThreadSanitizer two threads share here";
  constexpr int kFlags = 1 << 16;  // More than are used before enough fibers have been stopped.
  struct Slot {
    std::once_flag flag;
    std::string value;
    std::atomic<int> calls{0};
  };
  std::vector<Slot> slots(kFlags);
  Torment(8, [&](int, int round) {
    bool good = true;
    for (int i = 0; i < 8; ++i) {
      Slot& slot = slots[static_cast<size_t>(round * 8 + i) % kFlags];
      std::call_once(slot.flag, [&] {
        slot.calls.fetch_add(1);
        for (int k = 0; k < 20; ++k) slot.value += std::to_string(k);
      });
      good = good && slot.calls.load() == 1 && slot.value.size() == 30;
    }
    return good;
  });
}

TEST_P(LibraryCallsUnderTorment, AStdMutexExcludesWhileItsHolderIsStopped) {
  std::mutex mutex;
  std::map<int, int64_t> counts;
  int64_t inside = 0;
  std::atomic<int64_t> entered{0};
  Torment(8, [&](int index, int) {
    bool good = true;
    for (int i = 0; i < 50; ++i) {
      std::lock_guard guard(mutex);
      good = good && ++inside == 1;
      ++counts[index];
      entered.fetch_add(1);
      --inside;
    }
    return good;
  });
  int64_t sum = 0;
  for (auto [index, count] : counts) sum += count;
  EXPECT_EQ(sum, entered.load());
}

// Condition variables block the thread: the two halves must not depend on how many processors there are.
TEST_P(LibraryCallsUnderTorment, StdConditionVariablesPassATokenBetweenFibers) {
  constexpr int kPairs = 6;
  struct Pair {
    std::mutex mutex;
    std::condition_variable changed;
    int turn = 0;
    int64_t passes = 0;
    bool over = false;
  };
  std::array<Pair, kPairs> pairs;
  Torment(2 * kPairs, [&](int index, int) {
    Pair& pair = pairs[static_cast<size_t>(index / 2)];
    const int me = index % 2;
    std::unique_lock guard(pair.mutex);
    for (int i = 0; i < 5; ++i) {
      // The partner has done its last round: nobody will pass the token back.
      if (!pair.changed.wait_for(guard, std::chrono::milliseconds(20), [&] { return pair.turn == me; })) return true;
      pair.turn = 1 - me;
      ++pair.passes;
      pair.changed.notify_one();
    }
    return true;
  });
  for (Pair& pair : pairs) EXPECT_GT(pair.passes, 0);
}

TEST_P(LibraryCallsUnderTorment, LibrariesAreLoadedAndUnloaded) {
  if (!rt::kPreemptionWorks) GTEST_SKIP() << "ThreadSanitizer does not see the locks of the dynamic linker";
  Torment(4, [](int, int) {
    // A small one that nothing else here needs.
    void* library = dlopen("libutil.so.1", RTLD_NOW | RTLD_LOCAL);
    void* other = dlopen("libanl.so.1", RTLD_LAZY | RTLD_LOCAL);
    bool good = library != nullptr && other != nullptr && dlsym(RTLD_DEFAULT, "malloc") != nullptr;
    Dl_info info{};
    good = good && dladdr(reinterpret_cast<void*>(&dlopen), &info) != 0;
    try {
      throw 1;  // The unwinder asks the dynamic linker.
    } catch (int) {
    }
    if (library != nullptr) dlclose(library);
    if (other != nullptr) dlclose(other);
    return good;
  });
}

TEST_P(LibraryCallsUnderTorment, LocalhostIsResolved) {
  Torment(4, [](int, int) {
    addrinfo hints{};
    hints.ai_family = AF_INET;
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    int error = getaddrinfo("localhost", "80", &hints, &found);
    bool good = error == 0 && found != nullptr && found->ai_family == AF_INET;
    if (found != nullptr) freeaddrinfo(found);
    return good;
  });
}

}  // namespace
}  // namespace millrace::test
