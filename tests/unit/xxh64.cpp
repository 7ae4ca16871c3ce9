#include "hone/core/xxh64.hpp"

#include "support/catch.hpp"

#include <cstdint>
#include <string>

namespace {

std::uint64_t xxh64(std::string const& bytes, std::uint64_t seed = 0) {
  hone::detail::Xxh64 sum(seed);
  sum.add(bytes);
  return sum.value();
}

/// The buffer of the reference implementation's own check.
std::string sanity_buffer(std::size_t size) {
  std::string buffer;
  for (std::uint32_t byte = 2654435761u; buffer.size() < size; byte *= byte) buffer += static_cast<char>(byte >> 24);
  return buffer;
}

}  // namespace

TEST_CASE("the values of the reference implementation") {
  std::uint64_t const prime = 2654435761u;
  CHECK(xxh64("") == 0xef46db3751d8e999u);
  CHECK(xxh64("a") == 0xd24ec4f1a98c6e5bu);
  CHECK(xxh64("abc") == 0x44bc2cf5ad770999u);
  CHECK(xxh64("", prime) == 0xac75fda2929b17efu);
  CHECK(xxh64(sanity_buffer(1)) == 0x4fce394cc88952d8u);
  CHECK(xxh64(sanity_buffer(1), prime) == 0x739840cb819fa723u);
  CHECK(xxh64(sanity_buffer(14)) == 0xcffa8db881bc3a3du);
  CHECK(xxh64(sanity_buffer(14), prime) == 0x5b9611585efcc9cbu);
  CHECK(xxh64(sanity_buffer(101)) == 0x0eab543384f878adu);
  CHECK(xxh64(sanity_buffer(101), prime) == 0xcaa65939306f1e21u);
}

TEST_CASE("pieces of any size give the same value") {
  std::string const bytes = sanity_buffer(101) + std::string(300, 'x') + sanity_buffer(77);
  std::uint64_t const whole = xxh64(bytes);
  for (std::size_t piece = 1; piece < 100; ++piece) {
    hone::detail::Xxh64 sum;
    for (std::size_t i = 0; i < bytes.size(); i += piece) sum.add(std::string_view(bytes).substr(i, piece));
    CHECK(sum.value() == whole);
  }
}

TEST_CASE("every changed bit changes the value") {
  std::string const bytes = sanity_buffer(101);
  for (std::size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    std::string other = bytes;
    other[bit / 8] = static_cast<char>(other[bit / 8] ^ (1 << bit % 8));
    CHECK(xxh64(other) != xxh64(bytes));
  }
}
