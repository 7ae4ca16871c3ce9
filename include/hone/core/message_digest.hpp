// What MD5 and SHA-256 share: blocks of 64 bytes, the padding at the end, and digests as text.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "hone/core/config.hpp"

namespace hone::detail {

/// Cuts a message that arrives in pieces into blocks of 64 bytes.
class MessageBlocks {
 public:
  /// Adds bytes; calls compress(unsigned char const* block) for every block that they fill.
  template <class Compress>
  void add(void const* data, std::size_t size, Compress&& compress) {
    auto const* bytes = static_cast<unsigned char const*>(data);
    length_ += size;
    if (filled_ > 0) {
      std::size_t const taken = size < 64 - filled_ ? size : 64 - filled_;
      std::memcpy(block_.data() + filled_, bytes, taken);
      filled_ += taken, bytes += taken, size -= taken;
      if (filled_ < 64) return;
      compress(block_.data());
      filled_ = 0;
    }
    for (; size >= 64; bytes += 64, size -= 64) compress(bytes);
    if (size > 0) std::memcpy(block_.data(), bytes, size);
    filled_ = size;
  }

  /// Ends the message: a bit 1, zeros, and its length in bits as 8 bytes that end a block. Byte i of these has the bits
  /// from shift(i) on, which is where the two algorithms differ.
  template <class Shift, class Compress>
  void end(Shift&& shift, Compress&& compress) {
    std::uint64_t const bits = length_ * 8;
    static constexpr unsigned char padding[64] = {0x80};
    add(padding, filled_ < 56 ? 56 - filled_ : 120 - filled_, compress);
    std::array<unsigned char, 8> tail{};
    for (std::size_t i = 0; i < 8; ++i) tail[i] = static_cast<unsigned char>(bits >> shift(i));
    add(tail.data(), tail.size(), compress);
  }

 private:
  std::array<unsigned char, 64> block_{};
  std::size_t filled_ = 0;
  std::uint64_t length_ = 0;
};

/// Bytes as lower-case hexadecimal digits.
std::string hexadecimal(std::string_view bytes);
template <std::size_t Size>
std::string hexadecimal(std::array<unsigned char, Size> const& digest) {
  return hexadecimal({reinterpret_cast<char const*>(digest.data()), digest.size()});
}

#if HONE_BODIES

HONE_INLINE std::string hexadecimal(std::string_view bytes) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string out;
  for (char const c : bytes) {
    auto const byte = static_cast<unsigned char>(c);
    out += digits[byte >> 4];
    out += digits[byte & 15];
  }
  return out;
}

#endif

}  // namespace hone::detail
