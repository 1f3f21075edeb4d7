#include "access/tokens.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

#include "access/token_file.h"
#include "base/durable_file.h"

namespace millrace::access {

namespace {

Status Unreadable(const std::string& path, const std::string& why) {
  return FailedPrecondition("TOKENS_UNREADABLE", "the file " + path + why).With("file", path);
}

Status Unknown(std::string reason, std::string message) {
  return Status(StatusCode::kUnauthenticated, std::move(reason), std::move(message));
}

}  // namespace

Result<std::unique_ptr<Tokens>> Tokens::Open(std::string path, const Clock& clock) {
  Table table;
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) {
    if (errno != ENOENT) return Unreadable(path, std::string(" cannot be looked at: ") + strerror(errno));
    return std::unique_ptr<Tokens>(new Tokens(std::move(path), clock, {}));
  }
  // Hashes are no secrets, but whoever may write here can make a token of an administrator.
  if ((status.st_mode & 077) != 0) {
    return Unreadable(path,
                      " can be read or written by others than its owner; if nobody changed it: chmod 600 " + path);
  }
  std::ifstream file(path, std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (!file.is_open() || file.bad()) return Unreadable(path, " cannot be read by this user");
  Result<std::vector<Token>> tokens = ParseTokens(text, path);
  if (!tokens.ok()) return tokens.status();
  std::unique_ptr<Tokens> all;
  for (Token& token : *tokens) {
    const Id id = token.id;
    table[id] = std::make_shared<const Token>(std::move(token));
  }
  all.reset(new Tokens(std::move(path), clock, {}));
  // The clock may have been set back since.
  for (const auto& [id, token] : table) all->ids_.StartAbove(id);
  all->SetTable(std::move(table));
  return all;
}

Result<std::shared_ptr<const Token>> Tokens::Check(std::string_view text) const {
  const std::optional<TokenText> said = TokenText::Parse(text);
  if (!said) {
    return Unknown("TOKEN_MALFORMED", "this is no token of Millrace: they look like mr_ID_SECRET; copy it as a whole");
  }
  const std::shared_ptr<const Table> known = table();
  auto found = known->find(said->id);
  // The same words for both, so nobody learns which ids there are.
  if (found == known->end() || !IsSecretOf(said->secret, *found->second)) {
    return Unknown("TOKEN_UNKNOWN", "this daemon does not know the token, or it was revoked; ask its operator for one");
  }
  if (found->second->expires && *found->second->expires <= clock_.Wall()) {
    return Unknown("TOKEN_EXPIRED",
                   "the token '" + found->second->name + "' has expired; ask the operator for a new one");
  }
  return found->second;
}

Result<NewToken> Tokens::Create(const TokenRequest& request) {
  MR_RETURN_IF_ERROR(CheckTokenName(request.name));
  if (request.roles.empty()) {
    return InvalidArgument("BAD_ROLE",
                           "a token without a role is good for nothing; name view, submit, work, operate "
                           "or admin")
        .Field("roles");
  }
  const WallTime now = clock_.Wall();
  if (request.expires && *request.expires <= now) {
    return InvalidArgument("BAD_EXPIRY", "the token would have expired already; give a later time").Field("expires");
  }
  ThreadGuard guard(mutex_);
  Table next = *table();
  if (next.size() >= kTokensMax) {
    return ResourceExhausted("TOO_MANY_TOKENS", "there are " + std::to_string(next.size()) +
                                                    " tokens, which is the most; revoke those that nobody uses")
        .With("tokens", static_cast<int64_t>(next.size()));
  }
  Result<NewToken> made = MakeToken(
      {.id = ids_.Next(), .name = request.name, .roles = request.roles, .created = now, .expires = request.expires});
  if (!made.ok()) return made.status();
  next[made->token.id] = std::make_shared<const Token>(made->token);
  MR_RETURN_IF_ERROR(Replace(std::move(next)));
  return made;
}

Status Tokens::Revoke(const Id& id) {
  ThreadGuard guard(mutex_);
  Table next = *table();
  if (next.erase(id) == 0) {
    return NotFound("TOKEN_NOT_FOUND",
                    "there is no token " + id.ToString() + "; those that are there: millrace token list")
        .Field("id")
        .With("token", id.ToString());
  }
  return Replace(std::move(next));
}

std::vector<Token> Tokens::List() const { return InOrder(*table()); }

std::vector<Token> Tokens::InOrder(const Table& table) {
  std::vector<Token> tokens;
  for (const auto& [id, token] : table) tokens.push_back(*token);
  std::sort(tokens.begin(), tokens.end(), [](const Token& a, const Token& b) { return a.id < b.id; });
  return tokens;
}

Status Tokens::Replace(Table next) {
  if (const FileError failed = ReplaceFile(path_, PrintTokens(InOrder(next))); !failed.ok()) {
    return Unavailable("TOKENS_NOT_WRITTEN", failed.what + ": " + strerror(failed.error) + "; nothing was changed")
        .With("file", path_);
  }
  SetTable(std::move(next));
  return OkStatus();
}

}  // namespace millrace::access
