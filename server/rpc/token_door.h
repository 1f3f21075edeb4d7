// TokenDoor: the Door of a daemon that asks its callers for tokens. A call says "authorization: Bearer mr_ID_SECRET" in
// its metadata, and may do what the token's roles allow (access/role.h).
//
//   Refuses   UNAUTHENTICATED TOKEN_MISSING, TOKEN_MALFORMED (also for two of them), TOKEN_UNKNOWN, TOKEN_EXPIRED;
//             PERMISSION_DENIED ROLE_MISSING, with the role that the method asks for. No message repeats the token.
//   Lets in   Without a token only what asks for no role: health. Reflection, which is gRPC's own and shows nothing but
//             the protos, does not come by.
//   When      A call is asked once, as it comes. A stream that was let in goes on when its token is revoked or expires.
//   Threads   As Door.
#pragma once

#include "access/tokens.h"
#include "rpc/door.h"

namespace millrace::rpc {

// `tokens` outlives the door.
Door TokenDoor(const access::Tokens& tokens);

}  // namespace millrace::rpc
