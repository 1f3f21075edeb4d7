// Session: what every command needs: the client, the options that all commands share, and the way errors are told.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "client/cli/exit_code.h"
#include "client/cli/interrupt.h"
#include "client/client.h"

namespace millrace::cli {

struct GlobalOptions {
  std::string address = "127.0.0.1:7070";
  bool json = false;
  std::string timeout;  // Of the whole command; empty: each command's own default.
};

class Session {
 public:
  Session(const GlobalOptions& options, Interrupt& interrupt) : options_(options), interrupt_(interrupt) {}

  // Checks the options and makes the client; before the other calls.
  Status Open(client::ClientOptions client_options = {});

  // From the first use of these two on, Ctrl-C is a request to stop; while arguments and files are read it just ends us.
  client::Client& client() { return interrupt_.Arm(), *client_; }
  std::stop_token stop() const { return interrupt_.Arm(), interrupt_.token(); }

  bool json() const { return options_.json; }
  const std::string& address() const { return options_.address; }
  bool interrupted() const { return interrupt_.token().stop_requested(); }

  // What is left of --timeout; nullopt without one. Never negative.
  std::optional<std::chrono::milliseconds> TimeLeft() const;

  // For one call: what is left of --timeout, else `unlimited` ? none : the client's default.
  client::CallOptions Call(bool unlimited = false) const;

  // Prints "millrace: ..." with the fix on stderr and gives the exit code.
  ExitCode Fail(const Status& status);
  // Looks up what the server does have when the kind or pool of a submit is unknown.
  ExitCode FailSubmit(const Status& status, const v1::JobSpec& spec);

 private:
  const GlobalOptions& options_;
  Interrupt& interrupt_;
  std::unique_ptr<client::Client> client_;
  std::optional<std::chrono::steady_clock::time_point> deadline_;
};

// A text on stdout, and nothing lost in the process when the pipe is closed.
void Print(std::string_view text);
void PrintLine(std::string_view line);

}  // namespace millrace::cli
