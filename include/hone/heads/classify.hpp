#pragma once

#include <string>

#include "hone/core/fixed_string.hpp"
#include "hone/heads/head.hpp"

namespace hone {

/// Scores (logits) of K classes. Output (B, K); labels are whole numbers 0 .. K - 1.
template <FixedString Name, int K>
struct Classify {
  static_assert(K >= 2, "[hone-E121] Classify: a head needs at least two classes. See docs/errors.md#e121.");
  using Label = std::int32_t;
  using Map = Identity;
  static constexpr Index width = K;
  static constexpr bool classifies = true;
  static constexpr std::string_view name() { return Name.view(); }
  static bool allows(double label) {
    return label >= 0 && label < K && label == static_cast<double>(static_cast<int>(label));
  }
  static std::string allowed() { return "whole numbers 0 to " + std::to_string(K - 1); }
};

}  // namespace hone
