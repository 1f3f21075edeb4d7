// Patience: how long a test tries for something that happens by chance, such as a signal at the right moment.
//
//   It ends when the test has had kLeastProcessorTime and kLeastTime in vain: then what it waits for does not happen
//   any more, and the test fails. A machine that is busy with other work may not give it that much; after kMostTime the
//   test gives up and says that it has shown nothing.
#pragma once

#include <chrono>
#include <ctime>
#include <string>

namespace millrace::test {

class Patience {
 public:
  bool Ended() const {
    const auto time = std::chrono::steady_clock::now() - start_;
    return time >= kMostTime || (time >= kLeastTime && HadItsTime());
  }

  // False: whoever has waited in vain has been kept from trying.
  bool HadItsTime() const { return ProcessorTime() - processor_start_ >= kLeastProcessorTime; }

  std::string Excuse() const {
    const auto had = std::chrono::duration_cast<std::chrono::milliseconds>(ProcessorTime() - processor_start_);
    return "the machine had no time for this test: it got " + std::to_string(had.count()) +
           " ms of a processor, which is too little to say anything";
  }

 private:
  static std::chrono::nanoseconds ProcessorTime() {
    timespec time{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
  }

  // On a machine with nothing else to do what is waited for takes milliseconds.
  static constexpr std::chrono::seconds kLeastProcessorTime{10}, kLeastTime{30};
  static constexpr std::chrono::seconds kMostTime{150};  // Half of what ctest gives a test.

  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  std::chrono::nanoseconds processor_start_ = ProcessorTime();
};

}  // namespace millrace::test
