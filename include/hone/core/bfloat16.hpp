#pragma once

#include <concepts>
#include <cstdint>
#include <limits>

#include "hone/core/config.hpp"

namespace hone {

/// A 16-bit floating-point number with the exponent of float and 8 significant bits: the upper half of a float.
///
/// Storage only: it converts to float without loss, and from float rounding to nearest, ties to even. Values above the
/// largest finite one become infinite; NaN stays NaN. Relative rounding error at most 2^-8.
struct bfloat16 {
  std::uint16_t bits;

  bfloat16() = default;
  template <class T>
    requires std::floating_point<T> || std::integral<T>
  HONE_HOST_DEVICE constexpr explicit bfloat16(T value) : bits(rounded(static_cast<float>(value))) {}

  HONE_HOST_DEVICE constexpr operator float() const {
    return __builtin_bit_cast(float, static_cast<std::uint32_t>(bits) << 16);
  }

  HONE_HOST_DEVICE static constexpr bfloat16 from_bits(std::uint16_t bits) {
    bfloat16 value{};
    value.bits = bits;
    return value;
  }

 private:
  HONE_HOST_DEVICE static constexpr std::uint16_t rounded(float value) {
    std::uint32_t const word = __builtin_bit_cast(std::uint32_t, value);
    if ((word & 0x7FFFFFFFu) > 0x7F800000u) return static_cast<std::uint16_t>(word >> 16 | 0x0040u);  // NaN, kept quiet
    return static_cast<std::uint16_t>((word + 0x7FFFu + (word >> 16 & 1u)) >> 16);
  }
};
static_assert(sizeof(bfloat16) == 2);

/// The distance from 1 to the next larger value of a number format: std::numeric_limits' epsilon, and 2^-7 for bfloat16.
template <class T>
inline constexpr double machine_epsilon = static_cast<double>(std::numeric_limits<T>::epsilon());
template <>
inline constexpr double machine_epsilon<bfloat16> = 0.0078125;

}  // namespace hone
