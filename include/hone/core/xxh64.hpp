#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace hone::detail {

/// XXH64 of a stream of bytes: a fast checksum of 64 bits against damage and mistakes, not against forgers (Sha256 is).
/// Reference: Y. Collet, "xxHash fast digest algorithm", specification 0.1.1, github.com/Cyan4973/xxHash.
class Xxh64 {
 public:
  explicit Xxh64(std::uint64_t seed = 0) : lanes_{seed + p1 + p2, seed + p2, seed, seed - p1}, seed_(seed) {}

  /// Adds `size` bytes.
  void add(void const* data, std::size_t size) {
    if (size == 0) return;
    auto const* bytes = static_cast<unsigned char const*>(data);
    length_ += size;
    if (filled_ > 0) {
      std::size_t const taken = size < stripe - filled_ ? size : stripe - filled_;
      std::memcpy(rest_ + filled_, bytes, taken);
      filled_ += taken, bytes += taken, size -= taken;
      if (filled_ < stripe) return;
      mix(rest_);
      filled_ = 0;
    }
    for (; size >= stripe; bytes += stripe, size -= stripe) mix(bytes);
    if (size > 0) std::memcpy(rest_, bytes, size);
    filled_ = size;
  }
  void add(std::string_view bytes) { add(bytes.data(), bytes.size()); }

  /// The checksum of what was added so far.
  std::uint64_t value() const {
    std::uint64_t sum = seed_ + p5;
    if (length_ >= stripe) {
      sum = std::rotl(lanes_[0], 1) + std::rotl(lanes_[1], 7) + std::rotl(lanes_[2], 12) + std::rotl(lanes_[3], 18);
      for (std::uint64_t const lane : lanes_) sum = (sum ^ turned(0, lane)) * p1 + p4;
    }
    sum += length_;
    std::size_t i = 0;
    for (; i + 8 <= filled_; i += 8) sum = std::rotl(sum ^ turned(0, word(rest_ + i, 8)), 27) * p1 + p4;
    for (; i + 4 <= filled_; i += 4) sum = std::rotl(sum ^ (word(rest_ + i, 4) * p1), 23) * p2 + p3;
    for (; i < filled_; ++i) sum = std::rotl(sum ^ (rest_[i] * p5), 11) * p1;
    sum = (sum ^ (sum >> 33)) * p2;
    sum = (sum ^ (sum >> 29)) * p3;
    return sum ^ (sum >> 32);
  }

 private:
  static constexpr std::uint64_t p1 = 0x9e3779b185ebca87u, p2 = 0xc2b2ae3d27d4eb4fu, p3 = 0x165667b19e3779f9u,
                                 p4 = 0x85ebca77c2b2ae63u, p5 = 0x27d4eb2f165667c5u;
  static constexpr std::size_t stripe = 32;

  /// The first `size` bytes as a little-endian number.
  static std::uint64_t word(unsigned char const* bytes, std::size_t size) {
    std::uint64_t value = 0;
    if constexpr (std::endian::native == std::endian::little) {
      std::memcpy(&value, bytes, size);
    } else {
      for (std::size_t i = size; i > 0; --i) value = value << 8 | bytes[i - 1];
    }
    return value;
  }
  static std::uint64_t turned(std::uint64_t lane, std::uint64_t input) { return std::rotl(lane + input * p2, 31) * p1; }
  void mix(unsigned char const* bytes) {
    for (std::size_t k = 0; k < 4; ++k) lanes_[k] = turned(lanes_[k], word(bytes + 8 * k, 8));
  }

  std::uint64_t lanes_[4], seed_;
  unsigned char rest_[stripe] = {};
  std::size_t filled_ = 0;
  std::uint64_t length_ = 0;
};

}  // namespace hone::detail
