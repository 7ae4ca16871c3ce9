// The inner part of products of bfloat16 matrices: blocks of 32 x 32 sums of squares of 32 x 32 (pack_bfloat16.inl).
//
// A block's sums stay in registers while the inner dimension is gone through, from end to end or in a few long pieces: each
// adds its steps of 32 products in ascending order, whatever the sizes, the other rows and the number of threads. Right
// blocks are packed, as many at a time as the second cache (L2) holds; left blocks are read in place and stream past them.
// What becomes of finished sums (bias, activation, rounding, ...) is done while the next block is multiplied: the tile unit
// works beside the vector units, which have little else to do. The same goes for fetching the next left block.
namespace hone::detail::HONE_SIMD {

/// Sums of one block, row-major: 32 x 32.
inline constexpr Index block_sums = packed_side * packed_side;
/// How many times in a step of 32 products a block's product calls what is done beside it: after every tile operation that
/// multiplies. What stands in one place for too long does not run beside tiles, but between them.
#if HONE_SIMD_DOTS
inline constexpr int beside_calls = 1;
#else
inline constexpr int beside_calls = 4;
#endif
#if HONE_SIMD_DOTS
inline constexpr SquareProduct square_product = products_by_dots;
#else
inline constexpr SquareProduct square_product = products_on_tiles;
#endif

/// Fetches a line that will be written to, into the nearest cache.
HONE_SIMD_INLINE inline void prefetch_to_write(void const* line) {
#if HONE_SIMD_AVX512
  __asm__ volatile("prefetchw %0" : : "m"(*static_cast<char const*>(line)));
#else
  __builtin_prefetch(line, 1, 3);
#endif
}

/// Where the tiles of a left block are: step s, rows 16 h and on, at data + s * step + h * half, rows `row` bytes apart.
struct LeftBlock {
  char const* data;
  Index row, half, step;

  HONE_SIMD_INLINE LeftBlock from(Index first_step) const { return {data + first_step * step, row, half, step}; }
};
/// Packed by pack_left_step.
HONE_SIMD_INLINE inline LeftBlock packed_left(bfloat16 const* data) {
  return {reinterpret_cast<char const*>(data), tile_bytes, tile_size, 2 * tile_size};
}
/// 32 whole rows of a matrix whose columns are a multiple of 32, as they are.
HONE_SIMD_INLINE inline LeftBlock left_in_place(MatrixView<bfloat16 const> m, Index row) {
  Index const bytes = m.stride * static_cast<Index>(sizeof(bfloat16));
  return {reinterpret_cast<char const*>(m.row(row)), bytes, 16 * bytes, packed_side * static_cast<Index>(sizeof(bfloat16))};
}

#if !HONE_SIMD_DOTS
template <int tile, bool passes>
HONE_SIMD_INLINE inline void load_operand(void const* from, Index stride) {
  if constexpr (passes)
    tile_load_passing<tile>(from, stride);
  else
    tile_load<tile>(from, stride);
}
#endif

/// sums (+)= a b over `steps` steps; sums' rows are `sums_row` values apart. `beside(step, call)`, with call = 0 ..
/// beside_calls - 1 for each step, does other work meanwhile.
/// @tparam left_passes, right_passes  whether that operand's blocks go by, so that they shall not displace what stays
template <bool left_passes, bool right_passes, class Beside>
HONE_SIMD_INLINE inline void multiply_block(Index steps, LeftBlock a, bfloat16 const* b, float* sums, Index sums_row,
                                            bool adds, Beside const& beside) {
#if HONE_SIMD_DOTS
  multiply_by_dots(steps, a.data, a.row, a.half, a.step, b, sums, sums_row, adds, beside);
#else
  constexpr Index half = packed_step / 2;
  Index const row_bytes = sums_row * static_cast<Index>(sizeof(float));
  float* const lower = sums + 16 * sums_row;
  if (adds) {
    tile_load<0>(sums, row_bytes);
    tile_load<1>(sums + 16, row_bytes);
    tile_load<2>(lower, row_bytes);
    tile_load<3>(lower + 16, row_bytes);
  } else {
    tile_zero<0>();
    tile_zero<1>();
    tile_zero<2>();
    tile_zero<3>();
  }
  char const* from = a.data;
  for (Index step = 0; step < steps; ++step, from += a.step, b += packed_step) {
    load_operand<4, left_passes>(from, a.row);
    load_operand<6, right_passes>(b, tile_bytes);
    tile_multiply<0, 4, 6>();
    beside(step, 0);
    load_operand<5, left_passes>(from + a.half, a.row);
    tile_multiply<2, 5, 6>();
    beside(step, 1);
    load_operand<7, right_passes>(b + half, tile_bytes);
    tile_multiply<1, 4, 7>();
    beside(step, 2);
    tile_multiply<3, 5, 7>();
    beside(step, 3);
  }
  tile_store<0>(sums, row_bytes);
  tile_store<1>(sums + 16, row_bytes);
  tile_store<2>(lower, row_bytes);
  tile_store<3>(lower + 16, row_bytes);
#endif
}

/// Which of the 32 columns of a block are meant: all, or the first few in a matrix's last block.
struct AllColumns {};
struct FirstColumns {
  Index count;
};

/// One block of the result whose sums are ready, finished a few rows at a time, or a part of what is to be done with them:
/// finish(row, count, column, sums, columns, part, state) for strips of Finish::strip_rows rows and parts 0 ..
/// Finish::parts - 1 of each, in turn.
template <class Finish>
class BlockFinisher {
 public:
  static constexpr int parts = static_cast<int>(packed_side) / Finish::strip_rows * Finish::parts;  ///< of a block

  BlockFinisher(Index rows, Index cols, Finish const& finish) : rows_(rows), cols_(cols), finish_(finish) {}

  /// The block from (row, column) on.
  HONE_SIMD_INLINE void begin(Index row, Index column, float const* sums) {
    row_ = row;
    column_ = column;
    sums_ = sums;
    left_ = parts;
  }
  HONE_SIMD_INLINE bool waiting() const { return left_ > 0; }
  HONE_SIMD_INLINE void part() {
    if (left_ == 0) return;
    --left_;
    int const part = Finish::parts - 1 - left_ % Finish::parts;
    if (row_ < rows_) {
      int const count = static_cast<int>(std::min<Index>(Finish::strip_rows, rows_ - row_));
      if (column_ + packed_side <= cols_)
        finish_(row_, count, column_, sums_, AllColumns{}, part, state_);
      else
        finish_(row_, count, column_, sums_, FirstColumns{cols_ - column_}, part, state_);
    }
    if (part + 1 < Finish::parts) return;
    row_ += Finish::strip_rows;
    sums_ += Finish::strip_rows * packed_side;
  }

 private:
  Index rows_, cols_;
  Finish const& finish_;
  Index row_ = 0, column_ = 0;
  float const* sums_ = nullptr;
  int left_ = 0;
  typename Finish::State state_;
};

/// Blocks of the result: rows [first_row, last_row), columns [first_column, last_column), counted in blocks.
struct BlockRange {
  Index first_row, last_row, first_column, last_column;
};

/// result = finish(a b) for a range of blocks: a (M, K) read in place, b packed as [block][step]. Inside of a TileRegion.
///
/// `edge` has room for a left block (for the last rows, or rows that are no multiple of 32 long), `waiting` for
/// square_product.waiting_sums.
template <class Finish>
HONE_SIMD_INLINE inline void multiply_range(BlockRange range, MatrixView<bfloat16 const> a, bfloat16 const* right,
                                            Index cols, bfloat16* edge, float* waiting, Finish const& finish) {
  Index const steps = std::max<Index>(1, packed_squares(a.cols));
  bool const whole_steps = a.cols % packed_side == 0 && a.cols > 0;
  // Rows 2 KiB apart share their places in the nearest cache, which then has none for a piece.
  bool const in_pieces = steps > square_product.long_steps && a.stride * static_cast<Index>(sizeof(bfloat16)) % 2048 != 0;
  Index const pieces = in_pieces ? (steps + square_product.piece_steps - 1) / square_product.piece_steps : 1;
  alignas(64) float sums[2][block_sums];
  BlockFinisher<Finish> finisher(a.rows, cols, finish);
  int turn = 0;
  Index const lines_each =
      (packed_side + (range.last_column - range.first_column) - 1) / (range.last_column - range.first_column);
  for (Index i = range.first_row; i < range.last_row; ++i) {
    LeftBlock left = packed_left(edge);
    if (whole_steps && (i + 1) * packed_side <= a.rows)
      left = left_in_place(a, i * packed_side);
    else
      for (Index step = 0; step < steps; ++step)
        pack_left_step(a, i * packed_side, step * packed_side, edge + step * packed_step);
    // The next left block, line by line.
    Index ahead_row = (i + 1) * packed_side, ahead_line = 0;
    Index const ahead_end = i + 1 < range.last_row ? std::min(a.rows, ahead_row + packed_side) : ahead_row;
    for (Index piece = 0; piece < pieces; ++piece) {
      Index const first = piece * steps / pieces, length = (piece + 1) * steps / pieces - first;
      for (Index j = range.first_column; j < range.last_column; ++j) {
        float* block = sums[turn];
        float const* written_next = block;  // at the end of this product, or of the next
        if (in_pieces) {
          block = waiting + (j - range.first_column) * block_sums;
          written_next = j + 1 < range.last_column ? block + block_sums : waiting;
        }
        Index credit = 0;
        multiply_block<false, true>(length, left.from(first), right + (j * steps + first) * packed_step, block, packed_side,
                                    piece > 0, [&](Index step, int call) HONE_SIMD_INLINE {
                                      for (credit += finisher.parts; credit >= beside_calls * length;
                                           credit -= beside_calls * length)
                                        finisher.part();
                                      if (call > 0) return;
                                      for (Index line = 0; line < lines_each; ++line)
                                        if (ahead_row < ahead_end) {
                                          __builtin_prefetch(a.row(ahead_row) + ahead_line * packed_side, 0, 2);
                                          if (++ahead_line == steps) ahead_line = 0, ++ahead_row;
                                        }
                                      if (Index const line = 8 * (step - (length - 10)); line >= 0 && line < 64)
                                        HONE_UNROLL for (Index l = 0; l < 8; ++l)
                                            prefetch_to_write(written_next + (line + l) * 16);
                                    });
        while (finisher.waiting()) finisher.part();
        if (piece + 1 == pieces) finisher.begin(i * packed_side, j * packed_side, block);
        turn = 1 - turn;
      }
    }
  }
  while (finisher.waiting()) finisher.part();
}

}  // namespace hone::detail::HONE_SIMD
