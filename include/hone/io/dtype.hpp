// The element types of safetensors files and their conversion to the types we compute with.
#pragma once

#include <array>
#include <bit>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>

namespace hone {

/// Element type of a tensor in a file, spelled as the safetensors format spells it, in its order (ascending alignment).
enum class DType : std::uint8_t {
  BOOL,
  F4,
  F6_E2M3,
  F6_E3M2,
  U8,
  I8,
  F8_E5M2,
  F8_E4M3,
  F8_E8M0,
  F8_E4M3FNUZ,
  F8_E5M2FNUZ,
  I16,
  U16,
  F16,
  BF16,
  I32,
  U32,
  F32,
  C64,
  F64,
  I64,
  U64
};

namespace detail {

struct DTypeRow {
  std::string_view name;
  std::uint8_t bits;
};
inline constexpr std::array<DTypeRow, 22> dtype_table{{
    {"BOOL", 8},    {"F4", 4},      {"F6_E2M3", 6}, {"F6_E3M2", 6},     {"U8", 8},          {"I8", 8},
    {"F8_E5M2", 8}, {"F8_E4M3", 8}, {"F8_E8M0", 8}, {"F8_E4M3FNUZ", 8}, {"F8_E5M2FNUZ", 8}, {"I16", 16},
    {"U16", 16},    {"F16", 16},    {"BF16", 16},   {"I32", 32},        {"U32", 32},        {"F32", 32},
    {"C64", 64},    {"F64", 64},    {"I64", 64},    {"U64", 64},
}};
static_assert(dtype_table[static_cast<std::size_t>(DType::U64)].name == "U64");

}  // namespace detail

/// Bits per element.
constexpr std::size_t bits(DType dtype) noexcept { return detail::dtype_table[static_cast<std::size_t>(dtype)].bits; }

/// The name as written in files, "F32".
constexpr std::string_view name(DType dtype) noexcept { return detail::dtype_table[static_cast<std::size_t>(dtype)].name; }

/// The type of that name, nothing if the format knows none.
constexpr std::optional<DType> dtype_from_name(std::string_view text) noexcept {
  for (std::size_t i = 0; i < detail::dtype_table.size(); ++i)
    if (detail::dtype_table[i].name == text) return static_cast<DType>(i);
  return std::nullopt;
}

/// The element type that holds values of the C++ type T: DType of float is F32.
template <class T>
constexpr DType dtype_of() noexcept {
  if constexpr (std::is_same_v<T, double>)
    return DType::F64;
  else if constexpr (std::is_same_v<T, float>)
    return DType::F32;
  else {
    static_assert(std::is_integral_v<T> && !std::is_same_v<T, bool>, "a tensor in memory holds float, double or integers");
    constexpr bool is_signed = std::is_signed_v<T>;
    if constexpr (sizeof(T) == 8)
      return is_signed ? DType::I64 : DType::U64;
    else if constexpr (sizeof(T) == 4)
      return is_signed ? DType::I32 : DType::U32;
    else if constexpr (sizeof(T) == 2)
      return is_signed ? DType::I16 : DType::U16;
    else
      return is_signed ? DType::I8 : DType::U8;
  }
}

/// The value of an IEEE 754 binary16 number given by its bits; exact.
constexpr float float_from_half(std::uint16_t half) noexcept {
  std::uint32_t const sign = std::uint32_t{half & 0x8000u} << 16;
  std::uint32_t const exponent = (half >> 10) & 31u;
  std::uint32_t const fraction = half & 0x3ffu;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000u | fraction << 13);  // infinity, NaN
  if (exponent == 0) {  // zero and subnormals: fraction * 2^-24
    float const magnitude = static_cast<float>(fraction) * 0x1p-24f;
    return sign != 0 ? -magnitude : magnitude;
  }
  return std::bit_cast<float>(sign | (exponent + 112) << 23 | fraction << 13);
}

/// The value of a bfloat16 number given by its bits; exact.
constexpr float float_from_bfloat16(std::uint16_t bits16) noexcept {
  return std::bit_cast<float>(std::uint32_t{bits16} << 16);
}

namespace detail {

static_assert(std::endian::native == std::endian::little, "safetensors files are little-endian, and read as they are");

/// Loads one stored element: no alignment is assumed, since files need not align their tensors.
template <class Stored>
Stored load(unsigned char const* bytes) noexcept {
  Stored value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

template <class T, class Stored>
bool convert_one(Stored value, T& out) noexcept {
  if constexpr (std::is_integral_v<T>) {
    out = static_cast<T>(value);
    return std::in_range<T>(value);
  } else {
    out = static_cast<T>(value);
    return std::isfinite(out) || !std::isfinite(value);  // a finite number must not become infinite
  }
}

/// Converts `count` stored elements; returns the index of the first value that T cannot hold, `count` if all fit.
template <class T, class Stored, class Decode>
std::size_t convert_all(unsigned char const* bytes, std::size_t count, T* out, Decode decode) noexcept {
  for (std::size_t i = 0; i < count; ++i)
    if (!convert_one<T>(decode(load<Stored>(bytes + i * sizeof(Stored))), out[i])) return i;
  return count;
}

/// True if elements of this type may be read into a T: floats into floats, integers and BOOL into integers.
template <class T>
constexpr bool convertible_to(DType dtype) noexcept {
  bool const is_float = dtype == DType::F64 || dtype == DType::F32 || dtype == DType::F16 || dtype == DType::BF16;
  if constexpr (std::is_floating_point_v<T>) return is_float;
  return !is_float && dtype != DType::C64 &&
         (bits(dtype) >= 16 || dtype == DType::U8 || dtype == DType::I8 || dtype == DType::BOOL);
}

/// Converts `count` elements of a type for which `convertible_to<T>` holds. Rounds to nearest. Returns as convert_all.
template <class T>
std::size_t convert(DType dtype, unsigned char const* bytes, std::size_t count, T* out) noexcept {
  auto const same = [](auto value) { return value; };
  if constexpr (std::is_floating_point_v<T>) {
    if (dtype == DType::F64) return convert_all<T, double>(bytes, count, out, same);
    if (dtype == DType::F32) return convert_all<T, float>(bytes, count, out, same);
    if (dtype == DType::F16) return convert_all<T, std::uint16_t>(bytes, count, out, float_from_half);
    return convert_all<T, std::uint16_t>(bytes, count, out, float_from_bfloat16);
  } else {
    switch (dtype) {
      case DType::BOOL:
        return convert_all<T, std::uint8_t>(bytes, count, out, [](std::uint8_t v) { return v != 0 ? 1 : 0; });
      case DType::I8:
        return convert_all<T, std::int8_t>(bytes, count, out, same);
      case DType::U8:
        return convert_all<T, std::uint8_t>(bytes, count, out, same);
      case DType::I16:
        return convert_all<T, std::int16_t>(bytes, count, out, same);
      case DType::U16:
        return convert_all<T, std::uint16_t>(bytes, count, out, same);
      case DType::I32:
        return convert_all<T, std::int32_t>(bytes, count, out, same);
      case DType::U32:
        return convert_all<T, std::uint32_t>(bytes, count, out, same);
      case DType::I64:
        return convert_all<T, std::int64_t>(bytes, count, out, same);
      default:
        return convert_all<T, std::uint64_t>(bytes, count, out, same);
    }
  }
}

}  // namespace detail

}  // namespace hone
