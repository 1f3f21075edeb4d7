#include "rpc/token_door.h"

#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "grpc/health/v1/health.grpc.pb.h"
#include "tests/rpc/raw_call.h"
#include "tests/support/temp_folder.h"

namespace millrace::rpc {
namespace {

using access::NewToken;
using test::Brief;
using test::Daemon;
using test::RawStream;

// "millrace.v1.JobService/GetJob" for each row of the table.
std::string FullName(const MethodInfo& method) {
  const std::string name = method.name;
  return (name.starts_with("Health/") ? "/grpc.health.v1." : "/millrace.v1.") + name;
}

class TokenDoorTest : public testing::Test {
 protected:
  std::string Make(access::Roles roles, std::optional<WallTime> expires = {}) {
    Result<NewToken> made = tokens->Create({.name = "t", .roles = roles, .expires = expires});
    MR_CHECK(made.ok(), "%s", made.status().ToString().c_str());
    return made->text;
  }
  // How a call ends whose request is garbage: where it is let in, that is found out.
  std::string Call(const MethodInfo& method, const RawStream::Metadata& metadata) {
    RawStream call(d.channel, FullName(method), metadata);
    call.Write(std::string("\x0a\xff\xff\xff", 4));
    call.WritesDone();
    std::string answer;
    while (call.Read(&answer)) {
    }
    return Brief(call.Finish());
  }
  static RawStream::Metadata Bearer(const std::string& text) { return {{"authorization", "Bearer " + text}}; }

  test::TempFolder folder;
  ManualClock clock;
  std::unique_ptr<access::Tokens> tokens = *access::Tokens::Open(folder / "tokens", clock);
  Daemon d{{.server = {.door = TokenDoor(*tokens)}}};
};

TEST_F(TokenDoorTest, EachRpcAsksForItsRole) {
  const access::Role roles[] = {access::Role::kView, access::Role::kSubmit, access::Role::kWork, access::Role::kOperate,
                                access::Role::kAdmin};
  for (const access::Role role : roles) {
    const std::string text = Make({role});
    for (const MethodInfo& method : kMethodTable) {
      if (method.method == Method::kWatchHealth) continue;  // It would last.
      const std::string answer = Call(method, Bearer(text));
      const bool allowed = access::Roles({role}).Allow(method.role);
      EXPECT_EQ(answer == "PERMISSION_DENIED ROLE_MISSING", !allowed) << ToString(role) << " " << method.name << answer;
      EXPECT_EQ(answer.find("UNAUTHENTICATED"), std::string::npos) << method.name << answer;
    }
  }
}

TEST_F(TokenDoorTest, WithoutAGoodTokenOnlyHealthIsToldToAnybody) {
  const std::string good = Make({access::Role::kAdmin}),
                    expired = Make({access::Role::kAdmin}, clock.Wall() + Nanos(1));
  const std::string revoked = Make({access::Role::kAdmin});
  ASSERT_TRUE(tokens->Revoke(access::TokenText::Parse(revoked)->id).ok());
  clock.Advance(Nanos(1));
  struct Row {
    RawStream::Metadata metadata;
    const char* answer;
  };
  const Row rows[] = {
      {{}, "UNAUTHENTICATED TOKEN_MISSING"},
      {{{"authorization", good}}, "UNAUTHENTICATED TOKEN_MALFORMED"},
      {{{"authorization", "Basic " + good}}, "UNAUTHENTICATED TOKEN_MALFORMED"},
      {{{"authorization", "Bearer "}}, "UNAUTHENTICATED TOKEN_MALFORMED"},
      {{{"authorization", "Bearer  " + good}}, "UNAUTHENTICATED TOKEN_MALFORMED"},
      {{{"authorization", "Bearer " + good}, {"authorization", "Bearer " + good}}, "UNAUTHENTICATED TOKEN_MALFORMED"},
      {Bearer(good.substr(0, good.size() - 1)), "UNAUTHENTICATED TOKEN_MALFORMED"},
      {Bearer(revoked), "UNAUTHENTICATED TOKEN_UNKNOWN"},
      {Bearer(expired), "UNAUTHENTICATED TOKEN_EXPIRED"},
  };
  for (const Row& row : rows) {
    for (const MethodInfo& method : kMethodTable) {
      if (method.method == Method::kWatchHealth) continue;
      if (method.role == Role::kNone) {
        EXPECT_EQ(Call(method, row.metadata).find("UNAUTHENTICATED"), std::string::npos);
      } else {
        EXPECT_EQ(Call(method, row.metadata), row.answer) << method.name;
      }
    }
  }
}

TEST_F(TokenDoorTest, TheSchemeIsComparedWithoutCase) {
  v1::ListPoolsResponse pools;
  for (const char* scheme : {"bearer ", "BEARER ", "Bearer "}) {
    grpc::ClientContext context;
    context.AddMetadata("authorization", scheme + Make({access::Role::kView}));
    EXPECT_TRUE(d.pools->ListPools(&context, {}, &pools).ok());
  }
}

TEST_F(TokenDoorTest, ARefusalNamesTheRoleAndNotTheToken) {
  const std::string text = Make({access::Role::kWork});
  grpc::ClientContext context;
  context.AddMetadata("authorization", "Bearer " + text);
  v1::ListPoolsResponse pools;
  const grpc::Status refused = d.pools->ListPools(&context, {}, &pools);
  EXPECT_EQ(Brief(refused), "PERMISSION_DENIED ROLE_MISSING");
  EXPECT_NE(refused.error_message().find("'view'"), std::string::npos);
  EXPECT_EQ((refused.error_message() + refused.error_details()).find(text.substr(30)), std::string::npos);
}

TEST_F(TokenDoorTest, ATokenThatIsRevokedIsRefusedWithTheNextCall) {
  const std::string text = Make({access::Role::kView});
  const auto list = [&] {
    grpc::ClientContext context;
    context.AddMetadata("authorization", "Bearer " + text);
    v1::ListPoolsResponse pools;
    return Brief(d.pools->ListPools(&context, {}, &pools));
  };
  EXPECT_EQ(list(), "OK");
  ASSERT_TRUE(tokens->Revoke(access::TokenText::Parse(text)->id).ok());
  EXPECT_EQ(list(), "UNAUTHENTICATED TOKEN_UNKNOWN");
}

}  // namespace
}  // namespace millrace::rpc
