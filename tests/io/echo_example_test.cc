// The example, as a program of its own, with clients of ours.
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <unistd.h>

#include <atomic>

#include "io/child.h"
#include "io/pipe.h"
#include "sync/wait_group.h"
#include "tests/io/io_fixture.h"

namespace millrace::io {
namespace {

class EchoExample : public IoTest {
 protected:
  void TearDown() override {
    EXPECT_TRUE(test::HasNoChildren());
    IoTest::TearDown();
  }

  // Beside this test program.
  static pid_t Start(int procs, int errors) {
    char path[4096] = {};
    MR_CHECK(readlink("/proc/self/exe", path, sizeof path - 1) > 0, "no /proc");
    std::string program(path);
    program = program.substr(0, program.rfind('/') + 1) + "echo_example";
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, errors, 2);
    const char* argv[] = {"echo_example", "127.0.0.1:0", nullptr};
    std::string procs_text = "MILLRACE_PROCS=" + std::to_string(procs);
    char* env[] = {procs_text.data(), nullptr};
    pid_t pid = -1;
    int error = posix_spawn(&pid, program.c_str(), &actions, nullptr, const_cast<char**>(argv), env);
    MR_CHECK(error == 0, "%s was not started: error %d", program.c_str(), error);
    posix_spawn_file_actions_destroy(&actions);
    return pid;
  }
};
INSTANTIATE_TEST_SUITE_P(Procs, EchoExample, test::kAnyProcs);

TEST_P(EchoExample, EchoesToSeveralClientsAtOnce) {
  static constexpr int kClients = 20;
  Run([] {
    PipePair errors = MakePipe().value();
    pid_t server = Start(GetParam(), errors.writer.fd());
    errors.writer.Close();
    std::string first_line;
    while (first_line.find('\n') == std::string::npos) {
      std::string more = ReadAll(errors.reader, 1);
      ASSERT_EQ(more.size(), 1u) << first_line;
      first_line += more;
    }
    ASSERT_EQ(first_line.substr(0, 18), "listening on port ");
    Address address{"127.0.0.1", static_cast<uint16_t>(std::stoi(first_line.substr(18)))};

    std::atomic<int> right{0};
    sync::WaitGroup clients;
    for (int i = 0; i < kClients; ++i) {
      clients.Go([&, i] {
        Socket socket = ConnectTcp(address).value();
        std::string text(100'000, static_cast<char>('a' + i));
        sync::WaitGroup writing;
        writing.Go([&] {
          EXPECT_TRUE(socket.Write(text).ok());
          EXPECT_TRUE(socket.ShutdownWrite().ok());
        });
        if (ReadAll(socket) == text) ++right;
        writing.Wait();
      });
    }
    clients.Wait();
    EXPECT_EQ(right, kClients);
    kill(server, SIGTERM);
    EXPECT_EQ(AwaitChild(server).value().signal, SIGTERM);
  });
}

}  // namespace
}  // namespace millrace::io
