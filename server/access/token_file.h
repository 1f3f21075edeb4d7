// The text of a token file: the tokens of a daemon, without their secrets.
//
//   Form      A head, and a line for each token. It is written as a whole and by this daemon only:
//               millrace tokens 1
//               01JQ... roles=submit,view created=1764547200000 expires=1796083200000 hash=4be1... name=build server
//             Times are Unix milliseconds; `expires` may be missing; the name is the rest of the line.
//   Safety    A file that is not as this version writes it is refused as a whole, with its line: else a token that was
//             revoked, or one that may do little, could come out of a damaged file as another one.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "access/token.h"
#include "base/status.h"

namespace millrace::access {

std::string PrintTokens(const std::vector<Token>& tokens);
// FAILED_PRECONDITION TOKENS_UNREADABLE.
Result<std::vector<Token>> ParseTokens(std::string_view text, const std::string& path);

}  // namespace millrace::access
