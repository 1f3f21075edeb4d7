#include "dispatch/event_log.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace millrace::dispatch {
namespace {

class CountingListener final : public EventListener {
 public:
  void OnEvents() override { ++calls; }
  int calls = 0;
};

class EventLogTest : public testing::Test {
 protected:
  EventLog::Source source(uint64_t job = 1) { return {{0, job}, &pool_, &kind_, Band::kNormal, 1, labels_}; }
  void State(uint64_t job, JobState state = JobState::kQueued, std::string_view error = "") {
    log_.RecordState(source(job), WallTime{}, state, error);
  }
  std::vector<JobEvent> ReadAll(uint64_t* cursor, const EventListener* reader = nullptr) {
    std::vector<JobEvent> events;
    log_.Read(cursor, 1000, &events, reader);
    return events;
  }

  std::string pool_ = "default", kind_ = "noop";
  std::shared_ptr<const Labels> labels_;
  EventLog log_{4};
};

TEST_F(EventLogTest, AReaderSeesWhatHappensFromNowOn) {
  State(1);
  uint64_t cursor = log_.End();
  State(2, JobState::kFailed, "broken");
  std::vector<JobEvent> events = ReadAll(&cursor);
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].job.low, 2u);
  EXPECT_EQ(events[0].state, JobState::kFailed);
  EXPECT_EQ(events[0].error, "broken");
  EXPECT_EQ(events[0].pool, "default");
  EXPECT_EQ(events[0].sequence + 1, cursor);
  EXPECT_TRUE(ReadAll(&cursor).empty());
}

TEST_F(EventLogTest, ASlowReaderIsToldHowManyItMissed) {
  uint64_t cursor = log_.End();
  for (uint64_t i = 1; i <= 10; ++i) State(i);
  std::vector<JobEvent> events = ReadAll(&cursor);
  ASSERT_EQ(events.size(), 5u);
  EXPECT_EQ(events[0].type, EventType::kGap);
  EXPECT_EQ(events[0].gap, 6);
  EXPECT_EQ(events[0].sequence + 1, events[1].sequence);
  EXPECT_EQ(events[1].job.low, 7u);
  EXPECT_EQ(events[4].job.low, 10u);
}

TEST_F(EventLogTest, ACursorOfAnEarlierRunIsAGapOfUnknownSize) {
  EventLog later(4, 1000);
  later.RecordState(source(), WallTime{}, JobState::kQueued, "");
  for (uint64_t cursor : {uint64_t{7}, uint64_t{9999}}) {
    std::vector<JobEvent> events;
    later.Read(&cursor, 10, &events);
    ASSERT_EQ(events.size(), 2u);
    EXPECT_EQ(events[0].type, EventType::kGap);
    EXPECT_EQ(events[0].gap, 0);
    EXPECT_EQ(cursor, 1001u);
  }
  uint64_t oldest = 0;
  std::vector<JobEvent> events;
  EXPECT_EQ(later.Read(&oldest, 10, &events), 1u) << "0 asks for the oldest, not for a gap";
}

TEST_F(EventLogTest, ReadsInPiecesOfTheSizeAskedFor) {
  uint64_t cursor = log_.End();
  for (uint64_t i = 1; i <= 3; ++i) State(i);
  std::vector<JobEvent> events;
  EXPECT_EQ(log_.Read(&cursor, 2, &events), 2u);
  EXPECT_EQ(log_.Read(&cursor, 2, &events), 1u);
  EXPECT_EQ(events[2].job.low, 3u);
}

TEST_F(EventLogTest, CallsAListenerOncePerEdge) {
  auto listener = std::make_shared<CountingListener>();
  uint64_t cursor = log_.End();
  log_.Subscribe(listener, cursor);
  EXPECT_EQ(listener->calls, 0);
  State(1);
  log_.Notify();
  State(2);
  log_.Notify();
  EXPECT_EQ(listener->calls, 1) << "it has not read yet";
  ReadAll(&cursor, listener.get());
  State(3);
  log_.Notify();
  EXPECT_EQ(listener->calls, 2);
  log_.Unsubscribe(listener.get());
  ReadAll(&cursor, listener.get());
  State(4);
  log_.Notify();
  EXPECT_EQ(listener->calls, 2);
  EXPECT_FALSE(log_.watched());
}

TEST_F(EventLogTest, AListenerThatComesLateIsCalledAtOnce) {
  uint64_t cursor = log_.End();
  State(1);
  auto listener = std::make_shared<CountingListener>();
  log_.Subscribe(listener, cursor);
  EXPECT_EQ(listener->calls, 1);
}

TEST_F(EventLogTest, ProgressShowsTheNewestValueWhenItIsRead) {
  uint64_t cursor = log_.End();
  auto cell = std::make_shared<ProgressCell>();
  cell->value.fraction = 0.1;
  cell->unread = true;
  log_.RecordProgress(source(), WallTime{}, cell);
  cell->value.fraction = 0.9;
  std::vector<JobEvent> events = ReadAll(&cursor);
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].progress.fraction, 0.9);
  EXPECT_FALSE(cell->unread) << "the next value deserves an event again";
}

TEST_F(EventLogTest, TheHistoryIsBoundByBytesToo) {
  EventLog log(1000);
  const std::string chunk(kLogTailBytes, 'x');
  for (size_t i = 0; i < 3 * EventLog::kTextBytesMax / kLogTailBytes; ++i) log.RecordLog(source(), WallTime{}, chunk);
  uint64_t cursor = 0;
  std::vector<JobEvent> events;
  // A reader holds little at a time.
  size_t most = 0;
  while (const size_t read = log.Read(&cursor, 10'000, &events)) most = std::max(most, read);
  EXPECT_LE(most, EventLog::kReadBytesMax / kLogTailBytes);
  EXPECT_LE(events.size(), EventLog::kTextBytesMax / kLogTailBytes);
  EXPECT_GE(events.size(), EventLog::kTextBytesMax / kLogTailBytes * 9 / 10);
  EXPECT_EQ(*events[0].log, chunk);
}

TEST_F(EventLogTest, LabelsTravelWithTheEvent) {
  uint64_t cursor = log_.End();
  labels_ = std::make_shared<const Labels>(Labels{{"team", "a"}});
  State(1);
  EXPECT_EQ(ReadAll(&cursor)[0].labels->at("team"), "a");
}

}  // namespace
}  // namespace millrace::dispatch
