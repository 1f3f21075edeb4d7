// What a page of the HTTP port is: a path, and the function that makes a response of a request.
#pragma once

#include <array>
#include <concepts>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>

namespace millrace::web {

enum class Method : uint8_t { kGet, kHead };  // To HEAD the server sends the answer to GET without its body.

// The headers that a handler can see. A page that needs another one adds it here.
inline constexpr std::array kHeadersKept = {"Accept", "Authorization"};

struct Request {
  using Fields = std::map<std::string, std::string, std::less<>>;

  Method method = Method::kGet;
  std::string path;  // As sent: nothing in it is unescaped.
  Fields query;      // Unescaped. Without a value a name has ""; of a name that comes twice the first value counts.
  Fields headers;    // By the names in kHeadersKept, spelled as there.

  friend bool operator==(const Request&, const Request&) = default;
};

struct Response {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
};

// Called on threads of the server; two calls at a time at most, one for each Cost. It may throw: the client then gets
// 500, and what() goes to the log.
using Handler = std::function<Response(const Request&)>;

enum class Cost : uint8_t {
  kSlow,    // May compute and wait for locks.
  kAtOnce,  // Some microseconds, and no lock that anybody holds for longer: all other clients wait for it.
};

struct Page {
  // A page that does not look at the request: one response serves all who wait for the page.
  template <std::invocable F>
  Page(F handler, Cost cost_of_it = Cost::kSlow)
      : respond([handler = std::move(handler)](const Request&) mutable { return handler(); }), cost(cost_of_it) {}

  // A page that does: one response serves those whose requests are equal.
  template <std::invocable<const Request&> F>
  Page(F handler, Cost cost_of_it = Cost::kSlow) : respond(std::move(handler)), cost(cost_of_it), reads_request(true) {}

  Handler respond;
  Cost cost;
  bool reads_request = false;  // Otherwise `respond` gets a request without query and headers.
};

using Pages = std::map<std::string, Page>;  // By path: "/metrics".

}  // namespace millrace::web
