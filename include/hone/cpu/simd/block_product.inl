// The inner part of products of bfloat16 matrices: blocks of 32 x 32 sums from operands packed by pack_bfloat16.inl.
//
// The inner dimension is cut into segments so short that a left block's stays in the nearest cache (L1) while the right
// blocks stream past it from the second (L2); sums wait in memory as fp32 for the next segment, without loss. Every sum thus
// adds its steps of 32 products in ascending order, whatever the sizes, the other rows and the number of threads.
// What becomes of finished sums (bias, activation, rounding, ...) is done while later blocks are multiplied: the tile unit
// works beside the vector units. Source of the blocking: Goto and van de Geijn 2008, ACM TOMS 34(3), sections 4-6.
namespace hone::detail::HONE_SIMD {

/// Sums of one block, row-major: 32 x 32.
inline constexpr Index block_sums = packed_side * packed_side;
/// Rows that are finished at once.
inline constexpr int strip_rows = 4;
inline constexpr Index strips_in_block = packed_side / strip_rows;

/// sums (+)= a b over `steps` steps; `beside()` is called once for each step and may do other work.
template <class Beside>
HONE_SIMD_INLINE inline void multiply_block(Index steps, bfloat16 const* a, bfloat16 const* b, float* sums, bool adds,
                                            Beside const& beside) {
  constexpr Index half = packed_step / 2, row_bytes = packed_side * static_cast<Index>(sizeof(float));
  if (adds) {
    tile_load<0>(sums, row_bytes);
    tile_load<1>(sums + 16, row_bytes);
    tile_load<2>(sums + block_sums / 2, row_bytes);
    tile_load<3>(sums + block_sums / 2 + 16, row_bytes);
  } else {
    tile_zero<0>();
    tile_zero<1>();
    tile_zero<2>();
    tile_zero<3>();
  }
  for (Index step = 0; step < steps; ++step, a += packed_step, b += packed_step) {
    tile_load<4>(a, tile_bytes);
    tile_load_passing<6>(b, tile_bytes);
    tile_multiply<0, 4, 6>();
    tile_load<5>(a + half, tile_bytes);
    tile_multiply<2, 5, 6>();
    tile_load_passing<7>(b + half, tile_bytes);
    tile_multiply<1, 4, 7>();
    tile_multiply<3, 5, 7>();
    beside();
  }
  tile_store<0>(sums, row_bytes);
  tile_store<1>(sums + 16, row_bytes);
  tile_store<2>(sums + block_sums / 2, row_bytes);
  tile_store<3>(sums + block_sums / 2 + 16, row_bytes);
}

/// Which of the 32 columns of a block are meant: all, or the first few in a matrix's last block.
struct AllColumns {};
struct FirstColumns {
  Index count;
};
HONE_SIMD_INLINE inline AllLanes lanes_of(AllColumns, int) { return {}; }
HONE_SIMD_INLINE inline FirstLanes lanes_of(FirstColumns columns, int vector) {
  return {std::clamp<Index>(columns.count - vector * lanes<float>, 0, lanes<float>)};
}

/// What one thread multiplies at a time: blocks of rows [first_row, last_row) of the left operand and blocks of columns
/// [first_column, last_column) of the right one, counted in blocks.
struct BlockRange {
  Index first_row, last_row, first_column, last_column;
};

/// Finishes blocks strip by strip, in the order in which they were begun, some blocks later.
template <class Finish>
class Finisher {
 public:
  Finisher(BlockRange range, Index rows, Index cols, float* sums, Index slots, Finish const& finish)
      : range_(range), rows_(rows), cols_(cols), sums_(sums), slots_(slots), finish_(finish) {}

  float* sums(Index block) const { return sums_ + block % slots_ * block_sums; }
  /// Blocks up to this one are summed.
  void ready(Index blocks) { ready_ = blocks * strips_in_block; }
  Index waiting() const { return ready_ - done_; }

  /// Finishes all that is ready of the blocks before this one.
  HONE_SIMD_INLINE void finish_before(Index block) {
    while (done_ < std::min(ready_, block * strips_in_block)) strip();
  }
  /// Finishes the next strip, if one is ready.
  HONE_SIMD_INLINE void strip() {
    if (done_ == ready_) return;
    Index const block = done_ / strips_in_block, first = done_ % strips_in_block * strip_rows;
    Index const across = range_.last_column - range_.first_column;
    Index const row = (range_.first_row + block / across) * packed_side + first;
    Index const column = (range_.first_column + block % across) * packed_side;
    float const* const from = sums(block) + first * packed_side;
    ++done_;
    if (row >= rows_) return;
    int const count = static_cast<int>(std::min<Index>(strip_rows, rows_ - row));
    if (column + packed_side <= cols_)
      finish_(row, count, column, from, AllColumns{});
    else
      finish_(row, count, column, from, FirstColumns{cols_ - column});
  }

 private:
  BlockRange range_;
  Index rows_, cols_;
  float* sums_;
  Index slots_;
  Finish const& finish_;
  Index ready_ = 0, done_ = 0;  // strips
};

/// Sizes of what is worked on at a time.
struct ProductShape {
  Index rows, cols, inner;            ///< of the result, and of the sums
  Index row_blocks, column_blocks;    ///< whose sums are worked on together: a group

  Index steps() const { return std::max<Index>(1, packed_squares(inner)); }
  /// Steps of a segment: 16 of them are 32 KiB of a left block.
  Index segments() const { return (steps() + 15) / 16; }
  Index segment_steps() const { return (steps() + segments() - 1) / segments(); }
};

/// Multiplies and finishes the blocks of a range, inside of a TileRegion. A group has one row of blocks, or is the range.
///
/// `pack_left(row_block, step, steps, to)` packs steps of a left block; right blocks are at right + block * steps * packed_step.
/// `left` has room for a left block, `sums` for those of two groups, or of all blocks where there is one group.
template <class PackLeft, class Finish>
HONE_SIMD_INLINE inline void multiply_range(BlockRange range, ProductShape shape, PackLeft const& pack_left, bfloat16* left,
                                            bfloat16 const* right, float* sums, Finish const& finish) {
  Index const steps = shape.steps(), segment = shape.segment_steps();
  Index const across = range.last_column - range.first_column;
  Index const group_rows = std::min(shape.row_blocks, range.last_row - range.first_row);
  Index const groups_across = (across + shape.column_blocks - 1) / shape.column_blocks;
  Index const group_columns = (across + groups_across - 1) / groups_across;
  bool const one_group = group_columns == across && group_rows == range.last_row - range.first_row;
  Index const slots = (one_group ? 1 : 2) * group_rows * group_columns;
  Finisher<Finish> finisher(range, shape.rows, shape.cols, sums, slots, finish);
  bool const keeps_left = group_rows == 1;  // a left block is whole in `left`, for all groups across
  for (Index row = range.first_row; row < range.last_row; row += group_rows) {
    Index const last_row = std::min(row + group_rows, range.last_row);
    for (Index column = range.first_column; column < range.last_column; column += group_columns) {
      Index const last_column = std::min(column + group_columns, range.last_column);
      // The blocks of the group before are finished evenly while this group's are multiplied.
      Index const first_block = (row - range.first_row) * across + (column - range.first_column);
      Index const runs = (last_row - row) * (last_column - column) * shape.segments();
      Index const strips = one_group ? strips_in_block : (finisher.waiting() + runs - 1) / runs;
      for (Index step = 0; step < steps; step += segment) {
        Index const length = std::min(segment, steps - step);
        for (Index i = row; i < last_row; ++i) {
          bfloat16* const a = keeps_left ? left + step * packed_step : left;
          if (!keeps_left || column == range.first_column) pack_left(i, step, length, a);
          for (Index j = column; j < last_column; ++j) {
            Index const block = (i - range.first_row) * across + (j - range.first_column);
            Index credit = 0;
            multiply_block(length, a, right + (j * steps + step) * packed_step, finisher.sums(block), step > 0,
                           [&]() HONE_SIMD_INLINE {
                             for (credit += strips; credit >= length; credit -= length) finisher.strip();
                           });
            if (step + length == steps) finisher.ready(block + 1);
          }
        }
      }
      if (!one_group) finisher.finish_before(first_block);
    }
  }
  finisher.finish_before((range.last_row - range.first_row) * across);
}

}  // namespace hone::detail::HONE_SIMD
