// Operands of products of bfloat16 matrices, as tiles read them. A block is 32 rows (or columns) of an operand, cut along
// the inner dimension into steps of 32; one step is two tiles of 16 rows x 64 bytes, one behind the other:
//   left operand a (M, K):   tile h, row r: a(16 h + r, k .. k + 31)
//   right operand b (K, N):  tile h, row r: the pairs b(k + 2 r, n), b(k + 2 r + 1, n), n = 16 h .. 16 h + 15
// What is beyond a matrix is zero in its last blocks and steps.
namespace hone::detail::HONE_SIMD {

/// 64 bytes of bfloat16's bits; the same two, and four at a time, to be moved about.
typedef std::uint16_t Line __attribute__((vector_size(64)));
typedef std::uint32_t LineOfPairs __attribute__((vector_size(64)));
typedef std::uint64_t LineOfFours __attribute__((vector_size(64)));

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

/// 16 bytes of each of four rows, `rows_apart` values from one to the next, side by side: the quarters of a line. Shuffles
/// are what packing waits for, one in a cycle; these loads are none.
HONE_SIMD_INLINE inline Line load_quarters(bfloat16 const* from, Index rows_apart) {
  using Quarter = char const(*)[16];
  Quarter const rows[] = {reinterpret_cast<Quarter>(from), reinterpret_cast<Quarter>(from + rows_apart),
                          reinterpret_cast<Quarter>(from + 2 * rows_apart),
                          reinterpret_cast<Quarter>(from + 3 * rows_apart)};
  Line line;
#if HONE_SIMD_AVX512
  __asm__("vmovdqu64 %1, %x0" : "=v"(line) : "m"(*rows[0]));
  __asm__("vinserti32x4 $1, %1, %t0, %t0" : "+v"(line) : "m"(*rows[1]));
  __asm__("vinserti32x4 $2, %1, %g0, %g0" : "+v"(line) : "m"(*rows[2]));
  __asm__("vinserti32x4 $3, %1, %g0, %g0" : "+v"(line) : "m"(*rows[3]));
#else
  for (int i = 0; i < 4; ++i) std::memcpy(reinterpret_cast<char*>(&line) + 16 * i, rows[i], 16);
#endif
  return line;
}

/// Values of two lines in turn, in each quarter apart: low has those of the lower halves of the quarters (columns 0-3, 8-11,
/// 16-19, 24-27), high the others.
HONE_SIMD_INLINE inline void interleave_quarters(Line a, Line b, Line& low, Line& high) {
  low = __builtin_shufflevector(a, b, 0, 32, 1, 33, 2, 34, 3, 35, 8, 40, 9, 41, 10, 42, 11, 43, 16, 48, 17, 49, 18, 50, 19,
                                51, 24, 56, 25, 57, 26, 58, 27, 59);
  high = __builtin_shufflevector(a, b, 4, 36, 5, 37, 6, 38, 7, 39, 12, 44, 13, 45, 14, 46, 15, 47, 20, 52, 21, 53, 22, 54,
                                 23, 55, 28, 60, 29, 61, 30, 62, 31, 63);
}
/// The same with pairs of values, and with four at a time.
HONE_SIMD_INLINE inline void interleave_quarters_of_pairs(Line a, Line b, Line& low, Line& high) {
  LineOfPairs const c = reinterpret_cast<LineOfPairs>(a), d = reinterpret_cast<LineOfPairs>(b);
  low = reinterpret_cast<Line>(__builtin_shufflevector(c, d, 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29));
  high = reinterpret_cast<Line>(__builtin_shufflevector(c, d, 2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31));
}
HONE_SIMD_INLINE inline void interleave_quarters_of_fours(Line a, Line b, Line& low, Line& high) {
  LineOfFours const c = reinterpret_cast<LineOfFours>(a), d = reinterpret_cast<LineOfFours>(b);
  low = reinterpret_cast<Line>(__builtin_shufflevector(c, d, 0, 8, 2, 10, 4, 12, 6, 14));
  high = reinterpret_cast<Line>(__builtin_shufflevector(c, d, 1, 9, 3, 11, 5, 13, 7, 15));
}
/// Values of two lines in turn: low has columns 0 .. 15, high the others.
HONE_SIMD_INLINE inline void interleave_lines(Line a, Line b, Line& low, Line& high) {
  LineOfFours const c = reinterpret_cast<LineOfFours>(a), d = reinterpret_cast<LineOfFours>(b);
  interleave_quarters(reinterpret_cast<Line>(__builtin_shufflevector(c, c, 0, 4, 1, 5, 2, 6, 3, 7)),
                      reinterpret_cast<Line>(__builtin_shufflevector(d, d, 0, 4, 1, 5, 2, 6, 3, 7)), low, high);
}

/// 32 rows of 8 columns become 8 lines, one for each column.
HONE_SIMD_INLINE inline void transpose_columns(bfloat16 const* from, Index stride, bfloat16* to) {
  Line rows[8], pairs[8], fours[8];
  HONE_UNROLL for (Index i = 0; i < 8; ++i) rows[i] = load_quarters(from + i * stride, 8 * stride);
  HONE_UNROLL for (int i = 0; i < 8; i += 2) interleave_quarters(rows[i], rows[i + 1], pairs[i], pairs[i + 1]);
  HONE_UNROLL for (int i = 0; i < 8; i += 4) HONE_UNROLL for (int half = 0; half < 2; ++half) interleave_quarters_of_pairs(
      pairs[i + half], pairs[i + half + 2], fours[i + 2 * half], fours[i + 2 * half + 1]);
  HONE_UNROLL for (Index i = 0; i < 4; ++i) {
    Line even, odd;
    interleave_quarters_of_fours(fours[i], fours[i + 4], even, odd);
    store_line(to + 2 * i * packed_side, even);
    store_line(to + (2 * i + 1) * packed_side, odd);
  }
}
/// 16 rows of 16 pairs of columns become 16 lines, one for each pair: a tile of a right operand.
HONE_SIMD_INLINE inline void transpose_pairs(bfloat16 const* from, Index stride, bfloat16* to) {
  HONE_UNROLL for (Index c = 0; c < packed_side; c += 8, to += 4 * packed_side) {
    Line rows[4], pairs[4];
    HONE_UNROLL for (Index i = 0; i < 4; ++i) rows[i] = load_quarters(from + c + i * stride, 4 * stride);
    HONE_UNROLL for (int i = 0; i < 4; i += 2) interleave_quarters_of_pairs(rows[i], rows[i + 1], pairs[i], pairs[i + 1]);
    HONE_UNROLL for (Index i = 0; i < 2; ++i) {
      Line even, odd;
      interleave_quarters_of_fours(pairs[i], pairs[i + 2], even, odd);
      store_line(to + 2 * i * packed_side, even);
      store_line(to + (2 * i + 1) * packed_side, odd);
    }
  }
}

/// A square of a matrix, 32 x 32 from (row, col) on, or fewer `height` rows of one. Where it ends beyond the matrix: copied
/// to `square`, with zeros.
struct Square {
  bfloat16 const* data;
  Index stride;
};
template <Index height = packed_side>
HONE_TARGET inline Square whole_square(MatrixView<bfloat16 const> m, Index row, Index col, bfloat16* square) {
  Index const rows = std::min(height, m.rows - row), cols = std::min(packed_side, m.cols - col);
  if (rows == height && cols == packed_side) return {m.row(row) + col, m.stride};
  for (Index r = 0; r < height; ++r)
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
/// Adds 32 rows to the sums of 32 columns, which are in two halves: of even columns, and of odd ones. Even and odd rows
/// first apart, then together.
HONE_SIMD_INLINE inline void add_rows(bfloat16 const* from, Index stride, float* sums) {
  Vec<float> even[2] = {load(sums), {}}, odd[2] = {load(sums + lanes<float>), {}};
  HONE_UNROLL for (Index r = 0; r < packed_side; ++r) {
    LineOfPairs const pairs = reinterpret_cast<LineOfPairs>(load_line(from + r * stride));
    even[r % 2] += reinterpret_cast<Vec<float>>(pairs << 16);
    odd[r % 2] += reinterpret_cast<Vec<float>>(pairs & 0xFFFF0000u);
  }
  store(sums, even[0] + even[1]);
  store(sums + lanes<float>, odd[0] + odd[1]);
}
/// One step of a left operand: rows of a are columns of m. Where there are `sums`, the 32 columns' values are added to them
/// (add_rows).
HONE_TARGET inline void pack_left_step_transposed(MatrixView<bfloat16 const> m, Index col, Index k, bfloat16* to,
                                                  float* sums = nullptr) {
  alignas(64) bfloat16 copy[packed_step];
  Square const s = whole_square(m, k, col, copy);
  if (sums) add_rows(s.data, s.stride, sums);
  HONE_UNROLL for (Index c = 0; c < packed_side; c += 8) transpose_columns(s.data + c, s.stride, to + c * packed_side);
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
  HONE_UNROLL for (Index half = 0; half < 2; ++half)
    transpose_pairs(s.data + 16 * half * s.stride, s.stride, to + half * packed_step / 2);
}

}  // namespace hone::detail::HONE_SIMD
