#include "web/server.h"

#include <microhttpd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "base/listener.h"
#include "base/log.h"
#include "web/gzip.h"
#include "web/open_connections.h"
#include "web/page_queue.h"

namespace millrace::web {

namespace {

struct Serving {
  ServerOptions options;
  Pages pages;
  std::optional<OpenConnections> connections;
  std::optional<PageQueue> queue;
  std::unique_ptr<Listener> listener;
  MHD_Daemon* http = nullptr;

  Serving() = default;
  Serving(const Serving&) = delete;
  Serving& operator=(const Serving&) = delete;
  ~Serving() {
    listener.reset();
    // No connection may be suspended when the library stops. A request that comes meanwhile is answered 503.
    if (queue) queue->Stop();
    if (http != nullptr) MHD_stop_daemon(http);
  }
};

// A request for a page that takes long. The thread of the library makes and deletes it.
struct Waiting final : PageQueue::Waiter {
  explicit Waiting(MHD_Connection* of) : connection(of) {}
  void Ready(SharedAnswer made) override {
    answer = std::move(made);
    MHD_resume_connection(connection);  // From here on this object may be deleted.
  }
  MHD_Connection* const connection;
  SharedAnswer answer;
};

void Drop(void* answer) { delete static_cast<SharedAnswer*>(answer); }

// The library keeps the answer until it is sent or the connection ends.
MHD_Result Send(MHD_Connection* connection, const SharedAnswer& answer, const char* allow = nullptr) {
  if (answer == nullptr) return MHD_NO;
  const std::string& body = answer->response.body;
  auto held = std::make_unique<SharedAnswer>(answer);
  MHD_Response* response = MHD_create_response_from_buffer_with_free_callback_cls(
      body.size(), const_cast<char*>(body.data()), &Drop, held.get());
  if (response == nullptr) return MHD_NO;
  (void)held.release();
  bool good = true;
  auto add = [&](const char* name, const char* value) {
    good = MHD_add_response_header(response, name, value) == MHD_YES && good;
  };
  add("Content-Type", answer->response.content_type.c_str());
  add("Cache-Control", "no-store");
  add("X-Content-Type-Options", "nosniff");
  add("Connection", "close");
  if (allow != nullptr) add("Allow", allow);
  if (answer->gzip) add("Content-Encoding", "gzip");
  if (answer->depends) add("Vary", "Accept-Encoding");
  const MHD_Result queued =
      good ? MHD_queue_response(connection, static_cast<unsigned>(answer->response.status), response) : MHD_NO;
  MHD_destroy_response(response);
  return queued;
}

SharedAnswer ToAnswer(Response response) {
  return std::make_shared<const Answer>(Answer{.response = std::move(response)});
}

Response NoSuchPage(const Pages& pages) {
  std::string known;
  for (const auto& [name, page] : pages) known += (known.empty() ? "" : ", ") + name;
  return {.status = 404, .body = "no such page; there are: " + known + "\n"};
}

const char* HeaderOf(MHD_Connection* connection, const char* name) {
  return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

std::string Unescaped(std::string text) {
  text.resize(MHD_http_unescape(text.data()));
  return text;
}

struct Gathered {
  Request request;
  bool complete = true;
};

// The library calls it, and no exception may cross the library.
MHD_Result AddParameter(void* gathered, MHD_ValueKind, const char* name, const char* value) noexcept {
  auto* to = static_cast<Gathered*>(gathered);
  try {
    to->request.query.emplace(Unescaped(name), Unescaped(value == nullptr ? "" : value));
  } catch (const std::exception&) {
    to->complete = false;
  }
  return to->complete ? MHD_YES : MHD_NO;
}

// No more of it than the page reads. Throws where there is no memory for it.
Request MakeRequest(MHD_Connection* connection, Method method, const std::string& path, const Page& page) {
  Gathered gathered{.request = {.method = method, .path = path}};
  if (!page.reads_request) return std::move(gathered.request);
  MHD_get_connection_values(connection, MHD_GET_ARGUMENT_KIND, &AddParameter, &gathered);
  if (!gathered.complete) throw std::bad_alloc();
  for (const char* name : kHeadersKept) {
    if (const char* value = HeaderOf(connection, name)) gathered.request.headers.emplace(name, value);
  }
  return std::move(gathered.request);
}

bool WantsGzip(MHD_Connection* connection) {
  const char* accepted = HeaderOf(connection, "Accept-Encoding");
  return accepted != nullptr && AcceptsGzip(accepted);
}

MHD_Result Answer405(MHD_Connection* connection) {
  return Send(connection, ToAnswer({.status = 405, .body = "only GET and HEAD are answered here\n"}), "GET, HEAD");
}

// Called when the headers of a request are there, and once more when the request was resumed. A request that is
// answered at the first call is not read further. MHD_NO closes the connection.
MHD_Result OnRequest(void* state, MHD_Connection* connection, const char* path, const char* method, const char*,
                     const char*, size_t*, void** context) noexcept try {
  if (auto* resumed = static_cast<Waiting*>(*context)) return Send(connection, resumed->answer);

  auto& server = *static_cast<Serving*>(state);
  const std::string_view verb = method;
  if (verb != "GET" && verb != "HEAD") return Answer405(connection);
  auto found = server.pages.find(path);
  if (found == server.pages.end()) return Send(connection, ToAnswer(NoSuchPage(server.pages)));
  const Page& page = found->second;
  Request request = MakeRequest(connection, verb == "GET" ? Method::kGet : Method::kHead, found->first, page);
  if (page.cost == Cost::kAtOnce) return Send(connection, ToAnswer(Respond(page, request)));

  const bool gzip = WantsGzip(connection);
  SharedAnswer busy = ToAnswer({.status = 503, .body = "too many wait for this page already; try again in a second\n"});
  auto waiting = std::make_unique<Waiting>(connection);
  *context = waiting.get();
  // First suspend: Ready, which resumes, may be called before Ask returns.
  MHD_suspend_connection(connection);
  Waiting* waiter = waiting.release();
  if (!server.queue->Ask(std::move(request), page, gzip, waiter)) waiter->Ready(std::move(busy));
  return MHD_YES;
} catch (const std::exception&) {  // No memory for this request.
  return MHD_NO;
}

void OnCompleted(void*, MHD_Connection*, void** context, MHD_RequestTerminationCode) {
  delete static_cast<Waiting*>(*context);
  *context = nullptr;
}

void OnConnection(void* state, MHD_Connection* connection, void** context,
                  MHD_ConnectionNotificationCode code) noexcept {
  auto& connections = *static_cast<Serving*>(state)->connections;
  if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
    connections.Closed(reinterpret_cast<OpenConnections::Id>(*context));
    return;
  }
  const MHD_ConnectionInfo* info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
  if (info == nullptr) return;
  try {
    *context = reinterpret_cast<void*>(connections.Opened(info->connect_fd));
  } catch (const std::exception&) {
    // There is no memory to remember the connection: it is cut when it is idle.
  }
}

// Paths match byte for byte, so nothing is unescaped. Unescaped does that for the query.
size_t LeaveEscaped(void*, MHD_Connection*, char* text) { return strlen(text); }

void OnLog(void*, const char* format, va_list arguments) {
  char text[512];
  vsnprintf(text, sizeof(text), format, arguments);
  std::string_view line = text;
  while (line.ends_with('\n')) line.remove_suffix(1);
  LogDebug("http: %.*s", static_cast<int>(line.size()), line.data());
}

MHD_Daemon* StartLibrary(Serving* state) {
  const ServerOptions& options = state->options;
  // Take keeps to our limit. At the limit of the library itself its thread waits for ever for a mutex that it holds
  // (seen in 0.9.75).
  constexpr unsigned kNoLimit = 1'000'000;
  return MHD_start_daemon(
      MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ERROR_LOG, 0,
      nullptr, nullptr, &OnRequest, state, MHD_OPTION_EXTERNAL_LOGGER, &OnLog, nullptr, MHD_OPTION_CONNECTION_TIMEOUT,
      static_cast<unsigned>(options.idle_timeout.count()), MHD_OPTION_CONNECTION_LIMIT, kNoLimit,
      MHD_OPTION_CONNECTION_MEMORY_LIMIT, kRequestBytesMax, MHD_OPTION_NOTIFY_COMPLETED, &OnCompleted, nullptr,
      MHD_OPTION_NOTIFY_CONNECTION, &OnConnection, state, MHD_OPTION_UNESCAPE_CALLBACK, &LeaveEscaped, nullptr,
      MHD_OPTION_END);
}

// A share of the descriptors: the other port, the store and child processes need some as well.
size_t ConnectionsFor(size_t wanted) {
  constexpr size_t kShare = 8, kLeast = 4;
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return wanted;
  return std::min(wanted, std::max(kLeast, static_cast<size_t>(limit.rlim_cur) / kShare));
}

// On the thread of the listener. It waits for the thread of the library, which does nothing that takes long. So the
// library never has more connections than `connections` knows.
void Take(Serving& server, int fd) {
  constexpr std::chrono::milliseconds kPatience{1000};
  // Connections that are cut hold their descriptor a moment longer; those that wait for a page hold it until they have
  // the page.
  const size_t descriptors_max = server.options.connections_max + 2 * server.options.pages_waiting_max;
  sockaddr_storage peer{};
  socklen_t size = sizeof(peer);
  auto* address = reinterpret_cast<sockaddr*>(&peer);
  if (getpeername(fd, address, &size) != 0 ||  // The client has gone already.
      !server.connections->AwaitDescriptors(descriptors_max, kPatience)) {
    close(fd);
    return;
  }
  const OpenConnections::Id next = server.connections->last() + 1;
  // MHD_add_connection closes the descriptor where it fails.
  if (MHD_add_connection(server.http, fd, address, size) == MHD_YES) {
    (void)server.connections->AwaitOpened(next, kPatience);
  }
}

}  // namespace

struct Server::State : Serving {};

Server::Server(std::unique_ptr<State> state) : state_(std::move(state)) {}

Server::~Server() = default;

Result<std::unique_ptr<Server>> Server::Start(const ServerOptions& options, Pages pages) {
  auto state = std::make_unique<State>();
  state->options = options;
  state->options.connections_max = ConnectionsFor(options.connections_max);
  state->options.pages_waiting_max =
      std::min(options.pages_waiting_max, std::max(size_t{1}, state->options.connections_max / 4));
  state->pages = std::move(pages);
  auto listener = Listener::Open(options.address, {.setting = "--http-address"});
  if (!listener.ok()) return listener.status();
  std::string why;
  try {
    state->connections.emplace(state->options.connections_max, options.lifetime_max);
    state->queue.emplace(PageQueue::Options{.waiting_max = state->options.pages_waiting_max,
                                            .answer_bytes_max = options.answer_bytes_max,
                                            .on_crowded = [of = state.get()] { of->connections->CutOldest(); }});
    state->http = StartLibrary(state.get());
    if (state->http == nullptr) why = strerror(errno);
  } catch (const std::system_error& error) {
    why = error.code().message();  // A thread was refused, and errno need not tell so.
  }
  if (state->http == nullptr) {
    return Unavailable("NO_THREAD", "HTTP cannot be served: the system refuses a thread or a descriptor (" + why +
                                        "); raise the limits of this user or of the service");
  }
  state->listener = *std::move(listener);
  state->options.address = state->listener->address();
  MR_RETURN_IF_ERROR(state->listener->Start([of = state.get()](int fd) { Take(*of, fd); }));
  return std::unique_ptr<Server>(new Server(std::move(state)));
}

const Address& Server::address() const { return state_->options.address; }

}  // namespace millrace::web
