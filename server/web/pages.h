// Pages for people: one table and a few facts, without scripts or anything from elsewhere.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "web/server.h"

namespace millrace::web {

struct StatusPage {
  std::string title;
  std::vector<std::pair<std::string, std::string>> facts;
  std::vector<std::string> columns;  // The first is text, the others are numbers.
  std::vector<std::vector<std::string>> rows;
  std::vector<std::string> links;  // Paths of this server.
};

// Everything in it is escaped.
Response Render(const StatusPage& page);

}  // namespace millrace::web
