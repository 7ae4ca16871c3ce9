#pragma once

#include <cstdint>
#include <type_traits>

#include "hone/core/bfloat16.hpp"
#include "hone/cuda/attention_tiles.hpp"
#include "hone/cuda/mma.hpp"

namespace hone::detail {

// The two products of attention, for M times 16 rows of a warp. In bfloat16 a fragment of the right operand is loaded once
// for all M, by ldmatrix; in float and double these are the plain loops of mma.hpp. The layout of sums is that of mma.hpp.

/// Four 8 x 8 matrices of bfloat16 from shared memory: lanes 8 i .. 8 i + 7 name where the rows of matrix i begin (a
/// multiple of 16 bytes); lane l gets of each the values (l / 4, 2 (l % 4)) and (l / 4, 2 (l % 4) + 1), of the transposed
/// matrix where `transposed`. Source: PTX ISA 8.7, section 9.7.14.5.15, "ldmatrix".
template <bool transposed, class Thread, class Values>
HONE_HOST_DEVICE inline void load_matrices([[maybe_unused]] Thread const& thread, Values const& values, int row_begin,
                                           std::uint32_t (&to)[4]) {
#if defined(__CUDA_ARCH__)
  auto const address = static_cast<std::uint32_t>(__cvta_generic_to_shared(values + row_begin));
  if constexpr (transposed)
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
                 : "r"(address)
                 : "memory");
  else
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
                 : "r"(address)
                 : "memory");
#else
  int const group = thread.lane() / 4, pair = thread.lane() % 4 * 2;
  load_as<Words4>(values, row_begin);  // refuses what a device would
  for (int i = 0; i < 4; ++i) {
    if constexpr (transposed) {
      bfloat16 const low = values[thread.shuffle(row_begin, 8 * i + pair) + group];
      bfloat16 const high = values[thread.shuffle(row_begin, 8 * i + pair + 1) + group];
      to[i] = static_cast<std::uint32_t>(low.bits) | static_cast<std::uint32_t>(high.bits) << 16;
    } else {
      to[i] = load_as<std::uint32_t>(values, thread.shuffle(row_begin, 8 * i + group) + pair);
    }
  }
#endif
}

/// sums[m][t] += <left row, right row> over W columns: left rows left_row + 16 m .., right rows right_row + 8 t ..
template <class A, int W, class Thread, class S, int M, int T, class Values>
HONE_HOST_DEVICE inline void add_row_products(Thread const& thread, S (&sums)[M][T][4], Values const& left, int left_row,
                                              Values const& right, int right_row) {
  constexpr int stride = tile_stride<A, W>;
  if constexpr (std::is_same_v<A, bfloat16>) {
    static_assert(T % 2 == 0);
    int const lane = thread.lane();
    // left: matrices (rows 0-7, columns 0-7), (8-15, 0-7), (0-7, 8-15), (8-15, 8-15); right: rows and columns exchanged
    int const left_at = (left_row + lane % 16) * stride + lane / 16 * 8;
    int const right_at = (right_row + lane % 8 + lane / 16 * 8) * stride + lane / 8 % 2 * 8;
    HONE_UNROLL
    for (int k = 0; k < W; k += 16) {
      std::uint32_t a[M][4];
      HONE_UNROLL
      for (int m = 0; m < M; ++m) load_matrices<false>(thread, left, left_at + 16 * m * stride + k, a[m]);
      HONE_UNROLL
      for (int t = 0; t < T; t += 2) {
        std::uint32_t b[4];
        load_matrices<false>(thread, right, right_at + 8 * t * stride + k, b);
        std::uint32_t const even[2] = {b[0], b[1]}, odd[2] = {b[2], b[3]};
        HONE_UNROLL
        for (int m = 0; m < M; ++m) {
          thread.mma_bf16(sums[m][t], a[m], even);
          thread.mma_bf16(sums[m][t + 1], a[m], odd);
        }
      }
    }
  } else {
    HONE_UNROLL
    for (int m = 0; m < M; ++m)
      warp_mma<A, W>(thread, sums[m], shared_tile(left, stride).block(left_row + 16 * m, 0),
                     shared_tile(right, stride).block(right_row, 0).transposed());
  }
}

/// sums[m] += weights[m] * rows row .. row + 8 K - 1, weights laid out as sums are, the result W columns.
template <class A, int W, class Thread, class S, int M, int K, class Values>
HONE_HOST_DEVICE inline void add_weighted_rows(Thread const& thread, S (&sums)[M][W / 8][4], S const (&weights)[M][K][4],
                                               Values const& rows, int row) {
  constexpr int stride = tile_stride<A, W>;
  if constexpr (std::is_same_v<A, bfloat16>) {
    static_assert(K % 2 == 0);
    int const lane = thread.lane(), at = (row + lane % 16) * stride + lane / 16 * 8;
    HONE_UNROLL
    for (int k = 0; k < K; k += 2) {
      std::uint32_t a[M][4];
      HONE_UNROLL
      for (int m = 0; m < M; ++m)
        HONE_UNROLL
        for (int i = 0; i < 4; ++i)
          a[m][i] = pack_bf16(weights[m][k + i / 2][i % 2 * 2], weights[m][k + i / 2][i % 2 * 2 + 1]);
      HONE_UNROLL
      for (int t = 0; t < W / 8; t += 2) {
        std::uint32_t b[4];
        load_matrices<true>(thread, rows, at + 8 * k * stride + 8 * t, b);
        std::uint32_t const even[2] = {b[0], b[1]}, odd[2] = {b[2], b[3]};
        HONE_UNROLL
        for (int m = 0; m < M; ++m) {
          thread.mma_bf16(sums[m][t], a[m], even);
          thread.mma_bf16(sums[m][t + 1], a[m], odd);
        }
      }
    }
  } else {
    HONE_UNROLL
    for (int m = 0; m < M; ++m)
      warp_mma_registers<A>(thread, sums[m], weights[m], shared_tile(rows, stride).block(row, 0));
  }
}

}  // namespace hone::detail
