// Session: what every command needs: the client, the options of all commands, and one way to print errors.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "client/cli/exit_code.h"
#include "client/cli/interrupt.h"
#include "client/cli/output.h"
#include "client/client.h"

namespace millrace::cli {

struct GlobalOptions {
  std::string address = "127.0.0.1:7070";
  bool json = false;
  std::string timeout;  // For the whole command; empty: the default of the command.
};

// The value that a filter wants its `field` to equal, as written: `pool = "a" AND state = QUEUED` wants the pool a.
std::optional<std::string> WantedBy(const std::string& filter, const std::string& field);

class Session {
 public:
  Session(const GlobalOptions& options, Interrupt& interrupt) : options_(options), interrupt_(interrupt) {}

  // Checks the options and makes the client; before the other calls.
  Status Open(client::ClientOptions client_options = {});

  // From the first use of these two on, Ctrl-C is a request to stop. Before, while arguments and files are read, it
  // ends the process.
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
  // The job was accepted, or found by its request id or unique key, and its end is not known.
  ExitCode FailWait(const Status& status, const v1::SubmitJobResponse& accepted);
  // Where the kind or pool of a submit is unknown, also says which ones the daemon has.
  ExitCode FailSubmit(const Status& status, const v1::JobSpec& spec);
  // For a filter that nothing matches. kNotFound, with the nearest name on stderr, where the filter names a pool or a
  // kind that the daemon does not have: that is a misspelt word and not an empty answer. kOk where the daemon has them
  // or cannot be asked.
  ExitCode CheckNames(const std::string& filter);

 private:
  // Prints "did you mean", and what there is.
  static std::string Known(std::string_view what, std::string_view word, std::vector<std::string> known,
                           std::string_view said);

  const GlobalOptions& options_;
  Interrupt& interrupt_;
  std::unique_ptr<client::Client> client_;
  std::optional<std::chrono::steady_clock::time_point> deadline_;
};

}  // namespace millrace::cli
