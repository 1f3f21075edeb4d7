// Signals: waits for the signals that end or touch a daemon, so that none of them interrupts anything.
//
// They are blocked in every thread, so no handler runs anywhere and no system call is cut short; one thread waits for
// them. The children of exec jobs get their own clean mask (io/process.h).
#pragma once

namespace millrace {

class Signals {
 public:
  // Blocks SIGTERM, SIGINT and SIGHUP for the calling thread and all threads it starts, and ignores SIGPIPE and
  // SIGXFSZ: call it before any thread is started. A SIGINT that was ignored at start, as under nohup or in a shell's
  // background, stays ignored.
  Signals();
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  // Blocks the calling thread until a signal has come, and returns it; 0 when Wake was called. One thread at a time.
  int Wait();

  // From any thread or fiber.
  void Wake();

 private:
  int signal_fd_;
  int wake_fd_;
};

}  // namespace millrace
