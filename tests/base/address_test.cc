#include "base/address.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace millrace {
namespace {

TEST(Address, ReadsIpv4Ipv6AndNames) {
  for (const char* text : {"127.0.0.1:7070", "[::1]:7070", "localhost:0", "0.0.0.0:65535", "db-1.example.org:80"}) {
    auto address = ParseAddress(text);
    ASSERT_TRUE(address.ok()) << address.status().ToString();
    EXPECT_EQ(address->ToString(), text);
  }
  EXPECT_EQ(ParseAddress("[::1]:7070")->host, "::1");
}

TEST(Address, KnowsWhichAreReachableFromThisMachineOnly) {
  for (const char* text : {"127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "localhost:1"}) {
    EXPECT_TRUE(ParseAddress(text)->IsLoopback()) << text;
  }
  for (const char* text : {"0.0.0.0:1", "[::]:1", "10.0.0.1:1", "example.org:1", "127.evil.org:1"}) {
    EXPECT_FALSE(ParseAddress(text)->IsLoopback()) << text;
  }
}

TEST(Address, SaysWhatIsWrongAndWhatIsWanted) {
  struct Case {
    const char* text;
    const char* problem;
  };
  for (const Case& c :
       {Case{"", "the port is missing"}, Case{"7070", "the port is missing"}, Case{":7070", "the host is missing"},
        Case{"localhost:", "the port must be a number"}, Case{"localhost:http", "the port must be a number"},
        Case{"localhost:65536", "the port must be a number"}, Case{"localhost:-1", "the port must be a number"},
        Case{"::1:7070", "goes in brackets"}, Case{"[zz]:7070", "not an IPv6 address"}, Case{"1.2.3.4.5:1", "neither"},
        Case{"a b:1", "neither"}, Case{"1.2.3.4,2:1", "neither"}}) {
    auto address = ParseAddress(c.text);
    ASSERT_FALSE(address.ok()) << c.text;
    EXPECT_EQ(address.status().reason(), "BAD_ADDRESS");
    EXPECT_THAT(address.status().message(), ::testing::HasSubstr(c.problem));
    EXPECT_THAT(address.status().message(), ::testing::HasSubstr("write HOST:PORT"));
  }
}

}  // namespace
}  // namespace millrace
