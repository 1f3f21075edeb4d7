#include "access/token.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace millrace::access {

namespace {

constexpr std::string_view kPrefix = "mr_";
constexpr size_t kIdChars = 26;

Hash HashOf(const std::array<uint8_t, kSecretBytes>& secret) {
  Hash hash;
  unsigned size = 0;
  const int done = EVP_Digest(secret.data(), secret.size(), hash.data(), &size, EVP_sha256(), nullptr);
  MR_CHECK(done == 1 && size == hash.size(), "OpenSSL has no SHA-256");
  return hash;
}

}  // namespace

std::string ToHex(const Hash& bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const uint8_t byte : bytes) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

std::optional<Hash> FromHex(std::string_view text) {
  Hash bytes;
  if (text.size() != 2 * bytes.size()) return std::nullopt;
  const auto digit = [](char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; };
  for (size_t i = 0; i < bytes.size(); ++i) {
    const int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    bytes[i] = static_cast<uint8_t>(high << 4 | low);
  }
  return bytes;
}

std::optional<TokenText> TokenText::Parse(std::string_view text) {
  if (!text.starts_with(kPrefix)) return std::nullopt;
  text.remove_prefix(kPrefix.size());
  if (text.size() <= kIdChars || text[kIdChars] != '_') return std::nullopt;
  const std::optional<Id> id = Id::Parse(text.substr(0, kIdChars));
  const std::optional<Hash> secret = FromHex(text.substr(kIdChars + 1));
  if (!id || !secret) return std::nullopt;
  return TokenText{*id, *secret};
}

Result<NewToken> MakeToken(Token token) {
  std::array<uint8_t, kSecretBytes> secret;
  if (RAND_bytes(secret.data(), static_cast<int>(secret.size())) != 1) {
    return Internal("NO_RANDOMNESS", "the system gave no random bytes for a token; try again later");
  }
  token.hash = HashOf(secret);
  std::string text = std::string(kPrefix) + token.id.ToString() + "_" + ToHex(secret);
  OPENSSL_cleanse(secret.data(), secret.size());
  return NewToken{std::move(token), std::move(text)};
}

Status CheckTokenName(std::string_view name) {
  const bool control = std::any_of(name.begin(), name.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) == 0x7f;
  });
  if (!name.empty() && name.size() <= kTokenNameBytesMax && !control) return OkStatus();
  return InvalidArgument("BAD_TOKEN_NAME", "a token's name has 1 to " + std::to_string(kTokenNameBytesMax) +
                                               " bytes and no control characters, this one has " +
                                               std::to_string(name.size()) + " bytes" + (control ? ", and some" : ""))
      .Field("name");
}

bool IsSecretOf(const std::array<uint8_t, kSecretBytes>& secret, const Token& token) {
  const Hash hash = HashOf(secret);
  return CRYPTO_memcmp(hash.data(), token.hash.data(), hash.size()) == 0;
}

}  // namespace millrace::access
