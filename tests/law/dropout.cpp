// Dropout masks: how many, how large, and independent in every part of their key.
#include "hone/core/dropout.hpp"

#include <cmath>
#include <string>
#include <vector>

#include "hone/core/philox.hpp"
#include "support/catch.hpp"

namespace {

using namespace hone;

constexpr Index columns = 200, positions = 50, examples = 20;
constexpr double drawn = double(columns * positions * examples);

std::vector<bool> mask(Dropout const& dropout, Index first_column = 0, Index first_position = 0, Index first_example = 0) {
  std::vector<bool> kept;
  for (Index e = 0; e < examples; ++e)
    for (Index p = 0; p < positions; ++p)
      for (Index c = 0; c < columns; ++c)
        kept.push_back(dropout.keeps(first_column + c, first_position + p, first_example + e));
  return kept;
}
double rate(std::vector<bool> const& kept) {
  double sum = 0;
  for (bool const k : kept) sum += k;
  return sum / double(kept.size());
}
/// How often two masks agree.
double agreement(std::vector<bool> const& a, std::vector<bool> const& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] == b[i];
  return sum / double(a.size());
}
/// Five standard deviations of the mean of `drawn` independent draws of probability p: one chance in two million.
double five_sigma(double p) { return 5 * std::sqrt(p * (1 - p) / drawn); }

TEST_CASE("as many are kept as the probability says, and the expectation is exact") {
  for (double const p : {0.001, 0.1, 0.25, 0.5, 0.9, 0.999}) {
    INFO("p " << p);
    Dropout const dropout = DropoutKey{true, 12, 3}.site(DropoutSite::feed_forward, 2, p);
    REQUIRE(dropout.active());
    double const rounded = double(dropout.threshold) / 65536;
    CHECK(std::abs(rounded - p) <= 1.0 / 131072);
    CHECK(dropout.scale() * (1 - rounded) == Approx(1).epsilon(1e-15));
    CHECK(std::abs(rate(mask(dropout)) - (1 - rounded)) <= five_sigma(rounded));
  }
}

TEST_CASE("nothing is dropped with probability zero or outside training") {
  CHECK_FALSE(DropoutKey{true, 1, 1}.site(DropoutSite::head, 0, 0).active());
  CHECK_FALSE(DropoutKey{false, 1, 1}.site(DropoutSite::head, 0, 0.5).active());
  CHECK(rate(mask({})) == 1);
}

TEST_CASE("masks that differ in one part of the key are independent") {
  double const p = 0.3;
  DropoutKey const key{true, 77, 5};
  std::vector<bool> const base = mask(key.site(DropoutSite::feed_forward, 2, p));
  double const same = (1 - p) * (1 - p) + p * p;
  auto independent = [&](std::string const& what, std::vector<bool> const& other) {
    INFO(what);
    CHECK(std::abs(agreement(base, other) - same) <= five_sigma(same));
  };
  CHECK(agreement(base, mask(key.site(DropoutSite::feed_forward, 2, p))) == 1);  // the same key is the same mask
  for (auto const site : {DropoutSite::embedding, DropoutSite::attention, DropoutSite::attention_output, DropoutSite::head})
    independent("site " + std::to_string(int(site)), mask(key.site(site, 2, p)));
  for (Index const layer : {0, 1, 3, 11, 23}) independent("layer", mask(key.site(DropoutSite::feed_forward, layer, p)));
  for (std::uint64_t const step : {0ull, 4ull, 6ull, 5ull + (1ull << 32), 1ull << 40})
    independent("step " + std::to_string(step), mask(DropoutKey{true, 77, step}.site(DropoutSite::feed_forward, 2, p)));
  for (std::uint64_t const seed : {0ull, 76ull, 78ull, 77ull + (1ull << 32), 77ull << 32})
    independent("seed " + std::to_string(seed), mask(DropoutKey{true, seed, 5}.site(DropoutSite::feed_forward, 2, p)));
  Dropout const dropout = key.site(DropoutSite::feed_forward, 2, p);
  for (Index const shift : {1, 2, 7, 8, 64, 65536, 3 * 65536})
    independent("column + " + std::to_string(shift), mask(dropout, shift));
  for (Index const shift : {1, 50}) independent("position + " + std::to_string(shift), mask(dropout, 0, shift));
  for (Index const shift : {1, 16}) independent("example + " + std::to_string(shift), mask(dropout, 0, 0, shift));
}

TEST_CASE("the eight columns of one random call") {
  // keeps() is the definition; kernels read the words themselves.
  Dropout const dropout = DropoutKey{true, 3, 9}.site(DropoutSite::attention, 4, 0.4);
  for (Index column = 0; column < 64; ++column) {
    PhiloxWords const words = dropout.words(std::uint32_t(column / 8), 17, 5);
    std::uint32_t const word = words.word[(column % 8) / 2], bits = column % 2 == 0 ? word & 0xFFFF : word >> 16;
    CHECK(dropout.keeps(column, 17, 5) == (bits >= dropout.threshold));
  }
}

TEST_CASE("Philox gives the published numbers") {
  // The known answers of Random123 1.14, kat_vectors, philox4x32 10.
  auto check = [](PhiloxWords got, std::uint32_t a, std::uint32_t b, std::uint32_t c, std::uint32_t d) {
    CHECK(got.word[0] == a);
    CHECK(got.word[1] == b);
    CHECK(got.word[2] == c);
    CHECK(got.word[3] == d);
  };
  std::uint32_t const ones = 0xffffffff;
  check(philox4x32(0, 0, 0, 0, 0, 0), 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8);
  check(philox4x32(ones, ones, ones, ones, ones, ones), 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd);
  check(philox4x32(0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0), 0xd16cfe09, 0x94fdcceb,
        0x5001e420, 0x24126ea1);
}

}  // namespace
