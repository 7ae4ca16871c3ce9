// Operands of products of bfloat16 matrices, as tiles read them. A block is 32 rows (or columns) of an operand, cut along
// the inner dimension into steps of 32; one step is two tiles of 16 rows x 64 bytes, one behind the other:
//   left operand a (M, K):   tile h, row r: a(16 h + r, k .. k + 31)
//   right operand b (K, N):  tile h, row r: the pairs b(k + 2 r, n), b(k + 2 r + 1, n), n = 16 h .. 16 h + 15
// What is beyond a matrix is zero in its last blocks and steps.
namespace hone::detail::HONE_SIMD {

/// 64 bytes of bfloat16's bits.
typedef std::uint16_t Line __attribute__((vector_size(64)));

HONE_SIMD_INLINE inline Line load_line(bfloat16 const* from) {
  Line line;
  std::memcpy(&line, from, sizeof line);
  return line;
}
/// The other values are zero.
HONE_SIMD_INLINE inline Line load_line(bfloat16 const* from, Index count) {
  Line line{};
  std::memcpy(&line, from, static_cast<std::size_t>(count) * sizeof(bfloat16));
  return line;
}
HONE_SIMD_INLINE inline void store_line(bfloat16* to, Line line) { std::memcpy(to, &line, sizeof line); }

/// 16 lines of 16 pairs of values become 16 lines, one for each pair: line j of the result has pair j of all lines.
HONE_SIMD_INLINE inline void transpose_pairs(Line (&lines)[16]) {
  typedef float Pairs __attribute__((vector_size(64)));  // moved about, never computed with
  static_assert(sizeof(Vec<float>) == sizeof(Pairs));
  Vec<float> v[16];
  HONE_UNROLL for (int i = 0; i < 16; ++i) v[i] = reinterpret_cast<Vec<float>>(lines[i]);
  transpose_vectors<float, 16>(v);
  HONE_UNROLL for (int i = 0; i < 16; ++i) lines[i] = reinterpret_cast<Line>(v[i]);
}

/// Values of two lines in turn, in each quarter apart: low has those of columns 0-3, 8-11, 16-19, 24-27, high the others.
HONE_SIMD_INLINE inline void interleave_quarters(Line a, Line b, Line& low, Line& high) {
  low = __builtin_shufflevector(a, b, 0, 32, 1, 33, 2, 34, 3, 35, 8, 40, 9, 41, 10, 42, 11, 43, 16, 48, 17, 49, 18, 50, 19,
                                51, 24, 56, 25, 57, 26, 58, 27, 59);
  high = __builtin_shufflevector(a, b, 4, 36, 5, 37, 6, 38, 7, 39, 12, 44, 13, 45, 14, 46, 15, 47, 20, 52, 21, 53, 22, 54,
                                 23, 55, 28, 60, 29, 61, 30, 62, 31, 63);
}
/// Values of two lines in turn: low has columns 0 .. 15, high the others.
HONE_SIMD_INLINE inline void interleave_lines(Line a, Line b, Line& low, Line& high) {
  low = __builtin_shufflevector(a, b, 0, 32, 1, 33, 2, 34, 3, 35, 4, 36, 5, 37, 6, 38, 7, 39, 8, 40, 9, 41, 10, 42, 11, 43,
                                12, 44, 13, 45, 14, 46, 15, 47);
  high = __builtin_shufflevector(a, b, 16, 48, 17, 49, 18, 50, 19, 51, 20, 52, 21, 53, 22, 54, 23, 55, 24, 56, 25, 57, 26,
                                 58, 27, 59, 28, 60, 29, 61, 30, 62, 31, 63);
}

/// A square of a matrix, 32 x 32 from (row, col) on, where it ends beyond the matrix: copied to `square`, with zeros.
struct Square {
  bfloat16 const* data;
  Index stride;
};
HONE_TARGET inline Square whole_square(MatrixView<bfloat16 const> m, Index row, Index col, bfloat16* square) {
  Index const rows = std::min(packed_side, m.rows - row), cols = std::min(packed_side, m.cols - col);
  if (rows == packed_side && cols == packed_side) return {m.row(row) + col, m.stride};
  for (Index r = 0; r < packed_side; ++r)
    store_line(square + r * packed_side, r < rows ? load_line(m.row(row + r) + col, cols) : Line{});
  return {square, packed_side};
}

/// Fetches a square into the second cache: its rows are far apart, where the processor does not look ahead by itself.
HONE_SIMD_INLINE inline void prefetch_square(MatrixView<bfloat16 const> m, Index row, Index col) {
  for (Index r = row; r < std::min(m.rows, row + packed_side); ++r) __builtin_prefetch(m.row(r) + col, 0, 2);
}

/// One step of a left operand: rows of a are rows of m.
HONE_TARGET inline void pack_left_step(MatrixView<bfloat16 const> m, Index row, Index k, bfloat16* to) {
  alignas(64) bfloat16 copy[packed_step];
  Square const s = whole_square(m, row, k, copy);
  HONE_UNROLL for (Index r = 0; r < packed_side; ++r) store_line(to + r * packed_side, load_line(s.data + r * s.stride));
}
/// One step of a left operand: rows of a are columns of m. Where there are `sums`, the 32 columns' values are added to them,
/// row after row.
HONE_TARGET inline void pack_left_step_transposed(MatrixView<bfloat16 const> m, Index col, Index k, bfloat16* to,
                                                  float* sums = nullptr) {
  alignas(64) bfloat16 copy[packed_step];
  Square const s = whole_square(m, k, col, copy);
  if (sums) {
    Vec<float> first = load(sums), second = load(sums + lanes<float>);
    for (Index r = 0; r < packed_side; ++r) {
      first += load(s.data + r * s.stride);
      second += load(s.data + r * s.stride + lanes<float>);
    }
    store(sums, first);
    store(sums + lanes<float>, second);
  }
  Line low[16], high[16];
  HONE_UNROLL for (Index j = 0; j < 16; ++j)
    interleave_quarters(load_line(s.data + 2 * j * s.stride), load_line(s.data + (2 * j + 1) * s.stride), low[j], high[j]);
  transpose_pairs(low);
  transpose_pairs(high);
  HONE_UNROLL for (Index j = 0; j < 16; ++j) {  // column j of `low` is column 8 (j / 4) + j % 4 of the matrix
    bfloat16* const place = to + (8 * (j / 4) + j % 4) * packed_side;
    store_line(place, low[j]);
    store_line(place + 4 * packed_side, high[j]);
  }
}
/// One step of a right operand: columns of b are columns of m.
HONE_TARGET inline void pack_right_step(MatrixView<bfloat16 const> m, Index col, Index k, bfloat16* to) {
  alignas(64) bfloat16 copy[packed_step];
  Square const s = whole_square(m, k, col, copy);
  HONE_UNROLL for (Index j = 0; j < 16; ++j) {
    Line low, high;
    interleave_lines(load_line(s.data + 2 * j * s.stride), load_line(s.data + (2 * j + 1) * s.stride), low, high);
    store_line(to + j * packed_side, low);
    store_line(to + packed_step / 2 + j * packed_side, high);
  }
}
/// One step of a right operand: columns of b are rows of m.
HONE_TARGET inline void pack_right_step_transposed(MatrixView<bfloat16 const> m, Index row, Index k, bfloat16* to) {
  alignas(64) bfloat16 copy[packed_step];
  Square const s = whole_square(m, row, k, copy);
  HONE_UNROLL for (Index half = 0; half < 2; ++half) {
    Line lines[16];
    HONE_UNROLL for (Index r = 0; r < 16; ++r) lines[r] = load_line(s.data + (16 * half + r) * s.stride);
    transpose_pairs(lines);
    HONE_UNROLL for (Index r = 0; r < 16; ++r) store_line(to + half * packed_step / 2 + r * packed_side, lines[r]);
  }
}

}  // namespace hone::detail::HONE_SIMD
