#include "tests/support/model/explore.h"

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "tests/support/model/execution.h"

namespace millrace::model {

namespace {

const char* ToString(OpKind kind) {
  constexpr const char* kNames[] = {"load",  "store",      "exchange",   "add",  "cas",
                                    "fence", "futex wait", "futex wake", "relax"};
  return kNames[static_cast<size_t>(kind)];
}

const char* ToString(std::memory_order order) {
  switch (order) {
    case std::memory_order_relaxed:
      return "relaxed";
    case std::memory_order_consume:
    case std::memory_order_acquire:
      return "acquire";
    case std::memory_order_release:
      return "release";
    case std::memory_order_acq_rel:
      return "acq_rel";
    case std::memory_order_seq_cst:
      return "seq_cst";
  }
  return "?";
}

std::string_view FileOf(const Where& where) {
  std::string_view file = where.file_name();
  size_t slash = file.rfind('/');
  return slash == std::string_view::npos ? file : file.substr(slash + 1);
}

// "bool millrace::rt::Lock::try_lock()": what comes before the arguments and after the namespaces.
std::string_view FunctionOf(const Where& where) {
  std::string_view name = where.function_name();
  if (size_t lambda = name.find("<lambda"); lambda != std::string_view::npos) return name.substr(lambda, 8);
  name = name.substr(0, name.find('('));
  if (size_t space = name.rfind(' '); space != std::string_view::npos) name.remove_prefix(space + 1);
  size_t colons = name.rfind("::");
  if (colons == std::string_view::npos || colons == 0) return name;
  size_t before = name.rfind("::", colons - 1);
  return before == std::string_view::npos ? name : name.substr(before + 2);
}

}  // namespace

void Execution::NoteWeaker(const Op& op) {
  const Where& where = op.where;
  if (!noted_.insert({where.file_name(), where.line(), where.column(), op.kind}).second) return;
  std::string key = std::string(FileOf(where)) + ":" + std::to_string(where.line()) + " " +
                    std::string(FunctionOf(where)) + ": " + ToString(op.kind) + " ";
  if (op.order != std::memory_order_relaxed)
    result_.weaker[key + ToString(op.order)] = {where.function_name(), op.kind, Fault::kRelaxed, where.line()};
  if (op.kind == OpKind::kExchange || op.kind == OpKind::kAdd || op.kind == OpKind::kCas)
    result_.weaker[key + "split"] = {where.function_name(), op.kind, Fault::kSplit, where.line()};
}

std::set<std::string> Survivors(const std::string& file, const std::vector<Program>& programs) {
  std::map<std::string, Mutation> mutants;
  for (const Program& program : programs) {
    for (const auto& [key, mutation] : program({}).weaker) {
      if (key.starts_with(file + ":")) mutants[key] = mutation;
    }
  }
  std::set<std::string> survivors;
  for (const auto& [key, mutation] : mutants) {
    std::string failure;
    for (size_t i = 0; i < programs.size() && failure.empty(); ++i) {
      Result result = programs[i]({mutation});
      if (!result.held) failure = result.failure;
    }
    printf("mutant: %-68s %s\n", key.c_str(), failure.empty() ? "SURVIVES" : failure.c_str());
    if (failure.empty()) survivors.insert(key.substr(key.find(' ') + 1));
  }
  return survivors;
}

void Execution::Record(const Op& op, const char* what, uint64_t old_value, uint64_t new_value, bool outdated) {
  if (running_ || !options_.replay.empty()) events_.push_back({self_, op, what, old_value, new_value, outdated});
}

std::string Execution::WhoWaits() const {
  std::string text;
  for (size_t i = 1; i < used_; ++i) {
    const ThreadRecord& record = *threads_[i];
    if (record.state != ThreadRecord::State::kBlocked) continue;
    text += (text.empty() ? "" : ", ") + record.name + (record.parked ? " is parked" : " sleeps in a futex");
  }
  return text;
}

std::string Execution::Story() const {
  std::string text = std::string(options_.name) + ": " + (failure_.empty() ? "held" : failure_) + "\n";
  int number = 0;
  for (const Event& event : events_) {
    char line[400];
    const Where& where = event.op.where;
    int length =
        snprintf(line, sizeof line, "%4d  %-16s %-28.*s %16.*s:%-4u ", ++number, threads_[event.thread]->name.c_str(),
                 static_cast<int>(FunctionOf(where).size()), FunctionOf(where).data(),
                 static_cast<int>(FileOf(where).size()), FileOf(where).data(), where.line());
    size_t at = static_cast<size_t>(length);
    if (event.op.kind == OpKind::kFence) {
      snprintf(line + at, sizeof line - at, "fence(%s)", ToString(event.op.order));
    } else {
      snprintf(line + at, sizeof line - at, "%s(%s) v%d: 0x%" PRIx64 " -> 0x%" PRIx64 "%s", event.what,
               ToString(event.op.order), event.op.location, event.old_value, event.new_value,
               event.outdated ? "   (outdated)" : "");
    }
    text += std::string(line) + "\n";
  }
  text += "  " + (failure_.empty() ? "held" : failure_) + "\n  schedule: " + schedule_ + "\n  after " +
          std::to_string(result_.executions) + " executions\n";
  return text;
}

void Scene::Thread(const char* name, std::function<void()> body) {
  Execution::Current().Add(name, std::move(body), nullptr);
}
size_t Scene::Later(const char* name, std::function<void()> body) {
  return Execution::Current().AddLater(name, std::move(body));
}
void Start(size_t later) { Execution::Current().StartLater(later); }
void Scene::Run() { Execution::Current().Run(); }

Result Explore(const Options& options, const std::function<void(Scene&)>& body) {
  Options used = options;
  if (const char* replay = getenv("MILLRACE_MODEL_REPLAY"); replay != nullptr && used.replay.empty())
    used.replay = replay;
  Execution execution(used);
  Result result = execution.Search(body);
  std::string bounds = used.preemptions < 0 ? "all orders" : std::to_string(used.preemptions) + " preemptions";
  if (!used.quiet)
    printf("model: %-52s %s, %9" PRIu64 " executions (%" PRIu64 " pruned), at most %u steps: %s\n", used.name,
           bounds.c_str(), result.executions, result.pruned, result.longest,
           result.held ? "held" : result.failure.c_str());
  return result;
}

void Check(bool condition, const char* what) {
  if (!condition) Fail(what);
}
void Fail(const std::string& what) { Execution::Current().Fail(what); }
size_t Choose(size_t count) { return Execution::Current().Choose(count); }

void PlainAccess::Read(const char* what) {
  if (!Execution::Exists()) return;
  Execution& execution = Execution::Current();
  const View& now = execution.memory().Of(execution.self()).now;
  if (written_ > now.clock[writer_])
    Fail(std::string("race: a read of ") + what + " that the write does not happen before");
  reads_[execution.self()] = now.clock[execution.self()];
}

void PlainAccess::Write(const char* what) {
  if (!Execution::Exists()) return;
  Execution& execution = Execution::Current();
  const View& now = execution.memory().Of(execution.self()).now;
  bool after_all = written_ <= now.clock[writer_];
  for (size_t i = 0; i < kThreadsMax; ++i) after_all = after_all && reads_[i] <= now.clock[i];
  if (!after_all) Fail(std::string("race: a write to ") + what + " that another access does not happen before");
  writer_ = execution.self();
  written_ = now.clock[writer_];
}

}  // namespace millrace::model
