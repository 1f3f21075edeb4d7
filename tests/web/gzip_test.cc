#include "web/gzip.h"

#include <gtest/gtest.h>
#include <zlib.h>

namespace millrace::web {
namespace {

std::string Gunzip(std::string_view packed, size_t room) {
  z_stream stream{};
  EXPECT_EQ(inflateInit2(&stream, 15 + 16), Z_OK);
  std::string text(room, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  stream.next_out = reinterpret_cast<Bytef*>(text.data());
  stream.avail_out = static_cast<uInt>(text.size());
  EXPECT_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END);
  text.resize(stream.total_out);
  inflateEnd(&stream);
  return text;
}

TEST(Gzip, IsTakenByClientsThatAcceptIt) {
  for (const char* header : {"gzip", "GZIP", "deflate, gzip", "gzip;q=0.5", "br;q=1.0 , gzip ; q=0.001", "*", "x-gzip",
                             "identity, *;q=0.1", "gzip, *;q=0"}) {
    EXPECT_TRUE(AcceptsGzip(header)) << header;
  }
  for (const char* header : {"", "identity", "deflate", "gzip;q=0", "gzip;q=0.000", "gzip;q=0, *", "*;q=0", "gzipped",
                             ",,;;", "q=1;gzip", "br"}) {
    EXPECT_FALSE(AcceptsGzip(header)) << header;
  }
}

TEST(Gzip, IsWhatUnpacksToTheText) {
  std::string text;
  for (int i = 0; i < 20'000; ++i) text += "millrace_pool_queue_jobs{pool=\"p" + std::to_string(i) + "\"} 0\n";
  const std::optional<std::string> packed = Gzip(text);
  ASSERT_TRUE(packed.has_value());
  EXPECT_LT(packed->size(), text.size() / 4);
  EXPECT_EQ(Gunzip(*packed, text.size()), text);
  EXPECT_EQ(Gunzip(Gzip("").value(), 1), "");
}

}  // namespace
}  // namespace millrace::web
