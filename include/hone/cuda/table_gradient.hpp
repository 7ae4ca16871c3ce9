#pragma once

#include <cstdint>

#include "hone/core/backend.hpp"
#include "hone/cuda/fill.hpp"
#include "hone/cuda/row_tile.hpp"

namespace hone::detail {

/// The gradient of embedding tables: entry i (+)= the sum of dz over the rows whose id is i.
///
/// The rows are sorted by (id, row): row n goes to the place that as many rows have a smaller (id, row), counted by
/// comparing with all of them, N^2 / 32 comparisons of a warp and no atomics. Neighbouring places with one id form a
/// segment. A segment is summed in pieces of 32 rows, in order; where it has more than one piece, the pieces' sums are added
/// after. The order is a function of the ids alone.

/// Rows of a piece; a warp's lanes look at one row each.
inline constexpr int piece_rows = warp_size;

/// The three tables of the embedding, told apart by the second axis of a launch.
template <class T>
struct Three {
  T word, position, segment;
  HONE_HOST_DEVICE T const& operator[](Index i) const { return i == 0 ? word : i == 1 ? position : segment; }
};

struct SortRowsKernel {
  static constexpr char const* name = "sort_rows";
  static constexpr int threads = row_threads;
  static constexpr int rows_per_warp = 4;  // each id that is read is compared with as many
  Three<VectorView<std::int32_t const>> ids;
  std::int32_t *order, *segment_begin;  // (3, N): the row at each place, and where the segment of the place begins

  static Index blocks(Index rows) { return (rows + row_warps * rows_per_warp - 1) / (row_warps * rows_per_warp); }

  template <class Thread>
  HONE_HOST_DEVICE void operator()(Thread const& thread) const {
    VectorView<std::int32_t const> const id = ids[thread.block_y()];
    std::int32_t const rows = static_cast<std::int32_t>(id.size);
    std::int32_t const first = static_cast<std::int32_t>(thread.block() * row_warps + thread.warp()) * rows_per_warp;
    std::int32_t mine[rows_per_warp], smaller[rows_per_warp], before[rows_per_warp];
    HONE_DEVICE_UNROLL
    for (int r = 0; r < rows_per_warp; ++r) {
      mine[r] = first + r < rows ? id[first + r] : 0;
      smaller[r] = before[r] = 0;
    }
    for (std::int32_t m = thread.lane(); m < rows; m += warp_size) {
      std::int32_t const other = id[m];
      HONE_DEVICE_UNROLL
      for (int r = 0; r < rows_per_warp; ++r) {
        smaller[r] += other < mine[r] ? 1 : 0;
        before[r] += other == mine[r] && m < first + r ? 1 : 0;
      }
    }
    HONE_DEVICE_UNROLL
    for (int r = 0; r < rows_per_warp; ++r) {
      std::int32_t const begin = warp_sum(thread, smaller[r]), place = begin + warp_sum(thread, before[r]);
      if (thread.lane() != 0 || first + r >= rows) continue;
      order[thread.block_y() * rows + place] = first + r;
      segment_begin[thread.block_y() * rows + place] = begin;
    }
  }
};

/// Where the sums of pieces lie that are not alone in their segment: segments of more than 32 rows begin at least 33 places
/// apart, and their later pieces at least 32, so that a window of 32 places has at most one of each kind.
HONE_HOST_DEVICE inline Index piece_slot(Index place, bool is_first) {
  return 2 * (place / piece_rows) + (is_first ? 0 : 1);
}
HONE_HOST_DEVICE inline Index piece_slots(Index rows) { return 2 * ((rows + piece_rows - 1) / piece_rows); }

/// What the kernels of the sums know. `tables` has a row an id; `pieces` is (3, piece_slots(N), D).
template <class P>
struct TableSums {
  Three<VectorView<std::int32_t const>> ids;
  MatrixView<ActivationOf<P> const> dz;
  Three<MatrixView<MasterOf<P>>> tables;
  std::int32_t const *order, *segment_begin;
  MasterOf<P>* pieces;
  bool adds;

  HONE_HOST_DEVICE MasterOf<P>* piece(Index table, Index slot) const {
    return pieces + (table * piece_slots(dz.rows) + slot) * dz.cols;
  }
  /// Whether a segment that begins at place `begin` (as `begins` says) has a row `places` later.
  HONE_HOST_DEVICE bool reaches(std::int32_t const* begins, Index begin, Index places) const {
    return begin + places < dz.rows && begins[begin + places] == begin;
  }
};

/// A warp a place (those where no piece begins return) and 256 columns; along the second axis tables and columns.
template <class P, bool wide>
struct PieceSumsKernel {
  static constexpr char const* name = "piece_sums";
  static constexpr int threads = row_threads;
  using A = ActivationOf<P>;
  using M = MasterOf<P>;
  TableSums<P> sums;

  template <class Thread>
  HONE_HOST_DEVICE void operator()(Thread const& thread) const {
    constexpr int ahead = 4;  // rows that are loaded before they are added
    Index const rows = sums.dz.rows, width = sums.dz.cols, groups = (width + warp_columns - 1) / warp_columns;
    Index const table = thread.block_y() / groups, place = thread.block() * row_warps + thread.warp();
    Index const column = thread.block_y() % groups * warp_columns + thread.lane() * octet;
    if (place >= rows) return;
    std::int32_t const *const order = sums.order + table * rows, *const begins = sums.segment_begin + table * rows;
    Index const begin = begins[place];
    if ((place - begin) % piece_rows != 0) return;
    bool const in_piece = sums.reaches(begins, begin, place - begin + thread.lane());
    std::int32_t const my_row = in_piece ? order[place + thread.lane()] : 0;
    std::int32_t const count = warp_sum(thread, std::int32_t{in_piece ? 1 : 0});
    M total[octet] = {};
    for (std::int32_t i = 0; i < count; i += ahead) {
      Pack<A, octet> values[ahead];
      HONE_DEVICE_UNROLL
      for (int j = 0; j < ahead; ++j) {
        std::int32_t const n = thread.shuffle(my_row, i + j);  // 32 is a multiple of `ahead`
        values[j] =
            i + j < count && column < width ? load_pack<wide, octet>(sums.dz.row(n), column, width) : Pack<A, octet>::zero();
      }
      HONE_DEVICE_UNROLL
      for (int j = 0; j < ahead; ++j) {
        HONE_DEVICE_UNROLL
        for (int c = 0; c < octet; ++c) total[c] += M(values[j].get(c));
      }
    }
    if (column >= width) return;
    bool const is_alone = !sums.reaches(begins, begin, piece_rows);
    std::int32_t const id = sums.ids[table][order[place]];
    M* const to = is_alone ? sums.tables[table].row(id) : sums.piece(table, piece_slot(place, place == begin));
    if (is_alone && sums.adds) {
      Octet<M> const there = load_pack<wide, octet>(static_cast<M const*>(to), column, width);
      HONE_DEVICE_UNROLL
      for (int c = 0; c < octet; ++c) total[c] += there.get(c);
    }
    store_pack<wide>(to, column, width, to_pack<M>(total));
  }
};

/// Adds the pieces of segments that have several. Such a segment holds a place that is a multiple of 32; the block of the
/// first one has it. 32 columns a block; warp w adds the pieces w, w + 8, ..., then the warps in order.
template <class P>
struct SegmentSumsKernel {
  static constexpr char const* name = "segment_sums";
  static constexpr int threads = 256;
  using M = MasterOf<P>;
  TableSums<P> sums;

  template <class Thread>
  HONE_HOST_DEVICE void operator()(Thread const& thread) const {
    constexpr int warps = threads / warp_size;
    Index const rows = sums.dz.rows, width = sums.dz.cols, tiles = (width + warp_size - 1) / warp_size;
    Index const table = thread.block_y() / tiles, place = thread.block() * piece_rows;
    Index const column = thread.block_y() % tiles * warp_size + thread.lane();
    std::int32_t const* const begins = sums.segment_begin + table * rows;
    Index const begin = begins[place];
    if (place - begin >= piece_rows || !sums.reaches(begins, begin, piece_rows)) return;  // the whole block
    M total = 0;
    if (column < width)
      for (Index i = thread.warp(); sums.reaches(begins, begin, i * piece_rows); i += warps)
        total += sums.piece(table, piece_slot(begin + i * piece_rows, i == 0))[column];
    auto const totals = thread.template shared<M>(0, threads);
    totals[thread.index()] = total;
    thread.barrier();
    if (thread.warp() > 0 || column >= width) return;
    for (int w = 1; w < warps; ++w) total += totals[w * warp_size + thread.lane()];
    M& to = sums.tables[table](sums.ids[table][sums.order[table * rows + place]], column);
    to = sums.adds ? to + total : total;
  }
};

/// Scratch memory of table_gradient.
template <class P>
struct TableScratch {
  Index rows, width;
  Index piece_values() const { return 3 * piece_slots(rows) * width; }
  std::size_t bytes() const {
    return static_cast<std::size_t>(piece_values()) * sizeof(MasterOf<P>) +
           static_cast<std::size_t>(6 * rows) * sizeof(std::int32_t);
  }
};

/// Launches the kernels above. @param scratch  TableScratch::bytes() of memory, aligned to 16 bytes
template <class P, class Context>
void table_gradient(Context& context, Three<VectorView<std::int32_t const>> const& ids, MatrixView<ActivationOf<P> const> dz,
                    Three<MatrixView<MasterOf<P>>> const& tables, Write write, void* scratch) {
  using M = MasterOf<P>;
  Index const rows = dz.rows, width = dz.cols;
  if (write == Write::assign)
    for (Index i = 0; i < 3; ++i) fill_zero(context, tables[i]);
  if (rows == 0) return;
  M* const pieces = static_cast<M*>(scratch);
  std::int32_t* const order = reinterpret_cast<std::int32_t*>(pieces + TableScratch<P>{rows, width}.piece_values());
  std::int32_t* const segment_begin = order + 3 * rows;
  context.launch(LaunchShape{.blocks = SortRowsKernel::blocks(rows), .blocks_y = 3},
                 SortRowsKernel{ids, order, segment_begin});
  TableSums<P> const sums{ids, dz, tables, order, segment_begin, pieces, write == Write::add};
  LaunchShape const shape{.blocks = row_blocks(rows), .blocks_y = 3 * ((width + warp_columns - 1) / warp_columns)};
  if (width % octet == 0 && is_wide(dz) && is_wide(tables.word) && is_wide(tables.position) && is_wide(tables.segment)) {
    context.launch(shape, PieceSumsKernel<P, true>{sums});
  } else {
    context.launch(shape, PieceSumsKernel<P, false>{sums});
  }
  using Segments = SegmentSumsKernel<P>;
  context.launch(LaunchShape{.blocks = (rows + piece_rows - 1) / piece_rows,
                             .blocks_y = 3 * ((width + warp_size - 1) / warp_size),
                             .shared_bytes = Segments::threads * sizeof(M)},
                 Segments{sums});
}

}  // namespace hone::detail
