#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "hone/core/message_digest.hpp"

namespace hone::detail {

/// MD5 of a stream of bytes (RFC 1321). Broken as a safeguard against people; here because formats of others ask for it.
class Md5 {
 public:
  void update(void const* data, std::size_t size) {
    blocks_.add(data, size, [this](auto const* block) { compress(block); });
  }
  void update(std::string_view bytes) { update(bytes.data(), bytes.size()); }

  /// Ends the message and gives its 16 bytes. Nothing may be added afterwards.
  std::array<unsigned char, 16> digest() {
    blocks_.end([](std::size_t i) { return 8 * i; }, [this](auto const* block) { compress(block); });
    std::array<unsigned char, 16> out{};
    for (std::size_t i = 0; i < 16; ++i) out[i] = static_cast<unsigned char>(state_[i / 4] >> 8 * (i % 4));
    return out;
  }

 private:
  void compress(unsigned char const* bytes) {
    // Step i adds floor(2^32 |sin(i + 1)|), as RFC 1321 section 3.4 lists it.
    static constexpr std::uint32_t sines[64] = {
        0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501,
        0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821,
        0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
        0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a,
        0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70,
        0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
        0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
        0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391};
    static constexpr int turns[4][4] = {{7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};
    std::uint32_t words[16];
    for (int i = 0; i < 16; ++i) {
      words[i] = std::uint32_t{bytes[4 * i]} | std::uint32_t{bytes[4 * i + 1]} << 8 | std::uint32_t{bytes[4 * i + 2]} << 16 |
                 std::uint32_t{bytes[4 * i + 3]} << 24;
    }
    auto [a, b, c, d] = state_;
    for (int i = 0; i < 64; ++i) {
      std::uint32_t mixed = 0;
      int word = 0;
      if (i < 16)
        mixed = (b & c) | (~b & d), word = i;
      else if (i < 32)
        mixed = (d & b) | (~d & c), word = 5 * i + 1;
      else if (i < 48)
        mixed = b ^ c ^ d, word = 3 * i + 5;
      else
        mixed = c ^ (b | ~d), word = 7 * i;
      std::uint32_t const next = b + std::rotl(a + mixed + sines[i] + words[word % 16], turns[i / 16][i % 4]);
      a = d, d = c, c = b, b = next;
    }
    state_[0] += a, state_[1] += b, state_[2] += c, state_[3] += d;
  }

  std::array<std::uint32_t, 4> state_{0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
  MessageBlocks blocks_;
};

}  // namespace hone::detail
