// Token: a secret that tells who calls. Whoever sends its text is its bearer; the daemon keeps only the secret's hash.
//
//   Text      "mr_ID_SECRET": 26 characters of an id, which is no secret, and 64 hexadecimal digits. The prefix lets
//             scanners of leaked secrets find it.
//   Hash      SHA-256 of the secret's 32 random bytes. A slow hash as for passwords would add nothing, since nobody can
//             guess one of 2^256, and would cost each call milliseconds.
//   Compare   In constant time, so that how long a refusal takes says nothing of the secret.
//   Threads   Values.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "access/role.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/status.h"

namespace millrace::access {

inline constexpr size_t kSecretBytes = 32;
inline constexpr size_t kTokenNameBytesMax = 128;
using Hash = std::array<uint8_t, kSecretBytes>;

struct Token {
  Id id;
  std::string name;  // For people. 1 to 128 bytes without control characters.
  Roles roles;
  WallTime created{};
  std::optional<WallTime> expires;
  Hash hash{};
};

struct NewToken {
  Token token;
  std::string text;  // Told once, and kept nowhere.
};

// The two parts of a token's text. nullopt: it is no text of a token.
struct TokenText {
  Id id;
  std::array<uint8_t, kSecretBytes> secret;
  static std::optional<TokenText> Parse(std::string_view text);
};

// `token` is filled in but for its hash. INTERNAL NO_RANDOMNESS.
Result<NewToken> MakeToken(Token token);

// INVALID_ARGUMENT BAD_TOKEN_NAME.
Status CheckTokenName(std::string_view name);

bool IsSecretOf(const std::array<uint8_t, kSecretBytes>& secret, const Token& token);

// "0aff": two digits for each byte.
std::string ToHex(const Hash& bytes);
std::optional<Hash> FromHex(std::string_view text);  // Lower case; nullopt: not 64 digits.

}  // namespace millrace::access
