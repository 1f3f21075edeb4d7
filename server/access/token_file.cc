#include "access/token_file.h"

#include <charconv>
#include <chrono>
#include <optional>
#include <set>
#include <utility>

namespace millrace::access {

namespace {

constexpr std::string_view kHead = "millrace tokens 1";
// WallTime ends in the year 2262.
constexpr int64_t kMillisecondsMax =
    std::chrono::floor<std::chrono::milliseconds>(WallTime::max().time_since_epoch()).count();

int64_t MillisecondsOf(WallTime time) {
  return std::chrono::floor<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

std::optional<WallTime> TimeOf(std::string_view text) {
  int64_t milliseconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), milliseconds);
  if (error != std::errc() || end != text.data() + text.size() || milliseconds < 0 || milliseconds > kMillisecondsMax) {
    return std::nullopt;
  }
  return WallTime(std::chrono::milliseconds(milliseconds));
}

// The value of "KEY=VALUE ", which is cut off. nullopt: something else stands there.
std::optional<std::string_view> Take(std::string_view key, std::string_view* line) {
  if (!line->starts_with(key) || line->size() <= key.size() || (*line)[key.size()] != '=') return std::nullopt;
  const size_t end = line->find(' ');
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view value = line->substr(key.size() + 1, end - key.size() - 1);
  line->remove_prefix(end + 1);
  return value;
}

std::optional<Token> ParseLine(std::string_view line) {
  const size_t end = line.find(' ');
  if (end == std::string_view::npos) return std::nullopt;
  const std::optional<Id> id = Id::Parse(line.substr(0, end));
  line.remove_prefix(end + 1);
  const std::optional<std::string_view> roles = Take("roles", &line), created = Take("created", &line);
  if (!id || !roles || !created) return std::nullopt;
  Result<Roles> allowed = Roles::Parse(*roles);
  const std::optional<WallTime> made = TimeOf(*created);
  if (!allowed.ok() || !made) return std::nullopt;
  Token token{.id = *id, .name = {}, .roles = *allowed, .created = *made, .expires = {}};
  if (const std::optional<std::string_view> expires = Take("expires", &line)) {
    token.expires = TimeOf(*expires);
    if (!token.expires) return std::nullopt;
  }
  const std::optional<std::string_view> digits = Take("hash", &line);
  const std::optional<Hash> hash = digits ? FromHex(*digits) : std::nullopt;
  constexpr std::string_view kName = "name=";
  if (!hash || !line.starts_with(kName)) return std::nullopt;
  token.hash = *hash;
  token.name = line.substr(kName.size());
  if (!CheckTokenName(token.name).ok()) return std::nullopt;
  return token;
}

Status Unreadable(const std::string& path, size_t line, const std::string& why) {
  return FailedPrecondition("TOKENS_UNREADABLE", "the file " + path + ", line " + std::to_string(line) + ": " + why +
                                                     "; restore it from a copy, or remove it and make new tokens")
      .With("file", path)
      .With("line", static_cast<int64_t>(line));
}

}  // namespace

std::string PrintTokens(const std::vector<Token>& tokens) {
  std::string text = std::string(kHead) + "\n";
  for (const Token& token : tokens) {
    text += token.id.ToString() + " roles=" + token.roles.ToString() +
            " created=" + std::to_string(MillisecondsOf(token.created));
    if (token.expires) text += " expires=" + std::to_string(MillisecondsOf(*token.expires));
    text += " hash=" + ToHex(token.hash) + " name=" + token.name + "\n";
  }
  return text;
}

Result<std::vector<Token>> ParseTokens(std::string_view text, const std::string& path) {
  std::vector<Token> tokens;
  std::set<Id> ids;
  size_t number = 0;
  while (!text.empty() || number == 0) {
    ++number;
    const size_t end = text.find('\n');
    if (end == std::string_view::npos) return Unreadable(path, number, "its end is missing");
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end + 1);
    if (number == 1) {
      if (line != kHead) return Unreadable(path, number, "it does not begin as this version writes it");
      continue;
    }
    std::optional<Token> token = ParseLine(line);
    if (!token) return Unreadable(path, number, "it is no token as this version writes them");
    if (!ids.insert(token->id).second) return Unreadable(path, number, "its token is in the file twice");
    tokens.push_back(*std::move(token));
  }
  return tokens;
}

}  // namespace millrace::access
