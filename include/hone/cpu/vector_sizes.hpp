// Sizes that vector kernels (cpu/simd/) and the plans of what they take (cpu/kernel_memory.hpp) have in common.
#pragma once

#include <algorithm>
#include <type_traits>

#include "hone/core/bfloat16.hpp"
#include "hone/core/instruction_set.hpp"
#include "hone/core/matrix.hpp"

namespace hone::detail {

/// What a storage format is computed in: float for bfloat16, else itself.
template <class T>
using ScalarOf = std::conditional_t<std::is_same_v<T, bfloat16>, float, T>;

/// The register tile of a product is so many vectors wide; so much of the inner dimension is summed before it goes back to
/// memory.
inline constexpr int tile_vectors = 3;
inline constexpr Index tile_depth = 768;
/// Rows of the register tile: with its operands it fills the register file.
constexpr int tile_rows(bool many_registers) { return many_registers ? 8 : 4; }

/// Bytes of the second cache that resident panels may take: of two MiB, what a neighbour on the core leaves.
inline constexpr Index resident_panel_bytes = 640 * 1024;
/// Columns of a weight's gradient that are summed together.
inline constexpr Index widest_chunk = 384;

/// How many rows one partial sum of a column covers: fixed, so that sums have the same bits for any number of threads.
inline constexpr Index partial_rows = 64;

/// The tokens of a product of weight gradients are gone through in pieces of so many steps: a block of a piece (32 KiB) fits
/// the nearest cache, and `gradient_blocks` of them the second. Sums go on from piece to piece.
inline constexpr Index gradient_steps = 16;
inline constexpr Index gradient_blocks = 24;
/// How many steps a piece has.
constexpr Index gradient_piece(Index steps) {
  Index const pieces = (steps + gradient_steps - 1) / gradient_steps;
  return (steps + pieces - 1) / pieces;
}
/// Into how many ranges the blocks of the larger operand are cut: two for each thread, so that one that is fast need not
/// wait for a range that a slow one is at.
constexpr Index gradient_ranges(Index blocks, Index threads) {
  Index const wanted = ((blocks + gradient_blocks - 1) / gradient_blocks + 3) / 4 * 4;
  return std::min(blocks, std::max(wanted, 2 * threads));
}
/// Floats that threads share: sums of all blocks and of the bias, and how many steps each range has done.
constexpr Index gradient_floats(Index blocks, Index other_blocks) {
  return blocks * (other_blocks * 32 * 32 + 32 + Index{sizeof(Index) / sizeof(float)});
}

/// Floats of a thread's memory in attention's forward pass on tiles: of keys and values in bfloat16, and twice a block's
/// queries in bfloat16 and its sums, a step's scores and, in bfloat16, probabilities.
constexpr Index attention_forward_floats(Index keys, Index slices) {
  Index const row = 32 * slices;
  return keys * row + 2 * (16 * row + 32 * row + 32 * 32 + 32 * 32 / 2);
}

/// Attention's backward on tiles takes so many queries and keys of a head of so many slices (32 columns) at a time. Few
/// blocks, for each loads and stores all of its sums; and small ones, for what a square leaves is written and read again.
constexpr Index attention_queries(Index slices) { return slices == 1 ? 128 : 192; }
constexpr Index attention_keys(Index slices) { return slices == 1 ? 64 : 128; }
/// Floats of a thread's memory for it: of `keys` keys, of a block's queries, of a block's squares, of two squares' scores.
constexpr Index attention_backward_floats(Index keys, Index slices) {
  Index const row = 32 * slices, queries = attention_queries(slices), squares = queries * attention_keys(slices);
  return keys * row * 7 / 2 + queries * (3 * row + 2) + squares * 3 / 2 + 4 * 32 * 32;
}

/// What the scratch memory of vector kernels depends on, as they are compiled for an instruction set.
struct VectorSizes {
  Index lanes, words, rows, cols;  ///< of T, of 32 bits; of the register tile
  Index depth;                     ///< of the register tile
  bool many_registers;
};
template <class T>
constexpr VectorSizes vector_sizes(InstructionSet set) {
  Index bytes = 16;  // of a register: HONE_SIMD_BYTES in cpu/simd.hpp
#if defined(HONE_X86_64_KERNELS)
  if (set >= InstructionSet::avx2) bytes = set >= InstructionSet::avx512 ? 64 : 32;
#else
  static_cast<void>(set);
#endif
  Index const lanes = bytes / Index{sizeof(ScalarOf<T>)};
  bool const many_registers = bytes == 64;
  return {lanes, bytes / 4, tile_rows(many_registers), tile_vectors * lanes, tile_depth, many_registers};
}

}  // namespace hone::detail
