// Linear layers of `mixed` on block_product.inl.
namespace hone::detail::HONE_SIMD {

/// Two neighbouring vectors of a row as bfloat16, rounded to nearest, ties to even; denormal numbers become zero.
HONE_SIMD_INLINE inline Line narrow_line(Vec<float> low, Vec<float> high) {
#if HONE_SIMD_BF16
  Line line;
  __asm__("vcvtne2ps2bf16 %1, %2, %0" : "=v"(line) : "v"(low), "v"(high));
  return line;
#else
  using Unsigned = VectorOf<float>::Unsigned;
  Line line;
  Vec<float> const parts[2] = {low, high};
  for (int part = 0; part < 2; ++part) {
    Unsigned const words = reinterpret_cast<Unsigned>(parts[part]), size = words & 0x7FFFFFFFu;
    VectorOf<bfloat16>::Bits const bits =
        narrow(reinterpret_cast<Vec<float>>(size < 0x00800000u ? words & 0x80000000u : words));
    std::memcpy(reinterpret_cast<char*>(&line) + part * sizeof bits, &bits, sizeof bits);
  }
  return line;
#endif
}
/// 32 columns of a row.
struct RowPart {
  Vec<float> low, high;
};
HONE_SIMD_INLINE inline void store_row(bfloat16* to, RowPart row, AllColumns) { store_line(to, narrow_line(row.low, row.high)); }
HONE_SIMD_INLINE inline void store_row(bfloat16* to, RowPart row, FirstColumns columns) {
  Line const line = narrow_line(row.low, row.high);
  std::memcpy(to, &line, static_cast<std::size_t>(columns.count) * sizeof(bfloat16));
}
HONE_SIMD_INLINE inline void store_row(float* to, RowPart row, AllColumns) {
  store(to, row.low);
  store(to + lanes<float>, row.high);
}
HONE_SIMD_INLINE inline void store_row(float* to, RowPart row, FirstColumns columns) {
  alignas(64) float all[packed_side];
  store_row(all, row, AllColumns{});
  std::memcpy(to, all, static_cast<std::size_t>(columns.count) * sizeof(float));
}
HONE_SIMD_INLINE inline RowPart load_row(float const* from, AllColumns = {}) {
  return {load(from), load(from + lanes<float>)};
}
HONE_SIMD_INLINE inline RowPart load_row(bfloat16 const* from, AllColumns) {
  return {load(from), load(from + lanes<float>)};
}
/// The other columns are zero.
template <class T>
HONE_SIMD_INLINE inline RowPart load_row(T const* from, FirstColumns columns) {
  alignas(64) T all[packed_side] = {};
  std::memcpy(all, from, static_cast<std::size_t>(columns.count) * sizeof(T));
  return load_row(all, AllColumns{});
}

/// c = sums + bias, or c += sums.
template <class T>
struct StoreSums {
  MatrixView<T> c;
  VectorView<bfloat16 const> bias;
  Write write;

  template <class Columns>
  HONE_SIMD_INLINE void operator()(Index row, int count, Index column, float const* sums, Columns columns) const {
    RowPart extra{};
    if (bias) extra = load_row(bias.data + column, columns);
    for (int r = 0; r < count; ++r) {
      RowPart value = load_row(sums + r * packed_side);
      T* const to = c.row(row + r) + column;
      if (write == Write::add) extra = load_row(to, columns);
      value.low += extra.low;
      value.high += extra.high;
      store_row(to, value, columns);
    }
  }
};
/// c (+)= the sums' transpose.
struct StoreTransposed {
  MatrixView<float> c;
  Write write;

  template <class Columns>
  HONE_SIMD_INLINE void operator()(Index row, int count, Index column, float const* sums, Columns columns) const {
    Index last = packed_side;
    if constexpr (std::is_same_v<Columns, FirstColumns>) last = columns.count;
    for (Index j = 0; j < last; ++j) {
      float* const to = c.row(column + j) + row;
      for (int r = 0; r < count; ++r) to[r] = (write == Write::add ? to[r] : 0.0f) + sums[r * packed_side + j];
    }
  }
};

/// Bytes of the second cache (L2) that the right blocks of a range may take.
inline constexpr Index right_bytes = 1280 * 1024;

/// result blocks = rows of `a` times packed right blocks, finished by `finish`.
template <class Finish>
HONE_TARGET void multiply_rows(HostContext& context, MatrixView<bfloat16 const> a, bfloat16 const* right, Index cols,
                               Finish const& finish) {
  if (a.rows == 0) return;
  ProductShape const shape{a.rows, cols, a.cols, 1, 8};
  Index const row_blocks = packed_squares(a.rows), column_blocks = packed_squares(cols);
  Index const block_bytes = shape.steps() * packed_step * static_cast<Index>(sizeof(bfloat16));
  Index const fitting = std::clamp<Index>(right_bytes / std::max<Index>(block_bytes, 1), 1, column_blocks);
  // Few rows: cut the columns, so that there is work for many threads.
  Index const rows_each = row_blocks >= 64 ? 8 : row_blocks >= 16 ? 4 : 1, row_ranges = (row_blocks + rows_each - 1) / rows_each;
  Index const wanted = std::min(column_blocks, (16 + row_ranges - 1) / row_ranges);
  Index const column_ranges = std::max(wanted, (column_blocks + fitting - 1) / fitting);
  Index const columns_each = (column_blocks + column_ranges - 1) / column_ranges;
  context.pool().parallel_for(row_ranges * column_ranges, 1, [&](Index item, Index) HONE_TARGET {
    BlockRange range;
    range.first_row = item % row_ranges * rows_each;
    range.last_row = std::min(row_blocks, range.first_row + rows_each);
    range.first_column = item / row_ranges * columns_each;
    range.last_column = std::min(column_blocks, range.first_column + columns_each);
    if (range.first_column >= range.last_column) return;
    bfloat16* const left = scratch<bfloat16>(Scratch::row_panels, shape.steps() * packed_step);
    float* const sums = scratch<float>(Scratch::block_sums, 2 * shape.column_blocks * block_sums);
    TileRegion const tiles;
    multiply_range(
        range, shape,
        [&](Index block, Index step, Index steps, bfloat16* to) HONE_SIMD_INLINE {
          for (Index s = 0; s < steps; ++s)
            pack_left_step(a, block * packed_side, (step + s) * packed_side, to + s * packed_step);
        },
        left, right, sums, finish);
  });
}

/// Packs a weight (O, C) whole: right blocks [block][step].
HONE_TARGET inline void pack_weight(HostContext& context, MatrixView<bfloat16 const> weight, WeightForm form, bfloat16* to) {
  bool const forward = form == WeightForm::forward;
  Index const blocks = packed_squares(forward ? weight.rows : weight.cols);
  Index const steps = packed_squares(forward ? weight.cols : weight.rows);
  if (forward) {
    context.pool().parallel_for(blocks, 1, [&](Index block, Index) HONE_TARGET {
      for (Index step = 0; step < steps; ++step)
        pack_right_step_transposed(weight, block * packed_side, step * packed_side, to + (block * steps + step) * packed_step);
    });
  } else {  // eight blocks at once: rows of the weight are read in long pieces
    context.pool().parallel_for(blocks, 8, [&](Index begin, Index end) HONE_TARGET {
      for (Index step = 0; step < steps; ++step)
        for (Index block = begin; block < end; ++block)
          pack_right_step(weight, block * packed_side, step * packed_side, to + (block * steps + step) * packed_step);
    });
  }
}
/// The packed weight: kept from call to call where it has a version.
HONE_TARGET inline bfloat16 const* packed_weight(HostContext& context, MatrixView<bfloat16 const> weight, WeightForm form,
                                                 std::uint64_t version) {
  Index const count = packed_squares(weight.rows) * packed_squares(weight.cols) * packed_step;
  if (version == 0) {
    bfloat16* const to = scratch<bfloat16>(Scratch::shared_panels, count);
    pack_weight(context, weight, form, to);
    return to;
  }
  return context.kept<PackedWeights>().template packed<bfloat16>(
      weight, form, WeightFormat::bfloat16_squares, version, count,
      [&](bfloat16* to) HONE_TARGET { pack_weight(context, weight, form, to); });
}

template <>
struct Kernel<LinearForward<mixed>> {
  HONE_TARGET static void run(HostContext& context, LinearForward<mixed> const& op) {
    multiply_rows(context, op.x, packed_weight(context, op.weight, WeightForm::forward, op.weight_version), op.y.cols,
                  StoreSums<bfloat16>{op.y, op.bias, Write::assign});
  }
};

template <>
struct Kernel<LinearBackwardInput<mixed>> {
  HONE_TARGET static void run(HostContext& context, LinearBackwardInput<mixed> const& op) {
    multiply_rows(context, op.dy, packed_weight(context, op.weight, WeightForm::input_gradient, op.weight_version),
                  op.dx.cols, StoreSums<bfloat16>{op.dx, {}, op.write});
  }
};

template <>
struct Kernel<LinearBackwardParameters<mixed>> {
  HONE_TARGET static void run(HostContext& context, LinearBackwardParameters<mixed> const& op) {
    // The larger operand is the left one, whose packing is dearer but whose blocks are packed by who multiplies them.
    bool const transposed = op.x.cols > op.dy.cols;
    MatrixView<bfloat16 const> const a = transposed ? op.x : op.dy, b = transposed ? op.dy : op.x;
    Index const row_blocks = packed_squares(a.cols), column_blocks = packed_squares(b.cols);
    Index const column_ranges = (column_blocks + 23) / 24, columns_each = (column_blocks + column_ranges - 1) / column_ranges;
    Index const wanted = std::max<Index>(4, (row_blocks + 7) / 8);
    Index const rows_each = (row_blocks + wanted - 1) / wanted, row_ranges = (row_blocks + rows_each - 1) / rows_each;
    ProductShape const shape{a.cols, b.cols, a.rows, rows_each, columns_each};
    Index const steps = shape.steps(), segment = shape.segment_steps();
    bfloat16* const right = scratch<bfloat16>(Scratch::shared_panels, column_blocks * steps * packed_step);
    context.pool().parallel_for(steps, 8, [&](Index begin, Index end) HONE_TARGET {
      for (Index step = begin; step < end; ++step)
        for (Index block = 0; block < column_blocks; ++block)
          pack_right_step(b, block * packed_side, step * packed_side, right + (block * steps + step) * packed_step);
    });
    context.pool().parallel_for(row_ranges * column_ranges, 1, [&](Index item, Index) HONE_TARGET {
      BlockRange range;
      range.first_row = item / column_ranges * rows_each;
      range.last_row = std::min(row_blocks, range.first_row + rows_each);
      range.first_column = item % column_ranges * columns_each;
      range.last_column = std::min(column_blocks, range.first_column + columns_each);
      if (range.first_column >= range.last_column) return;
      bfloat16* const left = scratch<bfloat16>(Scratch::row_panels, (rows_each == 1 ? steps : segment) * packed_step);
      float* const sums = scratch<float>(Scratch::block_sums, 2 * rows_each * columns_each * block_sums);
      TileRegion const tiles;
      auto const pack_left = [&](Index block, Index step, Index count, bfloat16* to) HONE_SIMD_INLINE {
        for (Index s = 0; s < count; ++s)
          pack_left_step_transposed(a, block * packed_side, (step + s) * packed_side, to + s * packed_step);
      };
      if (transposed)
        multiply_range(range, shape, pack_left, left, right, sums, StoreTransposed{op.dweight, op.write});
      else
        multiply_range(range, shape, pack_left, left, right, sums, StoreSums<float>{op.dweight, {}, op.write});
    });
    if (!op.dbias) return;
    column_sums<float, 1>(
        context, op.dy.rows, op.dy.cols,
        [&](Index n, Index c, auto part, Vec<float>* sums) HONE_SIMD_INLINE { sums[0] += load(op.dy.row(n) + c, part); },
        {op.dbias}, op.write);
  }
};

}  // namespace hone::detail::HONE_SIMD
