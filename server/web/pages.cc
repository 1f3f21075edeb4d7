#include "web/pages.h"

namespace millrace::web {
namespace {

constexpr const char* kStyle =
    "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 "
    "1rem;color:#222;background:#fff}"
    "table{border-collapse:collapse;margin:1rem 0}th,td{padding:.25rem .8rem;text-align:right;border-bottom:1px solid "
    "#ddd}"
    "th:first-child,td:first-child{text-align:left}dt{float:left;clear:left;width:10rem;color:#666}"
    "@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}th,td{border-color:#444}a{color:#8bf}dt{"
    "color:#999}}";

std::string EscapeHtml(const std::string& text) {
  std::string html;
  html.reserve(text.size());
  for (char c : text) {
    switch (c) {
      case '&':
        html += "&amp;";
        break;
      case '<':
        html += "&lt;";
        break;
      case '>':
        html += "&gt;";
        break;
      case '"':
        html += "&quot;";
        break;
      case '\'':
        html += "&#39;";
        break;
      default:
        html += c;
    }
  }
  return html;
}

std::string Row(const char* tag, const std::vector<std::string>& cells) {
  std::string html = "<tr>";
  for (const auto& cell : cells) html += std::string("<") + tag + ">" + EscapeHtml(cell) + "</" + tag + ">";
  return html + "</tr>\n";
}

}  // namespace

Response Render(const StatusPage& page) {
  std::string html = "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>" +
                     EscapeHtml(page.title) + "</title><style>" + kStyle + "</style></head>\n<body><h1>" +
                     EscapeHtml(page.title) + "</h1>\n<dl>\n";
  for (const auto& [name, value] : page.facts)
    html += "<dt>" + EscapeHtml(name) + "</dt><dd>" + EscapeHtml(value) + "</dd>\n";
  html += "</dl>\n<table>\n" + Row("th", page.columns);
  for (const auto& row : page.rows) html += Row("td", row);
  html += "</table>\n<p>";
  for (const auto& link : page.links) html += "<a href=\"" + EscapeHtml(link) + "\">" + EscapeHtml(link) + "</a> ";
  html += "</p></body></html>\n";
  return {.content_type = "text/html; charset=utf-8", .body = std::move(html)};
}

}  // namespace millrace::web
