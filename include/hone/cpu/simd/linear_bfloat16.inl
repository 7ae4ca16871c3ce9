// Linear layers of `mixed` on block_product.inl.
namespace hone::detail::HONE_SIMD {

/// 32 columns of a row.
struct RowPart {
  Vec<float> low, high;
};
HONE_SIMD_INLINE inline void store_row(bfloat16* to, RowPart row, AllColumns) {
  store_line(to, narrow_both(row.low, row.high));
}
HONE_SIMD_INLINE inline void store_row(bfloat16* to, RowPart row, FirstColumns columns) {
  Line const line = narrow_both(row.low, row.high);
  std::memcpy(to, &line, static_cast<std::size_t>(columns.count) * sizeof(bfloat16));
}
/// For what is read much later, when it has left all caches: whole lines go past them to memory, without being read first.
/// Others see it after passing_stores_done().
template <class Columns>
HONE_SIMD_INLINE inline void store_row_passing(bfloat16* to, RowPart row, Columns columns) {
#if HONE_SIMD_AMX
  if constexpr (std::is_same_v<Columns, AllColumns>)
    if (reinterpret_cast<std::uintptr_t>(to) % sizeof(Line) == 0) {
      Line const line = narrow_both(row.low, row.high);
      __asm__ volatile("vmovntdq %1, %0" : "=m"(*reinterpret_cast<char(*)[sizeof(Line)]>(to)) : "v"(line));
      return;
    }
#endif
  store_row(to, row, columns);
}
HONE_SIMD_INLINE inline void passing_stores_done() {
#if HONE_SIMD_AMX
  __asm__ volatile("sfence" : : : "memory");
#endif
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

/// y = sums + bias, or y += sums.
struct StoreSums {
  static constexpr int strip_rows = 2, parts = 1;
  struct State {};
  MatrixView<bfloat16> y;
  VectorView<bfloat16 const> bias;
  Write write;

  template <class Columns>
  HONE_SIMD_INLINE void operator()(Index row, int count, Index column, float const* sums, Columns columns, int,
                                   State&) const {
    RowPart extra{};
    if (bias) extra = load_row(bias.data + column, columns);
    for (int r = 0; r < count; ++r) {
      RowPart value = load_row(sums + r * packed_side);
      bfloat16* const to = y.row(row + r) + column;
      if (write == Write::add) extra = load_row(to, columns);
      value.low += extra.low;
      value.high += extra.high;
      store_row(to, value, columns);
      prefetch_to_write(to + packed_side);
    }
  }
};
/// u = sums + bias, h = activation(u).
template <Activation kind>
struct StoreActivated {
  static constexpr int strip_rows = 1, parts = 1;
  struct State {};
  MatrixView<bfloat16> u, h;
  VectorView<bfloat16 const> bias;

  template <class Columns>
  HONE_SIMD_INLINE void operator()(Index row, int count, Index column, float const* sums, Columns columns, int,
                                   State&) const {
    RowPart const extra = bias ? load_row(bias.data + column, columns) : RowPart{};
    for (int r = 0; r < count; ++r) {
      RowPart value = load_row(sums + r * packed_side), activated, derivative;
      value.low += extra.low;
      value.high += extra.high;
      activate<bfloat16, kind>(value.low, activated.low, derivative.low);
      activate<bfloat16, kind>(value.high, activated.high, derivative.high);
      bfloat16* const to = h.row(row + r) + column;
      store_row(to, activated, columns);
      prefetch_to_write(to + packed_side);
      if (u) store_row_passing(u.row(row + r) + column, value, columns);  // read in backward
    }
  }
};
/// du = sums * activation'(u).
template <Activation kind>
struct StoreDerived {
  static constexpr int strip_rows = 1, parts = 1;
  struct State {};
  MatrixView<bfloat16 const> u;
  MatrixView<bfloat16> du;

  template <class Columns>
  HONE_SIMD_INLINE void operator()(Index row, int count, Index column, float const* sums, Columns columns, int,
                                   State&) const {
    for (int r = 0; r < count; ++r) {
      RowPart value = load_row(sums + r * packed_side), activated, derivative;
      RowPart const at = load_row(u.row(row + r) + column, columns);
      activate<bfloat16, kind>(at.low, activated.low, derivative.low);
      activate<bfloat16, kind>(at.high, activated.high, derivative.high);
      value.low *= derivative.low;
      value.high *= derivative.high;
      bfloat16* const to = du.row(row + r) + column;
      store_row(to, value, columns);
      prefetch_to_write(to + packed_side);
      __builtin_prefetch(u.row(row + r) + column + packed_side, 0, 3);
    }
  }
};
/// z = residual + sums + bias.
struct StoreResidual {
  static constexpr int strip_rows = 1, parts = 1;
  struct State {};
  MatrixView<bfloat16 const> residual;
  VectorView<bfloat16 const> bias;
  MatrixView<bfloat16> z;

  template <class Columns>
  HONE_SIMD_INLINE void operator()(Index row, int, Index column, float const* sums, Columns columns, int, State&) const {
    RowPart value = load_row(sums);
    RowPart const extra = bias ? load_row(bias.data + column, columns) : RowPart{};
    RowPart const joins = load_row(residual.row(row) + column, columns);
    value.low += extra.low;
    value.high += extra.high;
    value.low += joins.low;
    value.high += joins.high;
    bfloat16* const to = z.row(row) + column;
    store_row(to, value, columns);
    prefetch_to_write(to + packed_side);
    __builtin_prefetch(residual.row(row) + column + packed_side, 0, 3);
  }
};
/// z = residual + dropout(sums + bias). Four rows' random bits come first, in parts; what Philox needs of columns is made
/// once for a block, what it needs of rows once for all blocks beside each other.
struct StoreDroppedResidual {
  static constexpr int strip_rows = strip_height, bit_parts = 2, parts = bit_parts + strip_rows;
  struct State {
    StripPhilox::Columns columns;
    StripPhilox::Rows rows[packed_side / strip_rows];
    Index first_row[packed_side / strip_rows];  // of those that `rows` are made for
    RowPart bias;
    Words words[4];
    LaneMask kept[strip_rows];  // a bit for each column

    State() { std::fill(std::begin(first_row), std::end(first_row), Index{-1}); }
  };
  MatrixView<bfloat16 const> residual;
  VectorView<bfloat16 const> bias;
  StripPhilox philox;
  RowMap rows;
  MatrixView<bfloat16> z;

  template <class Columns>
  HONE_SIMD_INLINE void operator()(Index row, int count, Index column, float const* sums, Columns columns, int part,
                                   State& state) const {
    if (part == 0) {
      Index const strip = row % packed_side / strip_rows;
      if (strip == 0) {
        state.columns = philox.columns(static_cast<std::uint32_t>(column / 8));
        state.bias = bias ? load_row(bias.data + column, columns) : RowPart{};
      }
      if (state.first_row[strip] != row) {
        state.rows[strip] = philox.rows(rows, row, count);
        state.first_row[strip] = row;
      }
      philox.join(state.columns, state.rows[strip], state.words);
      philox.rounds<0, StripPhilox::late_rounds / 2>(state.words);
    } else if (part < bit_parts) {
      philox.rounds<StripPhilox::late_rounds / 2, StripPhilox::late_rounds>(state.words);
      Vec<float> bits[strip_rows];
      philox.in_order(state.words, bits);
      std::uint32_t const threshold = philox.dropout().threshold;
      for (int r = 0; r < strip_rows; ++r)
        state.kept[r] = halves_at_least(reinterpret_cast<Words>(bits[r]), Words{} + (threshold << 16 | threshold));
    } else if (int const r = part - bit_parts; r < count) {
      RowPart value = load_row(sums + r * packed_side);
      value.low += state.bias.low;
      value.high += state.bias.high;
      Vec<float> const scale = splat(static_cast<float>(philox.dropout().scale()));
      RowPart z_row = load_row(residual.row(row + r) + column, columns);
      z_row.low = fused_where(state.kept[r], value.low, scale, z_row.low);
      z_row.high = fused_where(state.kept[r] >> lanes<float>, value.high, scale, z_row.high);
      bfloat16* const to = z.row(row + r) + column;
      store_row(to, z_row, columns);
      prefetch_to_write(to + packed_side);
      __builtin_prefetch(residual.row(row + r) + column + packed_side, 0, 3);
    }
  }

 private:
  static_assert(8 * StripPhilox::blocks == packed_side, "a vector of random words serves the columns of a block");
};

/// finish(rows of `a` times packed right blocks).
template <class Finish>
HONE_TARGET void multiply_rows(HostContext& context, MatrixView<bfloat16 const> a, bfloat16 const* right, Index cols,
                               Finish const& finish) {
  if (a.rows == 0) return;
  Index const steps = std::max<Index>(1, packed_squares(a.cols));
  Index const row_blocks = packed_squares(a.rows), column_blocks = packed_squares(cols);
  Index const fitting = square_product.resident_blocks(steps, column_blocks);
  TaperedRanges const ranges(row_blocks, 8, context.threads());
  Index const row_ranges = ranges.size();
  // Few rows: cut the columns, so that there is work for many threads.
  Index const wanted = std::min(column_blocks, (16 + row_ranges - 1) / row_ranges);
  Index const column_ranges = std::max(wanted, (column_blocks + fitting - 1) / fitting);
  context.pool().parallel_for(row_ranges * column_ranges, 1, [&](Index item, Index) HONE_TARGET {
    BlockRange range;
    range.first_row = ranges.begin(item % row_ranges);
    range.last_row = ranges.begin(item % row_ranges + 1);
    range.first_column = item / row_ranges * column_blocks / column_ranges;
    range.last_column = (item / row_ranges + 1) * column_blocks / column_ranges;
    bfloat16* const edge = scratch<bfloat16>(Scratch::row_panels, steps * packed_step);
    float* const waiting = scratch<float>(Scratch::block_sums, square_product.waiting_sums(steps, column_blocks));
    TileRegion const tiles;
    multiply_range(range, a, right, cols, edge, waiting, finish);
    passing_stores_done();
  });
}

/// Packs a weight (O, C) whole: right blocks [block][step].
template <class A>
HONE_TARGET void pack_weight(HostContext& context, MatrixView<A const> weight, WeightForm form, bfloat16* to) {
  bool const forward = form == WeightForm::forward;
  Index const blocks = packed_squares(forward ? weight.rows : weight.cols);
  Index const steps = packed_squares(forward ? weight.cols : weight.rows);
  if (forward) {
    context.pool().parallel_for(blocks, 1, [&](Index block, Index) HONE_TARGET {
      for (Index step = 0; step < steps; ++step)
        pack_right_step_transposed(weight, block * packed_side, step * packed_side,
                                   to + (block * steps + step) * packed_step);
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
template <class A>
HONE_TARGET bfloat16 const* packed_weight(HostContext& context, MatrixView<A const> weight, WeightForm form,
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

template <class P>
  requires(std::is_same_v<P, mixed>)
struct Kernel<LinearForward<P>> {
  HONE_TARGET static void run(HostContext& context, LinearForward<mixed> const& op) {
    multiply_rows(context, op.x, packed_weight(context, op.weight, WeightForm::forward, op.weight_version), op.y.cols,
                  StoreSums{op.y, op.bias, Write::assign});
  }
};

template <class P>
  requires(std::is_same_v<P, mixed>)
struct Kernel<LinearActivationForward<P>> {
  HONE_TARGET static void run(HostContext& context, LinearActivationForward<mixed> const& op) {
    bfloat16 const* const weight = packed_weight(context, op.weight, WeightForm::forward, op.weight_version);
    with_activation(op.kind, [&](auto kind) HONE_TARGET {
      multiply_rows(context, op.x, weight, op.h.cols, StoreActivated<decltype(kind)::value>{op.u, op.h, op.bias});
    });
  }
};

template <class P>
  requires(std::is_same_v<P, mixed>)
struct Kernel<LinearResidualForward<P>> {
  HONE_TARGET static void run(HostContext& context, LinearResidualForward<mixed> const& op) {
    bfloat16 const* const weight = packed_weight(context, op.weight, WeightForm::forward, op.weight_version);
    if (op.dropout.active())
      multiply_rows(context, op.x, weight, op.z.cols,
                    StoreDroppedResidual{op.residual, op.bias, StripPhilox(op.dropout), op.rows, op.z});
    else
      multiply_rows(context, op.x, weight, op.z.cols, StoreResidual{op.residual, op.bias, op.z});
  }
};

template <class P>
  requires(std::is_same_v<P, mixed>)
struct Kernel<LinearBackwardInput<P>> {
  HONE_TARGET static void run(HostContext& context, LinearBackwardInput<mixed> const& op) {
    multiply_rows(context, op.dy, packed_weight(context, op.weight, WeightForm::input_gradient, op.weight_version),
                  op.dx.cols, StoreSums{op.dx, {}, op.write});
  }
};

template <class P>
  requires(std::is_same_v<P, mixed>)
struct Kernel<LinearActivationBackwardInput<P>> {
  HONE_TARGET static void run(HostContext& context, LinearActivationBackwardInput<mixed> const& op) {
    bfloat16 const* const weight = packed_weight(context, op.weight, WeightForm::input_gradient, op.weight_version);
    with_activation(op.kind, [&](auto kind) HONE_TARGET {
      multiply_rows(context, op.dy, weight, op.du.cols, StoreDerived<decltype(kind)::value>{op.u, op.du});
    });
  }
};

}  // namespace hone::detail::HONE_SIMD
