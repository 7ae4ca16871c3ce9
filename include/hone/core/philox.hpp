#pragma once

#include <cstdint>

#include "hone/core/config.hpp"

namespace hone {

/// Four random 32-bit words.
struct PhiloxWords {
  std::uint32_t word[4];
};

/// Philox4x32-10: a counter-based generator, one call maps (counter, key) to 128 random bits with no state.
/// Source: Salmon, Moraes, Dror, Shaw, "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011, section 3.3, table 2.
HONE_HOST_DEVICE constexpr PhiloxWords philox4x32(std::uint32_t c0, std::uint32_t c1, std::uint32_t c2, std::uint32_t c3,
                                                  std::uint32_t k0, std::uint32_t k1) {
  for (int round = 0; round < 10; ++round) {
    std::uint64_t const p0 = std::uint64_t{0xD2511F53u} * c0;
    std::uint64_t const p1 = std::uint64_t{0xCD9E8D57u} * c2;
    std::uint32_t const n0 = static_cast<std::uint32_t>(p1 >> 32) ^ c1 ^ k0;
    std::uint32_t const n2 = static_cast<std::uint32_t>(p0 >> 32) ^ c3 ^ k1;
    c1 = static_cast<std::uint32_t>(p1);
    c3 = static_cast<std::uint32_t>(p0);
    c0 = n0;
    c2 = n2;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return {{c0, c1, c2, c3}};
}

/// A stream of random numbers for host code (initialisation, shuffling): Philox words in counter order.
class PhiloxStream {
 public:
  /// @param seed    the run's seed
  /// @param stream  what the numbers are for; different streams of one seed are independent
  constexpr PhiloxStream(std::uint64_t seed, std::uint64_t stream) : seed_(seed), stream_(stream) {}

  constexpr std::uint32_t next() {
    if (used_ == 4) {
      words_ = philox4x32(static_cast<std::uint32_t>(counter_), static_cast<std::uint32_t>(counter_ >> 32),
                          static_cast<std::uint32_t>(stream_), static_cast<std::uint32_t>(stream_ >> 32),
                          static_cast<std::uint32_t>(seed_), static_cast<std::uint32_t>(seed_ >> 32));
      ++counter_;
      used_ = 0;
    }
    return words_.word[used_++];
  }

  /// Uniform in [0, 1) with 53 random bits.
  constexpr double uniform() {
    std::uint64_t const high = next() >> 5, low = next() >> 6;
    return (static_cast<double>(high) * 67108864.0 + static_cast<double>(low)) / 9007199254740992.0;
  }

  /// Uniform in [0, bound), without bias (rejection). `bound` must be positive.
  constexpr std::uint64_t below(std::uint64_t bound) {
    std::uint64_t const limit = ~std::uint64_t{0} - ~std::uint64_t{0} % bound;
    for (;;) {
      std::uint64_t const high = next();
      std::uint64_t const value = high << 32 | next();
      if (value < limit) return value % bound;
    }
  }

 private:
  std::uint64_t seed_, stream_, counter_ = 0;
  PhiloxWords words_{};
  int used_ = 4;
};

}  // namespace hone
