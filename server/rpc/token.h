// Opaque tokens that a client hands back: where a listing goes on, where a watch goes on.
//
//   Form      Web-safe base64 of a version byte and fixed-width big-endian numbers. Not secret, not signed: a forged
//             token can only name a place that its bearer may read anyway.
//   Safety    What is no token made here is INVALID_ARGUMENT; it is never a crash, and never the page of another query.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/id.h"
#include "base/status.h"
#include "rpc/view.h"

namespace millrace::rpc {

// What a listing asked for. A token is good only for the query it came from.
struct PageQuery {
  std::string_view filter;
  bool newest_first = false;
  View view = View::kBasic;
};

// The page after the job `last`.
std::string MakePageToken(const PageQuery& query, const Id& last);
// PAGE_TOKEN_MALFORMED, or PAGE_TOKEN_MISMATCH when the token is from another query.
Result<Id> ParsePageToken(const PageQuery& query, std::string_view token);

// The place after the event `sequence`.
std::string MakeResumeToken(uint64_t sequence);
// RESUME_TOKEN_MALFORMED.
Result<uint64_t> ParseResumeToken(std::string_view token);

}  // namespace millrace::rpc
