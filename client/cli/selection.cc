#include "client/cli/selection.h"

#include <cctype>
#include <set>

#include "client/words.h"
#include "millrace/v1/job.pb.h"

namespace millrace::cli {
namespace {

std::string Quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

std::string Upper(std::string text) {
  for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text;
}

}  // namespace

Result<std::string> ToFilter(const JobSelection& selection) {
  std::string filter = selection.filter;
  const auto add = [&filter](const std::string& term) { filter += (filter.empty() ? "" : " AND ") + term; };
  if (!selection.state.empty()) {
    v1::JobState state;
    if (!client::ParseWord(selection.state, &state)) {
      return InvalidArgument("BAD_ARGUMENT",
                             "--state: '" + selection.state +
                                 "' is not scheduled, blocked, queued, running, succeeded, failed, cancelled, expired "
                                 "or quarantined");
    }
    add("state = " + Upper(selection.state));
  }
  if (!selection.pool.empty()) add("pool = " + Quoted(selection.pool));
  if (!selection.kind.empty()) add("kind = " + Quoted(selection.kind));
  if (!selection.band.empty()) {
    v1::Band band;
    if (!client::ParseWord(selection.band, &band)) {
      return InvalidArgument("BAD_ARGUMENT", "--band: '" + selection.band + "' is not critical, high, normal or low");
    }
    add("band = " + Upper(selection.band));
  }
  std::set<std::string> names;
  for (const std::string& label : selection.labels) {
    const size_t equals = label.find('=');
    if (equals == std::string::npos || equals == 0) {
      return InvalidArgument("BAD_ARGUMENT", "--label: '" + label + "' is not NAME=VALUE");
    }
    if (!names.insert(label.substr(0, equals)).second) {
      return InvalidArgument("BAD_ARGUMENT", "--label: '" + label.substr(0, equals) +
                                                 "' is given twice, and no job has two values of a label");
    }
    add("labels." + label.substr(0, equals) + " = " + Quoted(label.substr(equals + 1)));
  }
  return filter;
}

}  // namespace millrace::cli
