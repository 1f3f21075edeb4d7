#include "client/cli/submit_request.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

#include <cstdio>
#include <fstream>
#include <functional>

namespace millrace::cli {
namespace {

using namespace std::chrono_literals;

std::string ErrorOf(const std::function<void(SubmitArguments&)>& change) {
  SubmitArguments arguments{.kind = "echo"};
  change(arguments);
  const auto request = MakeRequest(arguments);
  return request.ok() ? "OK" : request.status().message();
}

TEST(MakeRequest, FillsTheSpec) {
  const auto request = MakeRequest({.kind = "resize",
                                    .pool = "thumbs",
                                    .payload = "x",
                                    .band = "High",
                                    .delay = "90s",
                                    .run_timeout = "2m",
                                    .deadline = "1h",
                                    .max_attempts = 3,
                                    .once = true,
                                    .labels = {"team=web", "note=a=b", "empty="},
                                    .require = {"gpu=a100", "zone=b"},
                                    .prefer = {"worker=host/7"},
                                    .request_id = "r1",
                                    .unique_key = "nightly",
                                    .unique_scope = "queued",
                                    .unique_reject = true});
  ASSERT_TRUE(request.ok()) << request.status().ToString();
  const v1::JobSpec& spec = request->spec();
  EXPECT_EQ(spec.kind(), "resize");
  EXPECT_EQ(spec.pool(), "thumbs");
  EXPECT_EQ(spec.payload(), "x");
  EXPECT_EQ(spec.band(), v1::BAND_HIGH);
  EXPECT_EQ(FromProto(spec.delay()), 90s);
  EXPECT_EQ(FromProto(spec.run_timeout()), 2min);
  EXPECT_EQ(FromProto(spec.deadline_after()), 1h);
  EXPECT_FALSE(spec.has_deadline());
  EXPECT_EQ(spec.retry().max_attempts(), 3);
  EXPECT_TRUE(spec.no_retry_after_start());
  EXPECT_EQ(spec.labels().at("note"), "a=b");
  EXPECT_EQ(spec.labels().at("empty"), "");
  EXPECT_EQ(spec.placement().require_size(), 2);
  EXPECT_EQ(spec.placement().require().at("gpu"), "a100");
  EXPECT_EQ(spec.placement().prefer_size(), 1);
  EXPECT_EQ(spec.placement().prefer().at("worker"), "host/7");
  EXPECT_EQ(request->request_id(), "r1");
  EXPECT_EQ(spec.unique_key().key(), "nightly");
  EXPECT_EQ(spec.unique_key().scope(), v1::UniqueKey::SCOPE_WHILE_QUEUED);
  EXPECT_EQ(spec.unique_key().on_taken(), v1::UniqueKey::ON_TAKEN_REJECT);
}

TEST(MakeRequest, LeavesOutWhatWasNotSaid) {
  const auto request = MakeRequest({.kind = "echo"});
  ASSERT_TRUE(request.ok());
  EXPECT_FALSE(request->spec().has_delay());
  EXPECT_FALSE(request->spec().has_retry());
  EXPECT_FALSE(request->spec().has_unique_key());
  EXPECT_FALSE(request->spec().has_placement());
  EXPECT_EQ(request->spec().band(), v1::BAND_UNSPECIFIED);
}

TEST(MakeRequest, WaitsForRoomOnlyWhenThereAreManyJobs) {
  EXPECT_EQ(MakeRequest({.kind = "echo"})->on_full(), v1::ON_FULL_REJECT);
  EXPECT_EQ(MakeRequest({.kind = "echo", .count = 5})->on_full(), v1::ON_FULL_WAIT);
  EXPECT_EQ(MakeRequest({.kind = "echo", .files = {"a", "b"}})->on_full(), v1::ON_FULL_WAIT);
  EXPECT_EQ(MakeRequest({.kind = "echo", .on_full = "wait"})->on_full(), v1::ON_FULL_WAIT);
}

TEST(MakeRequest, NamesTheOptionAtFault) {
  EXPECT_EQ(ErrorOf([](auto& a) { a.band = "top"; }), "--band: 'top' is not critical, high, normal or low");
  EXPECT_EQ(ErrorOf([](auto& a) { a.band = "band_unspecified"; }),
            "--band: 'band_unspecified' is not critical, high, normal or low");
  EXPECT_EQ(ErrorOf([](auto& a) { a.delay = "soon"; }), "--delay: 'soon' is not a time like 500ms, 30s, 5m or 2h");
  EXPECT_EQ(ErrorOf([](auto& a) { a.run_at = "noon"; }),
            "--run-at: 'noon' is not a time like 2026-01-31T12:00:00Z, from 1970 to 2255");
  EXPECT_EQ(ErrorOf([](auto& a) { a.run_timeout = "0s"; }),
            "--run-timeout: '0s' is not a time like 500ms, 30s, 5m or 2h");
  EXPECT_EQ(ErrorOf([](auto& a) { a.labels = {"=x"}; }), "--label: '=x' is not NAME=VALUE");
  EXPECT_EQ(ErrorOf([](auto& a) { a.require = {"gpu"}; }), "--require: 'gpu' is not NAME=VALUE");
  EXPECT_EQ(ErrorOf([](auto& a) { a.prefer = {"=x"}; }), "--prefer: '=x' is not NAME=VALUE");
  EXPECT_EQ(ErrorOf([](auto& a) {
              a.require = {"gpu=a", "gpu=b"};
            }),
            "--require: 'gpu' is given twice, and a label has one value");
  EXPECT_EQ(ErrorOf([](auto& a) { a.on_full = "drop"; }), "--on-full: 'drop' is not wait or reject");
  EXPECT_EQ(ErrorOf([](auto& a) { a.unique_key = "k", a.unique_scope = "running"; }),
            "--unique-scope: 'running' is not queued or unfinished");
  EXPECT_EQ(ErrorOf([](auto& a) { a.count = 0; }), "--count: '0' is not at least 1");
}

TEST(MakeRequest, RefusesWhatContradictsItself) {
  EXPECT_NE(ErrorOf([](auto& a) { a.delay = "1s", a.run_at = "2026-01-31T12:00:00Z"; }), "OK");
  EXPECT_NE(ErrorOf([](auto& a) { a.unique_scope = "queued"; }), "OK");
  EXPECT_NE(ErrorOf([](auto& a) { a.unique_reject = true; }), "OK");
  EXPECT_NE(ErrorOf([](auto& a) { a.payload = "x", a.files = {"f"}; }), "OK");
  EXPECT_NE(ErrorOf([](auto& a) { a.count = 2, a.request_id = "r"; }), "OK");
  EXPECT_NE(ErrorOf([](auto& a) { a.count = 2, a.files = {"f", "g"}; }), "OK");
  EXPECT_EQ(ErrorOf([](auto& a) { a.count = 2, a.files = {"f"}; }), "OK");
}

TEST(ReadFile, GivesEveryByteOrTheReason) {
  const std::string path = testing::TempDir() + "/millrace_read_file";
  const std::string bytes("a\0b\n", 4);
  std::ofstream(path, std::ios::binary) << bytes;
  const auto read = ReadFile(path);
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(*read, bytes);
  std::remove(path.c_str());

  const auto missing = ReadFile(path);
  EXPECT_EQ(missing.status().reason(), "UNREADABLE");
  EXPECT_EQ(missing.status().message(), "cannot read " + path + ": No such file or directory");
  EXPECT_EQ(ReadFile(testing::TempDir()).status().reason(), "UNREADABLE") << "a folder";
}

TEST(FilesOf, AddsTheLinesOfTheList) {
  const std::string path = testing::TempDir() + "/millrace_files_from";
  std::ofstream(path) << "one\n\ntwo with spaces\nthree";
  const auto files = FilesOf({.files = {"zero"}, .files_from = path});
  ASSERT_TRUE(files.ok());
  EXPECT_EQ(*files, (std::vector<std::string>{"zero", "one", "two with spaces", "three"}));
  std::remove(path.c_str());
}

class FilesOfTest : public ::testing::Test {
 protected:
  std::vector<std::string> Files(const std::string& text) {
    std::ofstream(path_, std::ios::binary) << text;
    const auto files = FilesOf({.files_from = path_});
    return files.ok() ? *files : std::vector<std::string>{files.status().message()};
  }
  ~FilesOfTest() override { std::remove(path_.c_str()); }
  const std::string path_ = ::testing::TempDir() + "/files-" + std::to_string(getpid());
};

TEST_F(FilesOfTest, ReadsTheListsOfOtherSystems) {
  const std::vector<std::string> wanted = {"a", "b c"};
  EXPECT_EQ(Files("a\nb c\n"), wanted);
  EXPECT_EQ(Files("a\r\n\r\nb c\r\n"), wanted);
  EXPECT_EQ(Files("\xef\xbb\xbf"
                  "a\nb c"),
            wanted);
  EXPECT_NE(Files(std::string("\xff\xfe"
                              "a\0\n\0",
                              6))
                .at(0)
                .find("UTF-16"),
            std::string::npos);
}

TEST_F(FilesOfTest, AFileThatNoRequestHoldsIsRefusedBeforeItIsRead) {
  std::ofstream(path_, std::ios::binary) << "x";
  std::filesystem::resize_file(path_, uint64_t{1} << 40);  // All of it a hole.
  const auto bytes = ReadFile(path_);
  EXPECT_EQ(bytes.status().reason(), "PAYLOAD_TOO_LARGE");
  EXPECT_EQ(bytes.status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(ReadFile("/dev/zero").status().reason(), "PAYLOAD_TOO_LARGE");
}

}  // namespace
}  // namespace millrace::cli
