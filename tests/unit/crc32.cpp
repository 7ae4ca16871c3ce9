#include <cstdint>
#include <cstdio>
#include <string>

#include "hone/core/crc32.hpp"
#include "hone/core/crc32c.hpp"
#include "support/catch.hpp"

namespace {

template <class Crc>
std::uint32_t crc_of(std::string_view bytes) {
  Crc crc;
  crc.add(bytes);
  return crc.value();
}

}  // namespace

using hone::detail::Crc32;
using hone::detail::Crc32c;

TEST_CASE("CRC-32 has the known values") {
  CHECK(crc_of<Crc32>("") == 0);
  CHECK(crc_of<Crc32>("123456789") == 0xcbf43926);
  CHECK(crc_of<Crc32>("\x01") == 0xa505df1b);
}

TEST_CASE("CRC-32C has the values of RFC 3720, appendix B.4") {
  CHECK(crc_of<Crc32c>("123456789") == 0xe3069283);
  CHECK(crc_of<Crc32c>(std::string(32, '\0')) == 0x8a9136aa);
  CHECK(crc_of<Crc32c>(std::string(32, '\xff')) == 0x62a8ab43);
  std::string up, down;
  for (int i = 0; i < 32; ++i) up += static_cast<char>(i), down += static_cast<char>(31 - i);
  CHECK(crc_of<Crc32c>(up) == 0x46dd794e);
  CHECK(crc_of<Crc32c>(down) == 0x113fdb5c);
}

TEST_CASE("the masked CRC-32C of a TFRecord's length") {
  // The first 12 bytes of every event file: the length 24 of the record "brain.Event:2" and its masked checksum.
  CHECK(hone::detail::masked_crc32c(std::string("\x18\0\0\0\0\0\0\0", 8)) == 0x224b7fa3);
}

TEST_CASE("pieces of any size give the checksum of the whole") {
  std::string bytes;
  for (int i = 0; i < 300; ++i) bytes += static_cast<char>(i * 131 >> 2);
  for (std::size_t cut = 0; cut <= 40; ++cut) {
    Crc32c two;
    two.add(bytes.data(), cut);
    two.add(bytes.data() + cut, bytes.size() - cut);
    CHECK(two.value() == crc_of<Crc32c>(bytes));
  }
}
