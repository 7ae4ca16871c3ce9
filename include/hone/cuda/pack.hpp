#pragma once

#include <cstdint>
#include <cstring>

#include "hone/core/bfloat16.hpp"
#include "hone/core/philox.hpp"
#include "hone/cuda/mma.hpp"
#include "hone/cuda/thread.hpp"

namespace hone::detail {

/// The bits of one value as another type. nvcc 13.0 breaks off at __builtin_bit_cast of an array's element.
template <class To, class From>
HONE_HOST_DEVICE inline To bits_as(From from) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  std::memcpy(&to, &from, sizeof(To));
  return to;
}

/// Neighbouring values as they lie in memory, kept in 32-bit registers: narrow formats stay narrow until they are used.
/// Every index must be known when the code is unrolled. count * sizeof(A) is a multiple of 4.
template <class A, int count>
struct Pack {
  static constexpr int words = count * static_cast<int>(sizeof(A)) / 4;
  std::uint32_t word[words];

  HONE_HOST_DEVICE A get(int i) const {
    if constexpr (sizeof(A) == 2) {
      return A::from_bits(static_cast<std::uint16_t>(word[i / 2] >> (16 * (i % 2))));
    } else if constexpr (sizeof(A) == 4) {
      return bits_as<A>(word[i]);
    } else {
      return bits_as<A>(std::uint64_t{word[2 * i + 1]} << 32 | word[2 * i]);
    }
  }
  HONE_HOST_DEVICE void set(int i, A value) {
    if constexpr (sizeof(A) == 2) {
      std::uint32_t const bits = value.bits;
      word[i / 2] = i % 2 == 0 ? (word[i / 2] & 0xFFFF0000u) | bits : (word[i / 2] & 0x0000FFFFu) | bits << 16;
    } else if constexpr (sizeof(A) == 4) {
      word[i] = bits_as<std::uint32_t>(value);
    } else {
      std::uint64_t const bits = bits_as<std::uint64_t>(value);
      word[2 * i] = static_cast<std::uint32_t>(bits);
      word[2 * i + 1] = static_cast<std::uint32_t>(bits >> 32);
    }
  }
  HONE_HOST_DEVICE static Pack zero() {
    Pack pack;
    HONE_DEVICE_UNROLL
    for (int i = 0; i < words; ++i) pack.word[i] = 0;
    return pack;
  }
};

/// Values rounded to A; pairs of bfloat16 by one instruction where there is one.
template <class A, class S, int count>
HONE_HOST_DEVICE inline Pack<A, count> to_pack(S const (&values)[count]) {
  Pack<A, count> pack;
  if constexpr (sizeof(A) == 2) {
    HONE_DEVICE_UNROLL
    for (int i = 0; i < pack.words; ++i) pack.word[i] = pack_bf16(values[2 * i], values[2 * i + 1]);
  } else {
    HONE_DEVICE_UNROLL
    for (int i = 0; i < count; ++i) pack.set(i, A(values[i]));
  }
  return pack;
}

struct alignas(8) Words2 {
  std::uint32_t word[2];
};

/// values[first .. first + count): by accesses of 16 bytes (or all bytes, when there are fewer) if `wide`, which needs all
/// of them inside the width and aligned; else one by one, those from `width` on being zero.
template <bool wide, int count, class A>
HONE_HOST_DEVICE inline Pack<A, count> load_pack(A const* values, Index first, Index width) {
  Pack<A, count> pack = Pack<A, count>::zero();
  if constexpr (!wide) {
    HONE_DEVICE_UNROLL
    for (int i = 0; i < count; ++i)
      if (first + i < width) pack.set(i, values[first + i]);
  } else if constexpr (Pack<A, count>::words == 2) {
    Words2 const part = load_as<Words2>(values, first);
    pack.word[0] = part.word[0];
    pack.word[1] = part.word[1];
  } else {
    HONE_DEVICE_UNROLL
    for (int p = 0; p < Pack<A, count>::words / 4; ++p) {
      Words4 const part = load_as<Words4>(values, first + p * static_cast<int>(16 / sizeof(A)));
      HONE_DEVICE_UNROLL
      for (int i = 0; i < 4; ++i) pack.word[4 * p + i] = part.word[i];
    }
  }
  return pack;
}

/// The counterpart of load_pack; nothing is written from `width` on.
template <bool wide, int count, class A>
HONE_HOST_DEVICE inline void store_pack(A* values, Index first, Index width, Pack<A, count> const& pack) {
  if constexpr (!wide) {
    HONE_DEVICE_UNROLL
    for (int i = 0; i < count; ++i)
      if (first + i < width) values[first + i] = pack.get(i);
  } else if constexpr (Pack<A, count>::words == 2) {
    store_as(values, first, Words2{{pack.word[0], pack.word[1]}});
  } else {
    HONE_DEVICE_UNROLL
    for (int p = 0; p < Pack<A, count>::words / 4; ++p)
      store_as(values, first + p * static_cast<int>(16 / sizeof(A)),
               Words4{{pack.word[4 * p], pack.word[4 * p + 1], pack.word[4 * p + 2], pack.word[4 * p + 3]}});
  }
}

/// Whether rows of `width` values can be read in packs of `count`: `data` and the stride are multiples of 16 bytes.
template <class A>
bool is_wide(A const* data, Index rows, Index stride) {
  return is_aligned_for<Words4>(data) && (rows <= 1 || stride * static_cast<Index>(sizeof(A)) % 16 == 0);
}
template <class A>
bool is_wide(MatrixView<A> const& x) {
  return is_wide(x.data, x.rows, x.stride);
}
template <class A>
bool is_wide(VectorView<A> const& x) {
  return is_wide(x.data, 1, 0);
}

/// Columns that share the random words of one Philox call (core/dropout.hpp), and that a lane takes at a time.
inline constexpr int octet = 8;

/// Eight neighbouring columns, the first a multiple of eight.
template <class A>
using Octet = Pack<A, octet>;

/// Whether column i of an octet is kept, by the octet's random words.
HONE_HOST_DEVICE inline bool is_kept(PhiloxWords const& random, int i, std::uint32_t threshold) {
  return ((random.word[i / 2] >> (16 * (i % 2))) & 0xFFFFu) >= threshold;
}

}  // namespace hone::detail
