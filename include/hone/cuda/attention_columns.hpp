#pragma once

#include <cstdint>
#include <type_traits>

#include "hone/cuda/attention_tiles.hpp"
#include "hone/cuda/mma.hpp"
#include "hone/cuda/warp.hpp"

namespace hone::detail {

// Rows of a head that lie in the registers of eight lanes, C = W / 8 columns in each.

template <int C, class A>
using ColumnWord = std::conditional_t<(C * sizeof(A) >= 16), Words4, std::uint64_t>;

/// Columns first .. first + C - 1 of a row, zeros beyond the head's width and where there is no row.
template <int C, class S, class A>
HONE_HOST_DEVICE inline void load_columns(HeadRows<A const> const& from, int row, int first, S (&to)[C]) {
  using Word = ColumnWord<C, A>;
  constexpr int step = static_cast<int>(sizeof(Word) / sizeof(A));
  A const* const source = from.data + row * from.stride;
  HONE_UNROLL
  for (int c = 0; c < C; c += step) {
    bool const inside = row < from.count && first + c < from.width;
    A values[step];
    if (from.whole_pieces) {
      Word const word = inside ? load_as<Word>(source, first + c) : Word{};
      __builtin_memcpy(values, &word, sizeof(Word));
    } else {
      HONE_UNROLL
      for (int i = 0; i < step; ++i) values[i] = inside && first + c + i < from.width ? source[first + c + i] : A(0);
    }
    HONE_UNROLL
    for (int i = 0; i < step; ++i) to[c + i] = S(values[i]);
  }
}

/// factor * values as columns first .. of a row.
template <int C, class S, class A>
HONE_HOST_DEVICE inline void store_columns(HeadRows<A> const& to, int row, int first, S factor, S const (&from)[C]) {
  using Word = ColumnWord<C, A>;
  constexpr int step = static_cast<int>(sizeof(Word) / sizeof(A));
  A* const target = to.data + row * to.stride;
  HONE_UNROLL
  for (int c = 0; c < C; c += step) {
    if (first + c >= to.width) return;
    A values[step];
    if constexpr (std::is_same_v<A, bfloat16>) {
      std::uint32_t pairs[step / 2];
      HONE_UNROLL
      for (int i = 0; i < step; i += 2) pairs[i / 2] = pack_bf16(factor * from[c + i], factor * from[c + i + 1]);
      __builtin_memcpy(static_cast<void*>(values), pairs, sizeof(Word));
    } else {
      HONE_UNROLL
      for (int i = 0; i < step; ++i) values[i] = factor * from[c + i];
    }
    if (to.whole_pieces) {
      Word word;
      __builtin_memcpy(&word, values, sizeof(Word));
      store_as<Word>(target, first + c, word);
    } else {
      HONE_UNROLL
      for (int i = 0; i < step; ++i)
        if (first + c + i < to.width) target[first + c + i] = values[i];
    }
  }
}

/// <a, b> over the columns of the eight lanes that share a key; all of them get it.
template <int C, class Thread, class S>
HONE_HOST_DEVICE inline S column_dot(Thread const& thread, S const (&a)[C], S const (&b)[C]) {
  S sum = 0;
  HONE_UNROLL
  for (int c = 0; c < C; ++c) sum += a[c] * b[c];
  return combine_lanes<Plus>(thread, sum, 8);
}

}  // namespace hone::detail
