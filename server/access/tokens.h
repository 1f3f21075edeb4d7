// Tokens: those that a daemon knows, in a file of its data folder.
//
//   Order     A token that was made, or revoked, is on the disk before anybody is told.
//   Cost      Check allocates nothing where the token is good.
//   Memory    A change copies the table of all tokens, which are few and seldom change.
//   Threads   Any. Create and Revoke block their thread for the disk; Check and List never wait for it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "access/token.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/status.h"
#include "base/thread_mutex.h"

namespace millrace::access {

// More is a mistake of a script, and each is looked at by whoever lists them.
inline constexpr size_t kTokensMax = 10'000;

struct TokenRequest {
  std::string name;
  Roles roles;
  std::optional<WallTime> expires;
};

class Tokens {
 public:
  // A file that is not there is one without tokens. FAILED_PRECONDITION TOKENS_UNREADABLE: it cannot be read, is not as
  // this version writes it, or others than its owner may read it. `clock` outlives the Tokens.
  static Result<std::unique_ptr<Tokens>> Open(std::string path, const Clock& clock);

  // The token, good until now. UNAUTHENTICATED TOKEN_MALFORMED, TOKEN_UNKNOWN (or revoked), TOKEN_EXPIRED. No message
  // repeats the text.
  Result<std::shared_ptr<const Token>> Check(std::string_view text) const;

  // INVALID_ARGUMENT BAD_TOKEN_NAME, BAD_ROLE, BAD_EXPIRY; RESOURCE_EXHAUSTED TOO_MANY_TOKENS; UNAVAILABLE
  // TOKENS_NOT_WRITTEN: nothing was made.
  Result<NewToken> Create(const TokenRequest& request);
  // NOT_FOUND TOKEN_NOT_FOUND; UNAVAILABLE TOKENS_NOT_WRITTEN: it is as good as before.
  Status Revoke(const Id& id);
  std::vector<Token> List() const;  // The oldest first.
  bool empty() const { return table()->empty(); }

 private:
  using Table = std::unordered_map<Id, std::shared_ptr<const Token>>;

  Tokens(std::string path, const Clock& clock, Table table)
      : path_(std::move(path)), clock_(clock), ids_(clock), table_(std::make_shared<const Table>(std::move(table))) {}
  std::shared_ptr<const Table> table() const {
    ThreadGuard guard(table_mutex_);
    return table_;
  }
  void SetTable(Table next) {
    auto made = std::make_shared<const Table>(std::move(next));
    ThreadGuard guard(table_mutex_);
    table_.swap(made);
  }
  static std::vector<Token> InOrder(const Table& table);
  // Written down, and then in force.
  Status Replace(Table next) MR_REQUIRES(mutex_);

  const std::string path_;
  const Clock& clock_;
  IdGenerator ids_;
  ThreadMutex mutex_;                // One change at a time; held while the file is written.
  mutable ThreadMutex table_mutex_;  // Held for a copy of the pointer only.
  std::shared_ptr<const Table> table_ MR_GUARDED_BY(table_mutex_);
};

}  // namespace millrace::access
