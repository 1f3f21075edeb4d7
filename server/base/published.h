// Published: a value that many read without a lock, and that is replaced as a whole, seldom.
//   Memory    Earlier values stay until the Published goes, since nobody knows who still reads them. So it is for what
//             an operator replaces, not for what changes by itself.
//   Threads   Get from any thread; what it gave never changes. Replace: one at a time.
#pragma once

#include <atomic>
#include <memory>
#include <utility>
#include <vector>

namespace millrace {

template <typename T>
class Published {
 public:
  explicit Published(T value = T()) { Replace(std::move(value)); }
  Published(const Published&) = delete;
  Published& operator=(const Published&) = delete;

  // acquire: pairs with the release in Replace, so that the value is whole.
  const T& Get() const { return *current_.load(std::memory_order_acquire); }

  void Replace(T value) {
    values_.push_back(std::make_unique<T>(std::move(value)));
    current_.store(values_.back().get(), std::memory_order_release);
  }

  // The value, to be changed in its place: only before anybody else may call Get.
  T& Unshared() { return *values_.back(); }

 private:
  std::vector<std::unique_ptr<T>> values_;  // The last one is the current one.
  std::atomic<const T*> current_{nullptr};
};

}  // namespace millrace
