#include "client/cli/submit_many.h"

#include <atomic>
#include <cstdio>
#include <map>
#include <mutex>
#include <utility>

#include "client/cli/follow.h"
#include "client/cli/job_report.h"
#include "client/cli/progress.h"
#include "client/submit_stream.h"

namespace millrace::cli {
namespace {

// Whether every other job would be refused for the same reason, so that it is of no use to go on.
bool IsGeneral(const Status& status) {
  switch (status.code()) {
    case StatusCode::kNotFound:
    case StatusCode::kUnavailable:
    case StatusCode::kDeadlineExceeded:
    case StatusCode::kCancelled:
    case StatusCode::kPermissionDenied:
    case StatusCode::kUnauthenticated:
      return true;
    default:
      return false;
  }
}

class ManySubmits {
 public:
  ManySubmits(Session& session, const SubmitArguments& arguments, size_t total)
      : session_(session),
        wait_(arguments.wait),
        progress_(wait_ ? "finishing" : "submitting", static_cast<int64_t>(total)),
        report_(session.json(), wait_, progress_),
        follower_(
            session.client(), [this](size_t index, const Result<v1::Job>& job) { OnFinished(index, job); },
            v1::JOB_VIEW_RESULT, session.stop()),
        stream_(session.client(),
                [this](int64_t sequence, const Result<v1::SubmitJobResponse>& answer) { OnAnswer(sequence, answer); },
                {.window = arguments.window, .deadline = session.TimeLeft(), .stop = session.stop()}) {}

  // `file` may be empty. False: it is of no use to try the rest.
  bool Submit(size_t index, const v1::SubmitJobRequest& request, const std::string& file) {
    v1::SubmitJobRequest each = request;
    if (!file.empty()) {
      Result<std::string> bytes = ReadFile(file);
      if (!bytes.ok()) {
        report_.Refused(index, file, bytes.status());
        Step();
        return true;
      }
      each.mutable_spec()->set_payload(std::move(*bytes));
    }
    {
      // Sequences count the submits, which are made by this thread only, so the next one is known before its answer can
      // come.
      std::lock_guard lock(mutex_);
      items_[index].file = file;
      index_of_sequence_.push_back(index);
    }
    const Result<int64_t> sequence = stream_.Submit(std::move(each));
    std::lock_guard lock(mutex_);
    if (!sequence.ok()) {
      items_.erase(index);
      if (general_.ok()) general_ = sequence.status();
    }
    return general_.ok();
  }

  ExitCode Finish(const v1::JobSpec& spec) {
    const Status end = stream_.Finish();
    if (wait_ && !follower_.WaitAll(session_.TimeLeft())) report_.Fail(ExitCode::kTimedOut);
    progress_.Hide();
    FlushOutput();
    std::lock_guard lock(mutex_);
    if (general_.ok()) general_ = end;
    if (!general_.ok()) report_.Fail(session_.FailSubmit(general_, spec));
    if (session_.interrupted()) report_.Fail(ExitCode::kInterrupted);
    if (wait_ && !session_.json()) std::fprintf(stderr, "%s\n", report_.Summary().c_str());
    return report_.exit_code();
  }

 private:
  void OnAnswer(int64_t sequence, const Result<v1::SubmitJobResponse>& answer) {
    size_t index;
    SubmittedJob item;
    {
      std::lock_guard lock(mutex_);
      index = index_of_sequence_[static_cast<size_t>(sequence)];
      if (answer.ok()) items_[index].answer = *answer;
      item = items_[index];
      if (!wait_ || !answer.ok()) items_.erase(index);
      if (!answer.ok() && IsGeneral(answer.status())) {
        if (general_.ok()) general_ = answer.status();
        return;
      }
    }
    if (!answer.ok()) {
      report_.Refused(index, item.file, answer.status());
      return Step();
    }
    report_.Accepted(index, item);
    if (wait_) return follower_.Add(index, item.answer.id());
    Step();
  }

  void OnFinished(size_t index, const Result<v1::Job>& job) {
    SubmittedJob item;
    {
      std::lock_guard lock(mutex_);
      item = std::move(items_.extract(index).mapped());
    }
    report_.Finished(index, item, job);
    Step();
  }

  void Step() { progress_.Set(done_.fetch_add(1) + 1); }

  Session& session_;
  const bool wait_;
  ProgressBar progress_;
  JobReport report_;
  std::atomic<int64_t> done_{0};

  std::mutex mutex_;
  std::map<size_t, SubmittedJob> items_;  // From the submit to the job's last line.
  std::vector<size_t> index_of_sequence_;
  Status general_;

  // The last members, in this order: the answers of the stream go to the follower, and both call what stands above.
  JobFollower follower_;
  client::SubmitStream stream_;
};

}  // namespace

ExitCode SubmitMany(Session& session, const SubmitArguments& arguments, const v1::SubmitJobRequest& request,
                    const std::vector<std::string>& files) {
  const bool one_for_each_file = files.size() > 1 || !arguments.files_from.empty();
  const size_t total = one_for_each_file ? files.size() : static_cast<size_t>(arguments.count);
  ManySubmits submits(session, arguments, total);
  for (size_t index = 0; index < total; ++index) {
    const std::string file = one_for_each_file ? files[index] : files.empty() ? "" : files[0];
    if (!submits.Submit(index, request, file)) break;
  }
  const ExitCode code = submits.Finish(request.spec());
  WarnOfUnreadInput(arguments);
  return code;
}

}  // namespace millrace::cli
