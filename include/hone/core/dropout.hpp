#pragma once

#include <cmath>
#include <cstdint>

#include "hone/core/config.hpp"
#include "hone/core/matrix.hpp"
#include "hone/core/philox.hpp"

namespace hone {

/// Which dropout of the model a mask belongs to; part of the random key.
enum class DropoutSite : std::uint32_t { embedding = 0, attention = 1, attention_output = 2, feed_forward = 3, head = 4 };

/// A dropout mask as a pure function of its key; nothing is stored, backward computes it again.
///
/// Element (example, position, column) is kept when its 16 random bits are >= threshold. The bits come from
///   philox4x32(counter = {column / 8, position, example, step}, key = {seed, stream}),
/// eight columns a call: column c takes bits 16 * (c % 2) of word (c % 8) / 2. `example` is the index within the
/// optimizer step, never the row of the batch, so that masks do not depend on how a step is cut into batches.
/// For attention probabilities the position is the query's and the column is head * 65536 + key, so that
/// column / 8 = head * 8192 + key / 8. Sequences are shorter than 65,536 tokens.
///
/// p is rounded to threshold / 65536 (error at most 2^-17); kept values are scaled by 1 / (1 - threshold / 65536), so
/// that the expectation is exact. Source: Srivastava et al. 2014, JMLR 15, section 4 (inverted form).
struct Dropout {
  std::uint32_t threshold = 0;     ///< p * 65536, rounded; 0: no dropout
  std::uint32_t key0 = 0, key1 = 0;
  std::uint32_t step = 0;

  HONE_HOST_DEVICE constexpr bool active() const { return threshold != 0; }
  /// What kept values are multiplied with.
  HONE_HOST_DEVICE constexpr double scale() const { return 65536.0 / (65536.0 - static_cast<double>(threshold)); }

  /// The random words of columns 8 * block .. 8 * block + 7.
  HONE_HOST_DEVICE constexpr PhiloxWords words(std::uint32_t block, std::uint32_t position, std::uint32_t example) const {
    return philox4x32(block, position, example, step, key0, key1);
  }
  /// Whether one element is kept. Slow form, the definition; kernels call words() once for eight columns.
  HONE_HOST_DEVICE constexpr bool keeps(Index column, Index position, Index example) const {
    if (threshold == 0) return true;
    PhiloxWords const w = words(static_cast<std::uint32_t>(column / 8), static_cast<std::uint32_t>(position),
                                static_cast<std::uint32_t>(example));
    std::uint32_t const lane = static_cast<std::uint32_t>(column % 8);
    return ((w.word[lane / 2] >> (16 * (lane % 2))) & 0xFFFFu) >= threshold;
  }
};

/// Where the random numbers of one forward pass come from. With `training` false nothing is dropped.
struct DropoutKey {
  bool training = false;
  std::uint64_t seed = 0;
  std::uint64_t step = 0;  ///< optimizer step, from 0

  /// The mask of one site. @param p probability of dropping, in [0, 1); @param layer block number (0 for embedding and
  /// heads)
  Dropout site(DropoutSite what, Index layer, double p) const {
    if (!training || p <= 0) return {};
    std::uint32_t const stream = static_cast<std::uint32_t>(what) << 16 | static_cast<std::uint32_t>(layer);
    double const rounded = std::nearbyint(p * 65536.0);
    // The seed's high half, the stream and the step's high half meet in key1; multiplication by odd numbers keeps them
    // apart.
    std::uint32_t const key1 = static_cast<std::uint32_t>(seed >> 32) ^ (stream * 0x9E3779B1u) ^
                               (static_cast<std::uint32_t>(step >> 32) * 0x85EBCA77u);
    return {static_cast<std::uint32_t>(rounded > 65535.0 ? 65535.0 : rounded), static_cast<std::uint32_t>(seed), key1,
            static_cast<std::uint32_t>(step)};
  }
};

}  // namespace hone
