#include "runtime/reporter.h"

#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "base/stderr.h"
#include "base/thread_annotations.h"
#include "base/thread_mutex.h"
#include "runtime/cycles.h"
#include "runtime/dump.h"
#include "runtime/futex.h"

namespace millrace::rt {

namespace {

constexpr uint32_t kDump = 1, kLastWords = 2, kWork = 4;
constinit std::atomic<uint32_t> requests{0};

//   kNone ──WriteLastWords──▶ kAsked ──composed──▶ kWriting ──▶ kWritten
//                               └────patience ends────▶ kWithdrawn
enum : uint32_t { kNone, kAsked, kWriting, kWritten, kWithdrawn };
constinit std::atomic<uint32_t> last_words{kNone};
std::string (*last_words_compose)(const void*) = nullptr;
const void* last_words_argument = nullptr;

struct Work {
  ThreadMutex mutex;
  std::vector<std::function<void()>> waiting MR_GUARDED_BY(mutex);
};
// Never destroyed: the thread goes on while the process exits.
Work& TheWork() {
  static Work* work = new Work;
  return *work;
}

constinit std::mutex start_mutex;
// The process whose thread runs; a child after fork has none.
constinit std::atomic<pid_t> started_in{0};

void Ask(uint32_t what) {
  // release: pairs with the exchange in Serve.
  requests.fetch_or(what, std::memory_order_release);
  FutexWake(requests, 1);
}

void ServeLastWords() {
  std::string text = last_words_compose(last_words_argument);
  uint32_t asked = kAsked;
  if (!last_words.compare_exchange_strong(asked, kWriting)) return;
  WriteStderr(text);
  last_words.store(kWritten, std::memory_order_release);
  FutexWake(last_words, 1);
}

void ServeWork() {
  Work& work = TheWork();
  std::vector<std::function<void()>> waiting;
  {
    ThreadGuard guard(work.mutex);
    waiting.swap(work.waiting);
  }
  for (auto& fn : waiting) fn();
}

[[noreturn]] void Serve() {
  pthread_setname_np(pthread_self(), "millrace-report");
  for (;;) {
    uint32_t asked = requests.exchange(0, std::memory_order_acquire);
    if (asked == 0) {
      FutexWait(requests, 0);
      continue;
    }
    if ((asked & kLastWords) != 0) ServeLastWords();
    if ((asked & kDump) != 0) DumpFibers(STDERR_FILENO);
    if ((asked & kWork) != 0) ServeWork();
  }
}

}  // namespace

void StartReporter() {
  std::lock_guard guard(start_mutex);
  if (started_in == getpid()) return;
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    std::thread(Serve).detach();
    started_in = getpid();
  } catch (const std::system_error&) {
    // No dumps then; the program is worth more.
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

bool DumpOnSignal(int signal) {
  StartReporter();
  struct sigaction action {};
  if (sigaction(signal, nullptr, &action) != 0) return false;
  bool handled = (action.sa_flags & SA_SIGINFO) != 0 || (action.sa_handler != SIG_DFL && action.sa_handler != SIG_IGN);
  if (handled) return false;
  action = {};
  action.sa_handler = [](int) { RequestFiberDump(); };
  action.sa_flags = SA_RESTART | SA_ONSTACK;
  return sigaction(signal, &action, nullptr) == 0;
}

void RequestFiberDump() {
  int saved_errno = errno;
  Ask(kDump);
  errno = saved_errno;
}

void RunOnReporter(std::function<void()> fn) {
  Work& work = TheWork();
  {
    ThreadGuard guard(work.mutex);
    work.waiting.push_back(std::move(fn));
  }
  Ask(kWork);
}

bool WriteLastWords(std::string (*compose)(const void*), const void* argument, int64_t patience_ns) {
  if (started_in != getpid()) return false;
  last_words_compose = compose;
  last_words_argument = argument;
  last_words.store(kAsked, std::memory_order_relaxed);
  Ask(kLastWords);
  int64_t deadline = NowNs() + patience_ns;
  while (last_words.load(std::memory_order_acquire) != kWritten) {
    uint32_t asked = kAsked;
    if (NowNs() > deadline && last_words.compare_exchange_strong(asked, kWithdrawn)) return false;
    FutexWaitUntil(last_words, asked == kWriting ? kWriting : kAsked,
                   NowNs() > deadline ? NowNs() + 1'000'000'000 : deadline);
  }
  return true;
}

}  // namespace millrace::rt
