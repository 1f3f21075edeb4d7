#include "dispatch/filter.h"

#include <algorithm>
#include <cctype>
#include <utility>

#include "base/rfc3339.h"

namespace millrace::dispatch {

namespace {

constexpr std::string_view kFieldNames = "pool, kind, band, state, labels.NAME or create_time";

bool IsWordCharacter(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-' || c == '.' || c == ':' || c == '+' ||
         c == '/';
}

}  // namespace

// One pass from the left; the first thing that does not fit ends it with a Status that tells the place.
class FilterParser {
 public:
  explicit FilterParser(std::string_view text) : text_(text) {}

  Result<Filter> Parse() {
    Filter filter;
    if (text_.size() > kFilterBytesMax) {
      return InvalidArgument("BAD_FILTER", "the filter has " + std::to_string(text_.size()) + " bytes, the limit is " +
                                               std::to_string(kFilterBytesMax))
          .Field("filter");
    }
    SkipSpace();
    if (AtEnd()) return filter;
    for (;;) {
      Filter::Term term;
      MR_RETURN_IF_ERROR(ParseTerm(&term));
      filter.terms_.push_back(std::move(term));
      if (SkipSpace(), AtEnd()) return filter;
      size_t at = position_;
      std::string_view word = Word();
      if (word != "AND")
        return Error(at,
                     "found " + Found(at, word) + " where AND or the end was expected; terms are joined by AND only");
    }
  }

 private:
  using Field = Filter::Field;
  using Op = Filter::Op;

  bool AtEnd() const { return position_ == text_.size(); }
  void SkipSpace() {
    while (!AtEnd() && std::isspace(static_cast<unsigned char>(text_[position_]))) ++position_;
  }
  std::string_view Word() {
    size_t start = position_;
    while (!AtEnd() && IsWordCharacter(text_[position_])) ++position_;
    return text_.substr(start, position_ - start);
  }
  std::string Found(size_t at, std::string_view word) const {
    if (!word.empty()) return "'" + std::string(word) + "'";
    return at == text_.size() ? "the end" : "'" + std::string(1, text_[at]) + "'";
  }
  static Status Error(size_t at, const std::string& what) {
    return InvalidArgument("BAD_FILTER", "filter, at character " + std::to_string(at + 1) + ": " + what)
        .Field("filter")
        .With("position", static_cast<int64_t>(at + 1));
  }

  Status ParseTerm(Filter::Term* term) {
    SkipSpace();
    size_t at = position_;
    std::string_view name = Word();
    if (name == "pool") {
      term->field = Field::kPool;
    } else if (name == "kind") {
      term->field = Field::kKind;
    } else if (name == "band") {
      term->field = Field::kBand;
    } else if (name == "state") {
      term->field = Field::kState;
    } else if (name == "create_time") {
      term->field = Field::kCreateTime;
    } else if (name.starts_with("labels.") && name.size() > 7) {
      term->field = Field::kLabel;
      term->label = name.substr(7);
    } else {
      return Error(at,
                   "found " + Found(at, name) + " where a field was expected; fields are " + std::string(kFieldNames));
    }
    MR_RETURN_IF_ERROR(ParseOp(name, term));
    return ParseValue(name, term);
  }

  Status ParseOp(std::string_view field, Filter::Term* term) {
    SkipSpace();
    size_t at = position_;
    while (!AtEnd() && std::string_view("=!<>").find(text_[position_]) != std::string_view::npos) ++position_;
    std::string_view op = text_.substr(at, position_ - at);
    constexpr std::pair<std::string_view, Op> kOps[] = {{"=", Op::kEqual},   {"!=", Op::kNotEqual},
                                                        {"<", Op::kLess},    {"<=", Op::kLessEqual},
                                                        {">", Op::kGreater}, {">=", Op::kGreaterEqual}};
    const auto* found =
        std::find_if(std::begin(kOps), std::end(kOps), [&](const auto& entry) { return entry.first == op; });
    const bool time = term->field == Field::kCreateTime;
    if (found != std::end(kOps) && (found->second > Op::kNotEqual) == time) {
      term->op = found->second;
      return OkStatus();
    }
    return Error(at, "found " + Found(at, op) + " after " + std::string(field) + ", which compares with " +
                         (time ? "<, <=, > or >=" : "= or !="));
  }

  Status ParseValue(std::string_view field, Filter::Term* term) {
    SkipSpace();
    size_t at = position_;
    if (!AtEnd() && text_[position_] == '"') {
      MR_RETURN_IF_ERROR(ParseQuoted(&term->text));
    } else {
      term->text = Word();
      if (term->text.empty()) {
        return Error(at, "found " + Found(at, {}) + " where a value for " + std::string(field) + " was expected");
      }
    }
    return Interpret(at, term);
  }

  Status ParseQuoted(std::string* text) {
    size_t at = position_++;
    for (; !AtEnd(); ++position_) {
      char c = text_[position_];
      if (c == '"') return ++position_, OkStatus();
      if (c == '\\') {
        if (++position_ == text_.size()) break;
        c = text_[position_];
        if (c != '"' && c != '\\') return Error(position_, "only \\\" and \\\\ may follow a backslash");
      }
      text->push_back(c);
    }
    return Error(at, "the quote that opens here is not closed");
  }

  static Status Interpret(size_t at, Filter::Term* term) {
    if (term->field == Field::kBand) {
      std::optional<Band> band = ParseBand(term->text);
      if (!band) return Error(at, "'" + term->text + "' is no band; bands are CRITICAL, HIGH, NORMAL and LOW");
      term->band = *band;
    } else if (term->field == Field::kState) {
      std::optional<JobState> state = ParseJobState(term->text);
      if (!state) {
        return Error(at, "'" + term->text +
                             "' is no state; states are SCHEDULED, BLOCKED, QUEUED, RUNNING, SUCCEEDED, FAILED, " +
                             "CANCELLED, EXPIRED and QUARANTINED");
      }
      term->state = *state;
    } else if (term->field == Field::kCreateTime) {
      std::optional<WallTime> time = ParseRfc3339(term->text);
      if (!time) return Error(at, "'" + term->text + "' is no time; write it as \"2026-01-31T12:00:00Z\"");
      term->time = *time;
    }
    return OkStatus();
  }

  std::string_view text_;
  size_t position_ = 0;
};

Result<Filter> Filter::Parse(std::string_view text) { return FilterParser(text).Parse(); }

bool Filter::uses_create_time() const {
  return std::any_of(terms_.begin(), terms_.end(), [](const Term& term) { return term.field == Field::kCreateTime; });
}

bool Filter::uses_labels() const {
  return std::any_of(terms_.begin(), terms_.end(), [](const Term& term) { return term.field == Field::kLabel; });
}

bool Filter::MatchesLabels(const Labels& labels) const {
  const Subject subject{.labels = &labels};
  return std::all_of(terms_.begin(), terms_.end(),
                     [&](const Term& term) { return term.field != Field::kLabel || Holds(term, subject); });
}

bool Filter::Allows(JobState state) const {
  return std::all_of(terms_.begin(), terms_.end(), [&](const Term& term) {
    return term.field != Field::kState || (term.state == state) == (term.op == Op::kEqual);
  });
}

bool Filter::Holds(const Term& term, const Subject& subject) {
  bool equal = false;
  switch (term.field) {
    case Field::kPool:
      equal = subject.pool == term.text;
      break;
    case Field::kKind:
      equal = subject.kind == term.text;
      break;
    case Field::kBand:
      equal = subject.band == term.band;
      break;
    case Field::kState:
      equal = subject.state == term.state;
      break;
    case Field::kLabel: {
      if (subject.labels_unknown) return true;
      auto found = subject.labels ? subject.labels->find(term.label) : decltype(subject.labels->end()){};
      equal = subject.labels && found != subject.labels->end() ? found->second == term.text : term.text.empty();
      break;
    }
    case Field::kCreateTime:
      switch (term.op) {
        case Op::kLess:
          return subject.created < term.time;
        case Op::kLessEqual:
          return subject.created <= term.time;
        case Op::kGreater:
          return subject.created > term.time;
        default:
          return subject.created >= term.time;
      }
  }
  return equal == (term.op == Op::kEqual);
}

bool Filter::Matches(const Subject& subject) const {
  return std::all_of(terms_.begin(), terms_.end(), [&](const Term& term) { return Holds(term, subject); });
}

bool Filter::Matches(const JobSnapshot& job) const {
  return Matches({job.spec->pool, job.spec->kind, job.spec->band, job.state, &job.spec->labels.map(), job.created});
}

bool Filter::Matches(const JobEvent& event) const {
  if (event.type == EventType::kGap) return true;
  Subject subject{event.pool, event.kind, event.band, event.state, event.labels.get(), {}};
  return std::all_of(terms_.begin(), terms_.end(),
                     [&](const Term& term) { return term.field == Field::kCreateTime || Holds(term, subject); });
}

}  // namespace millrace::dispatch
