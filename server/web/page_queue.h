// PageQueue: makes the pages that take long, on a thread of its own, one after the other.
//
//   Sharing   All who wait for a page when its turn comes get the same answer, so what many clients ask for costs no more than one.
//   Limits    Ask refuses who would be one too many to wait. An answer that does not fit beside those that are not sent yet becomes a
//             503, and `on_crowded` is called: whoever holds the others should let one go.
//   Threads   Ask, Stop: any. Ready and on_crowded are called on the queue's thread, without a lock of its.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "web/server.h"

namespace millrace::web {

// What goes to a client; shared by all who get the same.
struct Answer {
  Response response;
  bool gzip = false;     // The body is compressed.
  bool depends = false;  // Another client might have got it in the other form.
};
using SharedAnswer = std::shared_ptr<const Answer>;

// Calls the handler: 500 for one that throws.
Response Render(const std::string& path, const Page& page);

class PageQueue {
 public:
  class Waiter {
   public:
    virtual ~Waiter() = default;
    virtual void Ready(SharedAnswer answer) = 0;
  };

  struct Options {
    size_t waiting_max = 64;
    size_t answer_bytes_max = size_t{64} << 20;
    std::function<void()> on_crowded;
  };

  // Throws std::system_error where the system refuses a thread.
  explicit PageQueue(Options options);
  ~PageQueue();  // Stop.
  PageQueue(const PageQueue&) = delete;
  PageQueue& operator=(const PageQueue&) = delete;

  // `path` and `page` outlive the queue. False: too many wait, or it is stopped; the waiter is not called then.
  bool Ask(const std::string& path, const Page& page, bool gzip, Waiter* waiter) noexcept;

  // Returns when everybody who waited has the answer.
  void Stop();

 private:
  struct Request {
    const std::string* path;
    const Page* page;
    bool gzip;
    Waiter* waiter;
  };
  void Work();
  void Serve(std::vector<Request>& same);
  SharedAnswer Share(Answer answer);

  const Options options_;
  // Bytes of the answers that somebody holds. Answers outlive the queue.
  const std::shared_ptr<std::atomic<size_t>> held_ = std::make_shared<std::atomic<size_t>>(0);
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Request> waiting_;
  bool stopping_ = false;
  std::thread worker_;
};

}  // namespace millrace::web
