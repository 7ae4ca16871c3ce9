#pragma once

#include <cmath>
#include <string>

#include "hone/core/fixed_string.hpp"
#include "hone/heads/head.hpp"

namespace hone {

/// One number an example, y = OutputMapType(linear). Output (B, 1); labels are finite numbers.
template <FixedString Name, class OutputMapType = Identity>
struct Regress {
  using Label = double;
  using Map = OutputMapType;
  static constexpr Index width = 1;
  static constexpr bool classifies = false;
  static constexpr std::string_view name() { return Name.view(); }
  static bool allows(double label) { return std::isfinite(label); }
  static std::string allowed() { return "finite numbers"; }
};

}  // namespace hone
