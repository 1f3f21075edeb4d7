// Children and system calls, made by fibers that are stopped and lose their processor all the time.
//
// What users see of the preemption signal (runtime/README.md): its handler is installed with SA_RESTART, so read,
// write, wait, flock and the like go on by themselves. The kernel restarts no nanosleep, poll, select or epoll_wait:
// these fail with EINTR, as they do beside any signal handler, and their callers must look.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <string>
#include <vector>

#include "runtime/blocking.h"
#include "tests/stress/torment.h"
#include "tests/support/leaks.h"

extern char** environ;

namespace millrace::test {
namespace {

class SystemCallsUnderTorment : public UnderTorment {};
INSTANTIATE_TEST_SUITE_P(Procs, SystemCallsUnderTorment, kAnyProcs);

bool EndedWith(pid_t pid, int code) {
  int status = -1;
  return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == code;
}

std::vector<char*> Words(std::vector<std::string>& words) {
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  return pointers;
}

// Go: TestSignalDuringExec.
TEST_P(SystemCallsUnderTorment, ForkAndExecGiveTheChildsOwnExitCode) {
  std::vector<std::string> words = {"sh", "-c", "exit 7"};
  std::vector<char*> argv = Words(words);
  Torment(3, [&](int, int) {
    pid_t pid = fork();
    if (pid == 0) {
      execv("/bin/sh", argv.data());
      _exit(127);
    }
    return EndedWith(pid, 7);
  });
  EXPECT_TRUE(HasNoChildren());
}

TEST_P(SystemCallsUnderTorment, SpawnedChildrenRunAndEnd) {
  std::vector<std::string> words = {"true"};
  std::vector<char*> argv = Words(words);
  Torment(4, [&](int, int) {
    pid_t pid = -1;
    return posix_spawn(&pid, "/bin/true", nullptr, nullptr, argv.data(), environ) == 0 && EndedWith(pid, 0);
  });
  EXPECT_TRUE(HasNoChildren());
}

// A child that a fiber has forked has one thread, which goes on with the fiber's code and may use the libraries before
// it execs.
TEST_P(SystemCallsUnderTorment, AForkedChildMayAllocateAndPrint) {
  Torment(2, [](int index, int round) {
    pid_t pid = fork();
    if (pid == 0) {
      std::string text;
      for (int i = 0; i < 100; ++i) text += std::to_string(index * round);
      char number[32];
      snprintf(number, sizeof number, "%d", round);
      _exit(text.empty() ? 1 : 3);
    }
    return EndedWith(pid, 3);
  });
}

void ReadFully(int fd, char* to, size_t bytes, bool* good) {
  for (size_t got = 0; got < bytes && *good;) {
    ssize_t n = read(fd, to + got, bytes - got);
    *good = n > 0;  // No EINTR: SA_RESTART.
    got += static_cast<size_t>(n);
  }
}

void WriteFully(int fd, const char* from, size_t bytes, bool* good) {
  for (size_t put = 0; put < bytes && *good;) {
    ssize_t n = write(fd, from + put, bytes - put);
    *good = n > 0;
    put += static_cast<size_t>(n);
  }
}

TEST_P(SystemCallsUnderTorment, PipesCarryEveryByteBetweenFibersThatBlock) {
  constexpr size_t kBytes = 200'000;  // More than a pipe holds: both sides block in turns.
  Torment(3, [](int index, int round) {
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0) return false;
    std::string sent(kBytes, '\0');
    for (size_t i = 0; i < kBytes; ++i) sent[i] = static_cast<char>(i * 31 + static_cast<size_t>(index + round));
    bool wrote = true, got = true;
    sync::WaitGroup writer;
    writer.Go([&] {
      WriteFully(ends[1], sent.data(), kBytes, &wrote);
      close(ends[1]);
    });
    std::string received(kBytes, '\0');
    if (round % 2 == 0) {
      ReadFully(ends[0], received.data(), kBytes, &got);
    } else {
      rt::Blocking([&] { ReadFully(ends[0], received.data(), kBytes, &got); });
    }
    char end;
    got = got && read(ends[0], &end, 1) == 0;
    writer.Wait();
    close(ends[0]);
    return wrote && got && received == sent;
  });
}

TEST_P(SystemCallsUnderTorment, SocketPairsAnswer) {
  Torment(4, [](int, int) {
    std::array<int, 2> ends{};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) return false;
    bool good = true;
    sync::WaitGroup echo;
    echo.Go([&] {
      char byte;
      while (recv(ends[1], &byte, 1, 0) == 1) {
        byte = static_cast<char>(byte + 1);
        if (send(ends[1], &byte, 1, MSG_NOSIGNAL) != 1) break;
      }
    });
    for (char i = 0; i < 20; ++i) {
      char byte = i;
      good = good && send(ends[0], &byte, 1, MSG_NOSIGNAL) == 1 && recv(ends[0], &byte, 1, MSG_WAITALL) == 1;
      good = good && byte == i + 1;
    }
    shutdown(ends[0], SHUT_RDWR);
    echo.Wait();
    close(ends[0]);
    close(ends[1]);
    return good;
  });
}

TEST_P(SystemCallsUnderTorment, CallsThatTheKernelDoesNotRestartFailWithEintrOrDoTheirWork) {
  Torment(6, [](int index, int) {
    if (index % 2 == 0) {
      timespec pause{.tv_sec = 0, .tv_nsec = 300'000};
      // What is left to sleep, as with any signal; the kernel adds the slack of the thread's timers to it.
      while (nanosleep(&pause, &pause) != 0) {
        if (errno != EINTR || pause.tv_sec != 0 || pause.tv_nsec > 1'000'000) return false;
      }
      return true;
    }
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0) return false;
    pollfd wanted{.fd = ends[0], .events = POLLIN, .revents = 0};
    int ready = poll(&wanted, 1, 1);
    bool good = ready == 0 || (ready < 0 && errno == EINTR);
    good = good && write(ends[1], "x", 1) == 1;
    while ((ready = poll(&wanted, 1, -1)) < 0 && errno == EINTR) {
    }
    good = good && ready == 1 && (wanted.revents & POLLIN) != 0;
    close(ends[0]);
    close(ends[1]);
    return good;
  });
}

// Go: TestPreemptionAfterSyscall. Calls of different lengths, announced or not; after each the fiber computes.
TEST_P(SystemCallsUnderTorment, FibersComputeOnAfterCallsOfAnyLength) {
  Torment(8, [](int index, int round) {
    timespec pause{.tv_sec = 0, .tv_nsec = 1L << (4 + (index + round) % 16)};
    if (index % 2 == 0) {
      rt::Blocking([&] { nanosleep(&pause, nullptr); });
    } else {
      nanosleep(&pause, nullptr);
    }
    uint64_t x = static_cast<uint64_t>(index), y = x;
    for (int i = 0; i < 20'000; ++i) x = x * 6364136223846793005u + 1442695040888963407u;
    for (int i = 0; i < 20'000; ++i) y = y * 6364136223846793005u + 1442695040888963407u;
    return x == y;
  });
}

// Go: TestSignalDuringExec. The program is replaced by another while its threads are being signalled.
TEST_P(SystemCallsUnderTorment, ExecReplacesAProgramOfStoppedFibers) {
  if (!rt::kPreemptionWorks) GTEST_SKIP() << "a child of a fork cannot start threads under ThreadSanitizer";
  for (int i = 0; i < (kSlowBuild ? 2 : 5); ++i) {
    pid_t pid = fork();
    if (pid == 0) {
      rt::Runtime runtime({.procs = GetParam()});
      Tormentor tormentor(runtime);
      runtime.Run([&] {
        std::atomic<bool> never{false};
        for (int k = 0; k < 4; ++k) {
          rt::Go([&] {
            while (!never.load()) {
              if (!rt::kPreemptionWorks) rt::Yield();
            }
          });
        }
        while (rt::kPreemptionWorks && runtime.Stats().switches_preempted < 10) rt::Yield();
        execl("/bin/sh", "sh", "-c", "exit 5", nullptr);
        _exit(127);
      });
    }
    ASSERT_TRUE(EndedWith(pid, 5));
  }
}

}  // namespace
}  // namespace millrace::test
