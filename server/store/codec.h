// Codec: numbers, texts and times to bytes and back, as the bodies of records have them (FORMAT.md).
#pragma once

#include <bit>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "base/clock.h"
#include "job/job.h"

namespace millrace::store {

inline void AppendFixed64(uint64_t value, std::string* out) {
  for (int shift = 0; shift < 64; shift += 8) out->push_back(static_cast<char>(value >> shift));
}

inline uint64_t ReadFixed64(std::string_view bytes) {
  uint64_t value = 0;
  for (int i = 0; i < 8; ++i) value |= uint64_t{static_cast<uint8_t>(bytes[static_cast<size_t>(i)])} << (8 * i);
  return value;
}

class Writer {
 public:
  explicit Writer(std::string* out) : out_(*out) {}

  void Number(uint64_t value) {  // LEB128
    for (; value >= 0x80; value >>= 7) out_.push_back(static_cast<char>(value | 0x80));
    out_.push_back(static_cast<char>(value));
  }
  void Signed(int64_t value) {  // Zigzag, so that small negative ones are short too.
    Number(static_cast<uint64_t>(value) << 1 ^ static_cast<uint64_t>(value >> 63));
  }
  void Fixed(uint64_t value) { AppendFixed64(value, &out_); }
  void Flag(bool value) { out_.push_back(value ? '\1' : '\0'); }
  void Text(std::string_view text) {
    Number(text.size());
    out_ += text;
  }
  template <typename E>
  void Enum(E value) {
    out_.push_back(static_cast<char>(value));
  }
  void Time(WallTime time) { Signed(time.time_since_epoch().count()); }
  void Time(Nanos time) { Signed(time.count()); }
  void Double(double value) { Fixed(std::bit_cast<uint64_t>(value)); }
  template <typename T>
  void Optional(const std::optional<T>& value) {
    Flag(value.has_value());
    if (!value) return;
    if constexpr (std::is_same_v<T, int>) {
      Signed(*value);
    } else if constexpr (std::is_same_v<T, double>) {
      Double(*value);
    } else if constexpr (std::is_same_v<T, uint64_t>) {
      Fixed(*value);
    } else {
      Time(*value);
    }
  }

 private:
  std::string& out_;
};

// Reads what Writer wrote. After anything that does not fit it is not ok and every further value is empty.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  bool ok() const { return ok_; }
  std::string_view rest() const { return rest_; }

  uint64_t Number() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const uint8_t byte = Byte();
      value |= uint64_t{byte & 0x7Fu} << shift;
      if (byte < 0x80) return value;
    }
    return Fail();
  }
  int64_t Signed() {
    const uint64_t value = Number();
    return static_cast<int64_t>(value >> 1 ^ -(value & 1));
  }
  int Int() {
    const int64_t value = Signed();
    return std::in_range<int>(value) ? static_cast<int>(value) : static_cast<int>(Fail());
  }
  uint64_t Fixed() {
    const std::string_view bytes = Take(8);
    return ok_ ? ReadFixed64(bytes) : 0;
  }
  double Double() { return std::bit_cast<double>(Fixed()); }
  bool Flag() {
    const uint8_t byte = Byte();
    return byte <= 1 ? byte == 1 : Fail() != 0;
  }
  std::string_view Text() { return Take(Number()); }
  template <typename E>
  E Enum(E last) {
    const uint8_t byte = Byte();
    return static_cast<E>(byte <= static_cast<uint8_t>(last) ? byte : Fail());
  }
  WallTime Time() { return WallTime(Nanos(Signed())); }
  std::string_view Take(uint64_t size) {
    if (!ok_ || size > rest_.size()) return Fail(), std::string_view();
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }
  Bytes Shared(uint64_t size) {
    const std::string_view bytes = Take(size);
    return bytes.empty() ? nullptr : MakeBytes(std::string(bytes));
  }
  template <typename Read>
  auto Optional(Read read) -> std::optional<decltype(read())> {
    if (!Flag()) return std::nullopt;
    return read();
  }

 private:
  uint8_t Byte() {
    const std::string_view one = Take(1);
    return ok_ ? static_cast<uint8_t>(one[0]) : 0;
  }
  uint64_t Fail() {
    ok_ = false;
    rest_ = {};
    return 0;
  }

  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace millrace::store
