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

ExitCode SubmitMany(Session& session, const SubmitArguments& arguments, const v1::SubmitJobRequest& request,
                    const std::vector<std::string>& files) {
  // One file may be submitted many times; several files are a job each.
  const size_t total =
      files.size() > 1 || !arguments.files_from.empty() ? files.size() : static_cast<size_t>(arguments.count);
  ProgressBar progress(arguments.wait ? "finishing" : "submitting", static_cast<int64_t>(total));
  JobReport report(session.json(), arguments.wait, progress);
  std::atomic<int64_t> done{0};
  const auto step = [&] { progress.Set(done.fetch_add(1) + 1); };

  std::mutex mutex;
  std::map<size_t, SubmittedJob> items;  // Between submit and its last line.
  std::vector<size_t> index_of_sequence;
  Status hopeless;  // An answer that every other job would get as well.
  std::atomic<bool> stop_submitting{false};

  {
    JobFollower follower(
        session.client(),
        [&](size_t index, const Result<v1::Job>& job) {
          SubmittedJob item;
          {
            std::lock_guard lock(mutex);
            item = std::move(items.extract(index).mapped());
          }
          report.Finished(index, item, job);
          step();
        },
        v1::JOB_VIEW_FULL, session.stop());

    client::SubmitStream stream(session.client(),
                                [&](int64_t sequence, const Result<v1::SubmitJobResponse>& answer) {
                                  std::unique_lock lock(mutex);
                                  const size_t index = index_of_sequence[static_cast<size_t>(sequence)];
                                  SubmittedJob& item = items.at(index);
                                  if (!answer.ok()) {
                                    const StatusCode code = answer.status().code();
                                    const bool general = code == StatusCode::kNotFound ||
                                                         code == StatusCode::kUnavailable ||
                                                         code == StatusCode::kCancelled;
                                    if (general && hopeless.ok()) hopeless = answer.status();
                                    if (general) stop_submitting = true;
                                    const std::string file = item.file;
                                    items.erase(index);
                                    lock.unlock();
                                    if (!general) report.Refused(index, file, answer.status());
                                    return step();
                                  }
                                  item.answer = *answer;
                                  const SubmittedJob copy = item;
                                  if (!arguments.wait) items.erase(index);
                                  lock.unlock();
                                  report.Accepted(index, copy);
                                  if (arguments.wait) return follower.Add(index, copy.answer.id());
                                  step();
                                },
                                {.window = arguments.window, .deadline = session.TimeLeft(), .stop = session.stop()});

    for (size_t index = 0; index < total && !stop_submitting; ++index) {
      v1::SubmitJobRequest each = request;
      const std::string file = files.empty() ? "" : files[files.size() > 1 ? index : 0];
      if (!file.empty()) {
        Result<std::string> bytes = ReadFile(file);
        if (!bytes.ok()) {
          report.Refused(index, file, bytes.status());
          step();
          continue;
        }
        each.mutable_spec()->set_payload(std::move(*bytes));
      }
      {
        // Sequences count the submits, which are made here only, so the next one is known before its answer can come.
        std::lock_guard lock(mutex);
        items[index].file = file;
        index_of_sequence.push_back(index);
      }
      const Result<int64_t> sequence = stream.Submit(std::move(each));
      if (!sequence.ok()) {
        std::lock_guard lock(mutex);
        items.erase(index);
        if (hopeless.ok()) hopeless = sequence.status();
        break;
      }
    }
    const Status end = stream.Finish();
    if (hopeless.ok() && !end.ok()) hopeless = end;
    if (arguments.wait && !follower.WaitAll(session.TimeLeft())) report.Fail(ExitCode::kTimedOut);
  }

  std::fflush(stdout);
  if (!hopeless.ok()) report.Fail(session.FailSubmit(hopeless, request.spec()));
  if (session.interrupted()) report.Fail(ExitCode::kInterrupted);
  if (arguments.wait && !session.json()) std::fprintf(stderr, "%s\n", report.Summary().c_str());
  return report.exit_code();
}

}  // namespace millrace::cli
