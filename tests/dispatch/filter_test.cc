#include "dispatch/filter.h"

#include <gtest/gtest.h>

#include "base/rfc3339.h"

namespace millrace::dispatch {
namespace {

const Labels kLabels = {{"team", "a b"}, {"app.kubernetes.io-name", "x"}};

Filter::Subject Subject() {
  return {"thumbs", "resize", Band::kHigh, JobState::kQueued, &kLabels, *ParseRfc3339("2026-03-01T12:00:00Z")};
}

bool Matches(std::string_view text) {
  Result<Filter> filter = Filter::Parse(text);
  EXPECT_TRUE(filter.ok()) << text << ": " << filter.status().ToString();
  return filter.ok() && filter->Matches(Subject());
}

TEST(Filter, MatchesByEachField) {
  for (const char* text :
       {"", "  ", "pool = \"thumbs\"", "pool=thumbs", "kind = resize AND pool = thumbs", "band = HIGH", "band = high",
        "state = QUEUED", "state != RUNNING", "labels.team = \"a b\"", "labels.team != c", "labels.none = \"\"",
        "labels.none != x", "labels.app.kubernetes.io-name = x", "create_time >= \"2026-03-01T12:00:00Z\"",
        "create_time <= 2026-03-01T12:00:00Z", "create_time < \"2026-03-01T13:30:00+01:00\"",
        "create_time > \"2026-03-01T11:59:59.999Z\""}) {
    EXPECT_TRUE(Matches(text)) << text;
  }
  for (const char* text : {"pool = other", "pool != thumbs", "kind = resize AND pool = x", "band = LOW", "band != HIGH",
                           "state = RUNNING", "labels.team = a", "labels.none = x",
                           "create_time > \"2026-03-01T12:00:00Z\"", "create_time < \"2026-03-01T12:00:00Z\""}) {
    EXPECT_FALSE(Matches(text)) << text;
  }
}

TEST(Filter, QuotesMayHoldAnything) {
  Labels labels = {{"x", "say \"AND\" \\ ok"}};
  Filter::Subject job = Subject();
  job.labels = &labels;
  EXPECT_TRUE(Filter::Parse(R"(labels.x = "say \"AND\" \\ ok")")->Matches(job));
  job.labels = nullptr;
  EXPECT_TRUE(Filter::Parse(R"(labels.x = "")")->Matches(job));
}

TEST(Filter, TellsWhereAndWhatIsWrong) {
  struct Case {
    const char* text;
    int position;
    const char* says;
  };
  for (const Case& c : std::initializer_list<Case>{
           {"name = x", 1, "found 'name' where a field was expected; fields are pool, kind"},
           {"labels. = x", 1, "where a field was expected"},
           {"= x", 1, "found '=' where a field"},
           {"pool", 5, "found the end after pool, which compares with = or !="},
           {"pool > x", 6, "found '>' after pool"},
           {"pool == x", 6, "found '==' after pool"},
           {"create_time = x", 13, "which compares with <, <=, > or >="},
           {"pool = ", 8, "found the end where a value for pool"},
           {"pool = AND", 11, ""},
           {"pool = x OR kind = y", 10, "found 'OR' where AND or the end"},
           {"pool = x and kind = y", 10, "joined by AND only"},
           {"pool = x AND", 13, "found the end where a field"},
           {"pool = x AND AND kind = y", 14, "found 'AND' where a field"},
           {"(pool = x)", 1, "found '(' where a field"},
           {"pool = (x)", 8, "found '(' where a value"},
           {"pool = \"x", 8, "the quote that opens here is not closed"},
           {"pool = \"x\\", 8, "the quote that opens here is not closed"},
           {"pool = \"x\\n\"", 11, "only \\\" and \\\\ may follow a backslash"},
           {"state = DONE", 9, "'DONE' is no state; states are SCHEDULED"},
           {"band = 1", 8, "'1' is no band; bands are CRITICAL"},
           {"create_time > yesterday", 15, "'yesterday' is no time; write it as"},
           {"create_time > \"2026-02-30T00:00:00Z\"", 15, "is no time"},
           {"pool = x; drop", 9, "found ';' where AND"},
           {"pool = \x01", 8, "where a value"},
       }) {
    Result<Filter> filter = Filter::Parse(c.text);
    if (std::string_view(c.says).empty()) {
      EXPECT_TRUE(filter.ok()) << "a word is a value even when it looks like an operator: " << c.text;
      continue;
    }
    ASSERT_FALSE(filter.ok()) << c.text;
    EXPECT_EQ(filter.status().reason(), "BAD_FILTER");
    EXPECT_EQ(filter.status().field(), "filter");
    EXPECT_EQ(filter.status().metadata().at("position"), std::to_string(c.position)) << c.text;
    EXPECT_NE(filter.status().message().find(c.says), std::string::npos) << filter.status().message();
  }
  EXPECT_EQ(Filter::Parse(std::string(kFilterBytesMax + 1, ' ')).status().reason(), "BAD_FILTER");
}

TEST(Filter, KnowsWhetherItIsEmptyAndAboutTime) {
  EXPECT_TRUE(Filter::Parse("")->empty());
  EXPECT_FALSE(Filter::Parse("pool = x")->empty());
  EXPECT_FALSE(Filter::Parse("pool = x")->uses_create_time());
  EXPECT_TRUE(Filter::Parse("create_time > 2026-01-01T00:00:00Z")->uses_create_time());
}

TEST(Filter, MatchesEventsByTheirOwnState) {
  JobEvent event;
  event.pool = "thumbs";
  event.kind = "resize";
  event.state = JobState::kRunning;
  EXPECT_TRUE(Filter::Parse("state = RUNNING AND pool = thumbs AND labels.x = \"\"")->Matches(event));
  EXPECT_FALSE(Filter::Parse("state = QUEUED")->Matches(event));
  event.type = EventType::kGap;
  EXPECT_TRUE(Filter::Parse("state = QUEUED")->Matches(event));
}

}  // namespace
}  // namespace millrace::dispatch
