// PageQueue: makes the pages that take long, on a thread of its own, one after the other.
//
//   Sharing   All clients who wait for a page when its turn comes get the same answer, so many clients cost no more
//             than one. Where the page reads the request, only clients whose requests are equal share an answer.
//   Limits    Ask refuses whoever would be one too many to wait. An answer that does not fit beside those that are not
//             sent yet becomes a 503, and `on_crowded` is called: whoever holds the others should let one go.
//   Threads   Ask, Stop: any. Ready and on_crowded are called on the queue's thread, which then holds no lock of the
//             queue.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "web/handler.h"

namespace millrace::web {

// What goes to a client; shared by all who get the same.
struct Answer {
  Response response;
  bool gzip = false;     // The body is compressed.
  bool depends = false;  // Another client might have got it in the other form.
};
using SharedAnswer = std::shared_ptr<const Answer>;

// Calls the handler: 500 for one that throws.
Response Respond(const Page& page, const Request& request);

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

  // `page` outlives the queue. False: too many wait, or the queue is stopped; the waiter is not called then.
  bool Ask(Request&& request, const Page& page, bool gzip, Waiter* waiter) noexcept;

  // Returns when everybody who waited has the answer.
  void Stop();

 private:
  struct Place {  // In the line.
    Request request;
    const Page* page;
    bool gzip;
    Waiter* waiter;
  };
  static bool MayShare(const Place& one, const Place& other);
  void Work();
  void Serve(std::vector<Place>& same);
  SharedAnswer Share(Answer answer);

  const Options options_;
  // Bytes of the answers that somebody holds. Shared, since answers outlive the queue.
  const std::shared_ptr<std::atomic<size_t>> held_ = std::make_shared<std::atomic<size_t>>(0);
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Place> waiting_;
  bool stopping_ = false;
  std::thread worker_;
};

}  // namespace millrace::web
