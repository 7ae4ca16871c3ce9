#include "hone/core/sha256.hpp"

#include "support/catch.hpp"

#include <algorithm>
#include <string>
#include <vector>

// Vectors of FIPS 180-4 and NIST's CAVP; the long ones checked with coreutils' sha256sum.
TEST_CASE("known digests") {
  CHECK(hone::sha256("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(hone::sha256("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(hone::sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") ==
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  CHECK(hone::sha256(std::string(1000000, 'a')) == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST_CASE("padding at every length around a block does not depend on how the bytes arrive") {
  std::string text;
  for (int i = 0; i < 300; ++i) text += static_cast<char>('a' + i % 26);
  for (std::size_t size : {std::size_t{55}, std::size_t{56}, std::size_t{63}, std::size_t{64}, std::size_t{65},
                           std::size_t{119}, std::size_t{120}, std::size_t{128}, std::size_t{300}}) {
    std::string const whole = hone::sha256(text.substr(0, size));
    for (std::size_t step : {std::size_t{1}, std::size_t{7}, std::size_t{64}, std::size_t{100}}) {
      hone::Sha256 sum;
      for (std::size_t i = 0; i < size; i += step) sum.update(std::string_view(text).substr(i, std::min(step, size - i)));
      CHECK(sum.hex() == whole);
    }
  }
  CHECK(hone::sha256(text.substr(0, 64)) == "2fcd5a0d60e4c941381fcc4e00a4bf8be422c3ddfafb93c809e8d1e2bfffae8e");
}

TEST_CASE("int32 values count as little-endian bytes") {
  std::vector<std::int32_t> const ids{101, -1, 0x01020304};
  hone::Sha256 sum;
  sum.update(std::span<std::int32_t const>(ids));
  CHECK(sum.hex() == hone::sha256(std::string("\x65\0\0\0\xff\xff\xff\xff\x04\x03\x02\x01", 12)));
}
