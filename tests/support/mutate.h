// Bytes of a message as a broken or hostile peer may send them. The seed is drawn for each run and printed;
// MILLRACE_SEED repeats it, as far as threads let one.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace millrace::test {

inline uint64_t ChosenSeed(const char* of) {
  static const uint64_t seed = [] {
    const char* text = getenv("MILLRACE_SEED");
    return text != nullptr ? strtoull(text, nullptr, 10) : std::random_device()();
  }();
  fprintf(stderr, "%s: MILLRACE_SEED=%llu\n", of, static_cast<unsigned long long>(seed));
  return seed;
}

class Mutator {
 public:
  explicit Mutator(uint64_t seed) : random_(seed) {}

  // 0 to `below` - 1.
  size_t Below(size_t below) { return static_cast<size_t>(random_() % below); }
  bool OneIn(size_t n) { return Below(n) == 0; }
  template <typename T>
  T Any(std::initializer_list<T> of) {
    return *(of.begin() + Below(of.size()));
  }
  std::string Bytes(size_t size) {
    std::string bytes(size, '\0');
    for (char& each : bytes) each = static_cast<char>(random_());
    return bytes;
  }

  // One change, or several, of the bytes of any message.
  std::string Change(std::string bytes) {
    for (size_t changes = 1 + Below(3); changes > 0; --changes) {
      switch (Below(6)) {
        case 0:
          FlipBits(&bytes);
          break;
        case 1:
          bytes.resize(Below(bytes.size() + 1));
          break;
        case 2:
          bytes.insert(Below(bytes.size() + 1), Bytes(1 + Below(16)));
          break;
        case 3:
          RenameField(&bytes);
          break;
        case 4:
          bytes += bytes.substr(Below(bytes.size() + 1));
          break;  // Fields twice, and half of one.
        default:
          return Bytes(Below(200));
      }
    }
    return bytes;
  }

 private:
  void FlipBits(std::string* bytes) {
    for (size_t flips = bytes->empty() ? 0 : 1 + Below(4); flips > 0; --flips) {
      (*bytes)[Below(bytes->size())] ^= static_cast<char>(1 << Below(8));
    }
  }

  static uint64_t Varint(const std::string& bytes, size_t* at) {
    uint64_t value = 0;
    for (int shift = 0; *at < bytes.size() && shift < 64; shift += 7) {
      const auto byte = static_cast<unsigned char>(bytes[(*at)++]);
      value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if ((byte & 0x80) == 0) break;
    }
    return value;
  }

  // A field of the message gets the number of another one, and keeps its bytes.
  void RenameField(std::string* bytes) {
    std::vector<size_t> fields;
    for (size_t at = 0; at < bytes->size();) {
      fields.push_back(at);
      const uint64_t tag = Varint(*bytes, &at);
      switch (tag & 7) {
        case 0:
          Varint(*bytes, &at);
          break;
        case 1:
          at += 8;
          break;
        case 2:
          at += Varint(*bytes, &at);
          break;
        case 5:
          at += 4;
          break;
        default:
          at = bytes->size();
      }
    }
    if (fields.empty()) return;
    char& tag = (*bytes)[fields[Below(fields.size())]];
    tag = static_cast<char>((tag & 0x87) | ((1 + Below(10)) << 3));
  }

  std::mt19937_64 random_;
};

}  // namespace millrace::test
