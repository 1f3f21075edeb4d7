// Signals: the signals that end or touch a daemon, as something one waits for instead of something that interrupts.
//
// They are blocked in every thread, so no handler runs anywhere and no system call is cut short; one thread waits for them. The
// children of exec jobs get their own clean mask (io/process.h).
#pragma once

namespace millrace {

class Signals {
 public:
  // Blocks SIGTERM, SIGINT and SIGHUP for the calling thread and all threads it starts, and ignores SIGPIPE and SIGXFSZ: call
  // it before any thread is started. A SIGINT that was ignored at start, as under nohup or in a shell's background, stays ignored.
  Signals();
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  // Blocks the calling thread until a signal has come, which is returned, or Wake was called, which gives 0. One thread at a time.
  int Wait();

  // From any thread or fiber.
  void Wake();

 private:
  int signal_fd_;
  int wake_fd_;
};

}  // namespace millrace
