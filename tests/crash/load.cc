#include "tests/crash/load.h"

#include <mutex>

#include "base/check.h"
#include "client/submit_stream.h"

namespace millrace::crash {

namespace {

constexpr int kWindow = 64;

v1::BatchSubmitJobsRequest BatchOf(const Ledger::Group& group) {
  v1::BatchSubmitJobsRequest batch;
  batch.set_on_full(v1::ON_FULL_WAIT);
  for (const Request& request : group) *batch.add_requests() = ToMessage(request);
  return batch;
}

Status Gone() { return Unavailable("GONE", "the daemon does not answer"); }

// Sends it and has the ledger know. False: the daemon is gone.
bool SendSingle(client::Client& client, Ledger& ledger, const Ledger::Group& group, const client::CallOptions& call) {
  const auto answer = client.Submit(ToMessage(group[0]), call);
  if (answer.ok()) {
    ledger.Answered(group, {*answer});
  } else {
    ledger.Unanswered(group, answer.status());
  }
  return answer.ok();
}

bool SendBatch(client::Client& client, Ledger& ledger, const Ledger::Group& group, const client::CallOptions& call) {
  const auto answer = client.BatchSubmit(BatchOf(group), call);
  if (answer.ok()) {
    ledger.Answered(group, {answer->responses().begin(), answer->responses().end()});
  } else {
    ledger.Unanswered(group, answer.status());
  }
  return answer.ok();
}

}  // namespace

Load::Load(Ledger& ledger, std::string address, Options options)
    : ledger_(ledger), address_(std::move(address)), options_(options) {
  using Part = void (Load::*)(Random);
  std::vector<Part> parts = {&Load::SubmitByStream, &Load::SubmitByStream, &Load::SubmitOneByOne,
                             &Load::SubmitOneByOne, &Load::SubmitBatches,  &Load::LookAround};
  if (options_.listens) parts.push_back(&Load::Listen);
  for (Part part : parts) {
    threads_.emplace_back([this, part, random = Random(options_.seed + threads_.size())] { (this->*part)(random); });
  }
}

void Load::Stop() {
  finish_.request_stop();
  stop_.request_stop();
  threads_.clear();
}

void Load::Finish() {
  finish_.request_stop();
  threads_.clear();
}

std::unique_ptr<client::Client> Load::Connect() const {
  auto client = client::Client::Connect(address_, {.max_attempts = 1, .own_connection = true});
  MR_CHECK(client.ok(), "%s", client.status().ToString().c_str());
  return *std::move(client);
}

void Load::SubmitOneByOne(Random random) {
  const auto client = Connect();
  while (!finish_.stop_requested()) {
    const auto group = ledger_.Next(Ledger::Form::kSingle, random);
    if (!group || !SendSingle(*client, ledger_, *group, Call())) return;
  }
}

void Load::SubmitBatches(Random random) {
  const auto client = Connect();
  while (!finish_.stop_requested()) {
    const auto group = ledger_.Next(Ledger::Form::kBatch, random);
    if (!group || !SendBatch(*client, ledger_, *group, Call())) return;
  }
}

void Load::SubmitByStream(Random random) {
  const auto client = Connect();
  std::mutex lock;
  std::vector<Ledger::Group> sent;  // By sequence.
  client::SubmitStream stream(*client,
                              [&](int64_t sequence, const Result<v1::SubmitJobResponse>& answer) {
                                Ledger::Group group;
                                {
                                  std::lock_guard guard(lock);
                                  group = sent[static_cast<size_t>(sequence)];
                                }
                                if (answer.ok()) {
                                  ledger_.Answered(group, {*answer});
                                } else {
                                  ledger_.Unanswered(group, answer.status());
                                }
                              },
                              {.window = kWindow, .stop = stop_.get_token()});
  while (!finish_.stop_requested()) {
    const auto group = ledger_.Next(Ledger::Form::kSingle, random);
    if (!group) break;
    {
      // Before it is sent: the answer may be there first.
      std::lock_guard guard(lock);
      sent.push_back(*group);
    }
    const auto accepted = stream.Submit(ToMessage((*group)[0]));
    if (accepted.ok()) continue;
    ledger_.Unanswered(*group, accepted.status());
    return;
  }
  // Its status says what its answers have said.
  (void)stream.Finish().ok();
}

void Load::LookAround(Random random) {
  const auto client = Connect();
  while (!finish_.stop_requested()) {
    const auto picked = ledger_.Pick(random);
    if (!picked) {
      std::this_thread::yield();
      continue;
    }
    // Few jobs end in a state that may be retried.
    const bool change = options_.verbs && IsTerminal(picked->ended) && !picked->gone &&
                        random() % (picked->ended == v1::JOB_STATE_SUCCEEDED ? 8 : 2) == 0;
    if (!(change ? Change(*client, *picked, random) : Look(*client, *picked, random))) return;
  }
}

bool Load::Look(client::Client& client, const Ledger::Picked& picked, Random& random) {
  const std::string& id = picked.job;
  // One that was retried has to run.
  const bool cancel = options_.cancels && picked.request.wish == Wish::kFar && !picked.retried;
  const bool wait = !cancel && random() % 4 == 0;
  Result<v1::Job> job = cancel ? client.Cancel(id, "it is far", Call())
                        : wait ? client.Wait(id, std::chrono::milliseconds(50), Call())
                               : client.Get(id, v1::JOB_VIEW_FULL, Call());
  // These two answer without the payload, and whole jobs are compared. Whether it is kept, Get and List tell.
  if (job.ok() && (cancel || wait)) job->mutable_spec()->set_payload(picked.request.payload);
  // It was cancelled before.
  if (!job.ok() && job.status().reason() == "WRONG_STATE") job = client.Get(id, v1::JOB_VIEW_FULL, Call());
  if (job.ok()) {
    ledger_.Saw(*job);
  } else if (job.status().code() == StatusCode::kNotFound) {
    ledger_.Missed(picked.request.number);
  } else {
    return job.status().reason() == "DEADLINE";  // The Wait is over.
  }
  return true;
}

bool Load::Change(client::Client& client, const Ledger::Picked& picked, Random& random) {
  // A retry counts attempts anew, so of a program nobody could tell any more how often it may have been executed.
  const bool may_retry = picked.ended != v1::JOB_STATE_SUCCEEDED && !picked.request.records();
  const bool retry = may_retry && random() % 4 != 0;
  const Status status = retry ? client.Retry(picked.job, Call()).status() : client.Delete(picked.job, Call());
  ledger_.Changed(picked.request.number, retry ? Ledger::Verb::kRetry : Ledger::Verb::kDelete, status);
  // What was not answered is known when the next daemon is asked.
  return status.ok() || status.code() == StatusCode::kNotFound;
}

void Load::Listen(Random) {
  const auto client = Connect();
  // How it ends says nothing: the daemon is gone, or the load is over.
  (void)client
      ->Watch({},
              [this](const v1::JobEvent& event) {
                ledger_.Heard(event);
                return !finish_.stop_requested();
              },
              {.stop = finish_.get_token()})
      .ok();
}

Status SubmitTheRest(client::Client& client, Ledger& ledger) {
  while (const auto group = ledger.NextUnanswered()) {
    const bool sent =
        group->size() == 1 ? SendSingle(client, ledger, *group, {}) : SendBatch(client, ledger, *group, {});
    if (!sent) return Gone();
  }
  return OkStatus();
}

Status SubmitOneMore(client::Client& client, Ledger& ledger) {
  return SendSingle(client, ledger, ledger.NextNew(), {}) ? OkStatus() : Gone();
}

Status RepeatAll(client::Client& client, Ledger& ledger) {
  for (const Ledger::Group& group : ledger.Acknowledged()) {
    if (!SendBatch(client, ledger, group, {})) return Gone();
  }
  return OkStatus();
}

Status AwaitAllEnds(client::Client& client) {
  Result<std::vector<v1::Job>> jobs = ListAll(client);
  if (!jobs.ok()) return jobs.status();
  auto forgotten = [](const Status& status) { return status.code() == StatusCode::kNotFound; };
  for (const v1::Job& job : *jobs) {
    if (IsTerminal(job.state())) continue;
    // One that was retried does not wait for its time any more, and has to run.
    if (job.state() == v1::JOB_STATE_SCHEDULED && job.spec().delay().seconds() >= 3600) {
      const Status status = client.Cancel(job.id(), "it is far").status();
      if (!status.ok() && !forgotten(status)) return status;
    }
    // A bound that only catches a hang.
    const Status status = client.Wait(job.id(), std::chrono::seconds(60)).status();
    if (!status.ok() && !forgotten(status)) return status;
  }
  return OkStatus();
}

Result<std::vector<v1::Job>> ListAll(client::Client& client) {
  std::vector<v1::Job> jobs;
  v1::ListJobsRequest request;
  request.set_view(v1::JOB_VIEW_FULL);
  request.set_page_size(1000);
  Status status = client.List(request, [&](v1::Job job) { return jobs.push_back(std::move(job)), true; });
  if (!status.ok()) return status;
  return jobs;
}

}  // namespace millrace::crash
