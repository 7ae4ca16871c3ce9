#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace hone::detail {

/// The cyclic redundancy check of 32 bits with a reflected polynomial, register and result inverted. Eight bytes at a
/// time: table k is the checksum of a byte followed by k zero bytes.
template <std::uint32_t Polynomial>
class ReflectedCrc {
 public:
  void add(char const* bytes, std::size_t size) {
    auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(bytes[i]); };
    Tables const& tables = all_tables();
    std::uint32_t crc = ~value_;
    for (; size >= 8; size -= 8, bytes += 8) {
      std::uint32_t const low =
          crc ^ (byte(0) | std::uint32_t{byte(1)} << 8 | std::uint32_t{byte(2)} << 16 | std::uint32_t{byte(3)} << 24);
      crc = tables[7][low & 255] ^ tables[6][low >> 8 & 255] ^ tables[5][low >> 16 & 255] ^ tables[4][low >> 24] ^
            tables[3][byte(4)] ^ tables[2][byte(5)] ^ tables[1][byte(6)] ^ tables[0][byte(7)];
    }
    for (; size > 0; --size, ++bytes) crc = crc >> 8 ^ tables[0][(crc ^ byte(0)) & 255];
    value_ = ~crc;
  }
  void add(std::string_view bytes) { add(bytes.data(), bytes.size()); }

  std::uint32_t value() const noexcept { return value_; }

 private:
  using Tables = std::array<std::array<std::uint32_t, 256>, 8>;

  static Tables make_tables() {  // when it is needed: a compiler takes a tenth of a second for it
    Tables t{};
    for (std::uint32_t n = 0; n < 256; ++n) {
      std::uint32_t crc = n;
      for (int bit = 0; bit < 8; ++bit) crc = crc & 1 ? crc >> 1 ^ Polynomial : crc >> 1;
      t[0][n] = crc;
    }
    for (std::size_t k = 1; k < 8; ++k)
      for (std::size_t n = 0; n < 256; ++n) t[k][n] = t[k - 1][n] >> 8 ^ t[0][t[k - 1][n] & 255];
    return t;
  }

  static Tables const& all_tables() {
    static Tables const made = make_tables();
    return made;
  }
  std::uint32_t value_ = 0;
};

/// CRC-32 as gzip, zip and the files of Weights & Biases use it (RFC 1952, section 8).
using Crc32 = ReflectedCrc<0xEDB88320u>;

}  // namespace hone::detail
