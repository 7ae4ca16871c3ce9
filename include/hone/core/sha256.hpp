#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "hone/core/message_digest.hpp"

namespace hone {

/// SHA-256 of a stream of bytes (FIPS 180-4, section 6.2): checksums of files and of token ids.
///
///     hone::Sha256 sum;
///     sum.update(bytes);
///     std::string hex = sum.hex();      // 64 lower-case digits; the object is then used up
class Sha256 {
 public:
  /// Adds `size` bytes.
  void update(void const* data, std::size_t size) {
    blocks_.add(data, size, [this](auto const* block) { compress(block); });
  }

  void update(std::string_view bytes) { update(bytes.data(), bytes.size()); }

  /// Adds integers as little-endian int32, the form in which checksums of token ids are stored.
  void update(std::span<std::int32_t const> ids) {
    if constexpr (std::endian::native == std::endian::little) {
      update(ids.data(), ids.size_bytes());
    } else {
      for (std::int32_t const id : ids) {
        auto const value = static_cast<std::uint32_t>(id);
        for (int shift = 0; shift < 32; shift += 8) {
          auto const byte = static_cast<unsigned char>(value >> shift);
          update(&byte, 1);
        }
      }
    }
  }

  /// Ends the message and gives its 32 bytes. Nothing may be added afterwards.
  std::array<unsigned char, 32> digest() {
    blocks_.end([](std::size_t i) { return 56 - 8 * i; }, [this](auto const* block) { compress(block); });
    std::array<unsigned char, 32> out{};
    for (std::size_t i = 0; i < 32; ++i) out[i] = static_cast<unsigned char>(state_[i / 4] >> (24 - 8 * (i % 4)));
    return out;
  }

  /// `digest()` as 64 hexadecimal digits.
  std::string hex() { return detail::hexadecimal(digest()); }

 private:
  void compress(unsigned char const* bytes) {
    static constexpr std::uint32_t k[64] = {
        0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
        0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
        0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
        0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
        0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
        0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
        0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
        0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};
    std::uint32_t w[64];
    for (int i = 0; i < 16; ++i) {
      w[i] = std::uint32_t{bytes[4 * i]} << 24 | std::uint32_t{bytes[4 * i + 1]} << 16 |
             std::uint32_t{bytes[4 * i + 2]} << 8 | std::uint32_t{bytes[4 * i + 3]};
    }
    for (int i = 16; i < 64; ++i) {
      std::uint32_t const s0 = std::rotr(w[i - 15], 7) ^ std::rotr(w[i - 15], 18) ^ (w[i - 15] >> 3);
      std::uint32_t const s1 = std::rotr(w[i - 2], 17) ^ std::rotr(w[i - 2], 19) ^ (w[i - 2] >> 10);
      w[i] = w[i - 16] + s0 + w[i - 7] + s1;
    }
    auto [a, b, c, d, e, f, g, h] = state_;
    for (int i = 0; i < 64; ++i) {
      std::uint32_t const s1 = std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25);
      std::uint32_t const t1 = h + s1 + ((e & f) ^ (~e & g)) + k[i] + w[i];
      std::uint32_t const s0 = std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22);
      std::uint32_t const t2 = s0 + ((a & b) ^ (a & c) ^ (b & c));
      h = g, g = f, f = e, e = d + t1, d = c, c = b, b = a, a = t1 + t2;
    }
    std::uint32_t const last[8] = {a, b, c, d, e, f, g, h};
    for (std::size_t i = 0; i < 8; ++i) state_[i] += last[i];
  }

  std::array<std::uint32_t, 8> state_{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  detail::MessageBlocks blocks_;
};

/// SHA-256 of one piece of memory, as 64 hexadecimal digits.
inline std::string sha256(std::string_view bytes) {
  Sha256 sum;
  sum.update(bytes);
  return sum.hex();
}

}  // namespace hone
