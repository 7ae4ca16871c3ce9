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
HONE_SIMD_INLINE inline void store_row(bfloat16* to, RowPart row, AllColumns) {
  store_line(to, narrow_line(row.low, row.high));
}
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

/// y = sums + bias, or y += sums.
struct StoreSums {
  MatrixView<bfloat16> y;
  VectorView<bfloat16 const> bias;
  Write write;

  template <class Columns>
  HONE_SIMD_INLINE void operator()(Index row, int count, Index column, float const* sums, Columns columns) const {
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
  MatrixView<bfloat16> u, h;
  VectorView<bfloat16 const> bias;

  template <class Columns>
  HONE_SIMD_INLINE void operator()(Index row, int count, Index column, float const* sums, Columns columns) const {
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
      if (!u) continue;
      store_row(u.row(row + r) + column, value, columns);
      prefetch_to_write(u.row(row + r) + column + packed_side);
    }
  }
};
/// du = sums * activation'(u).
template <Activation kind>
struct StoreDerived {
  MatrixView<bfloat16 const> u;
  MatrixView<bfloat16> du;

  template <class Columns>
  HONE_SIMD_INLINE void operator()(Index row, int count, Index column, float const* sums, Columns columns) const {
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
/// z = residual + dropout(sums + bias).
template <bool drops>
struct StoreResidual {
  MatrixView<bfloat16 const> residual;
  VectorView<bfloat16 const> bias;
  Dropout dropout;
  RowMap rows;
  MatrixView<bfloat16> z;

  template <class Columns>
  HONE_SIMD_INLINE void operator()(Index row, int count, Index column, float const* sums, Columns columns) const {
    RowPart const extra = bias ? load_row(bias.data + column, columns) : RowPart{};
    Vec<float> kept[strip_rows];  // 32 columns' random bits, 16 each
    if constexpr (drops) random_bits(row, count, column, kept);
    for (int r = 0; r < count; ++r) {
      RowPart value = load_row(sums + r * packed_side);
      RowPart const joins = load_row(residual.row(row + r) + column, columns);
      value.low += extra.low;
      value.high += extra.high;
      if constexpr (drops) {
        VectorOf<bfloat16>::Bits bits[2];
        std::memcpy(bits, &kept[r], sizeof bits);
        value.low *= factors(bits[0]);
        value.high *= factors(bits[1]);
      }
      value.low += joins.low;
      value.high += joins.high;
      bfloat16* const to = z.row(row + r) + column;
      store_row(to, value, columns);
      prefetch_to_write(to + packed_side);
      __builtin_prefetch(residual.row(row + r) + column + packed_side, 0, 3);
    }
  }

 private:
  static_assert(strip_rows == 4 && word_lanes == 16, "a call of philox_vectors serves 8 columns in each of 16 lanes");

  HONE_SIMD_INLINE void random_bits(Index row, int count, Index column, Vec<float> (&kept)[strip_rows]) const {
    alignas(64) std::uint32_t blocks[16], positions[16], examples[16];
    for (int lane = 0; lane < 16; ++lane) {
      Index const of = row + std::min(lane / 4, count - 1);
      blocks[lane] = static_cast<std::uint32_t>(column / 8) + static_cast<std::uint32_t>(lane % 4);
      positions[lane] = static_cast<std::uint32_t>(rows.position[of]);
      examples[lane] = static_cast<std::uint32_t>(rows.example(of));
    }
    Words words[4];
    std::memcpy(&words[0], blocks, sizeof blocks);
    std::memcpy(&words[1], positions, sizeof positions);
    std::memcpy(&words[2], examples, sizeof examples);
    words[3] = Words{} + dropout.step;
    philox_vectors(words[0], words[1], words[2], words[3], dropout.key0, dropout.key1);
    for (int w = 0; w < 4; ++w) kept[w] = reinterpret_cast<Vec<float>>(words[w]);
    interleave<float>(kept[0], kept[2]);
    interleave<float>(kept[1], kept[3]);
    interleave<float>(kept[0], kept[1]);
    interleave<float>(kept[2], kept[3]);  // vector r now has the words of lanes 4 r .. 4 r + 3, lane by lane
  }
  HONE_SIMD_INLINE Vec<float> factors(VectorOf<bfloat16>::Bits bits) const {
    Words const words = __builtin_convertvector(bits, Words);
    return words >= dropout.threshold ? splat(static_cast<float>(dropout.scale())) : Vec<float>{};
  }
};

/// finish(rows of `a` times packed right blocks).
template <class Finish>
HONE_TARGET void multiply_rows(HostContext& context, MatrixView<bfloat16 const> a, bfloat16 const* right, Index cols,
                               Finish const& finish) {
  if (a.rows == 0) return;
  Index const steps = std::max<Index>(1, packed_squares(a.cols));
  Index const row_blocks = packed_squares(a.rows), column_blocks = packed_squares(cols);
  Index const block_bytes = steps * packed_step * static_cast<Index>(sizeof(bfloat16));
  Index const fitting = std::clamp<Index>(resident_bytes / block_bytes, 1, column_blocks);
  // Few rows: cut the columns, so that there is work for many threads.
  Index const rows_each = row_blocks >= 64   ? 8
                          : row_blocks >= 16 ? 4
                                             : 1,
              row_ranges = (row_blocks + rows_each - 1) / rows_each;
  Index const wanted = std::min(column_blocks, (16 + row_ranges - 1) / row_ranges);
  Index const column_ranges = std::max(wanted, (column_blocks + fitting - 1) / fitting);
  context.pool().parallel_for(row_ranges * column_ranges, 1, [&](Index item, Index) HONE_TARGET {
    BlockRange range;
    range.first_row = item % row_ranges * rows_each;
    range.last_row = std::min(row_blocks, range.first_row + rows_each);
    range.first_column = item / row_ranges * column_blocks / column_ranges;
    range.last_column = (item / row_ranges + 1) * column_blocks / column_ranges;
    bfloat16* const edge = scratch<bfloat16>(Scratch::row_panels, steps * packed_step);
    TileRegion const tiles;
    multiply_range(range, a, right, cols, edge, finish);
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
                  StoreSums{op.y, op.bias, Write::assign});
  }
};

template <>
struct Kernel<LinearActivationForward<mixed>> {
  HONE_TARGET static void run(HostContext& context, LinearActivationForward<mixed> const& op) {
    bfloat16 const* const weight = packed_weight(context, op.weight, WeightForm::forward, op.weight_version);
    with_activation(op.kind, [&](auto kind) HONE_TARGET {
      multiply_rows(context, op.x, weight, op.h.cols, StoreActivated<decltype(kind)::value>{op.u, op.h, op.bias});
    });
  }
};

template <>
struct Kernel<LinearResidualForward<mixed>> {
  HONE_TARGET static void run(HostContext& context, LinearResidualForward<mixed> const& op) {
    bfloat16 const* const weight = packed_weight(context, op.weight, WeightForm::forward, op.weight_version);
    if (op.dropout.active())
      multiply_rows(context, op.x, weight, op.z.cols,
                    StoreResidual<true>{op.residual, op.bias, op.dropout, op.rows, op.z});
    else
      multiply_rows(context, op.x, weight, op.z.cols,
                    StoreResidual<false>{op.residual, op.bias, op.dropout, op.rows, op.z});
  }
};

template <>
struct Kernel<LinearBackwardInput<mixed>> {
  HONE_TARGET static void run(HostContext& context, LinearBackwardInput<mixed> const& op) {
    multiply_rows(context, op.dy, packed_weight(context, op.weight, WeightForm::input_gradient, op.weight_version),
                  op.dx.cols, StoreSums{op.dx, {}, op.write});
  }
};

template <>
struct Kernel<LinearActivationBackwardInput<mixed>> {
  HONE_TARGET static void run(HostContext& context, LinearActivationBackwardInput<mixed> const& op) {
    bfloat16 const* const weight = packed_weight(context, op.weight, WeightForm::input_gradient, op.weight_version);
    with_activation(op.kind, [&](auto kind) HONE_TARGET {
      multiply_rows(context, op.dy, weight, op.du.cols, StoreDerived<decltype(kind)::value>{op.u, op.du});
    });
  }
};

/// The tokens of a product of weight gradients are gone through in pieces of so many steps: a block of a piece (32 KiB) fits
/// the nearest cache, and `gradient_blocks` of them the second. A gradient is the sum of its pieces' sums, in their order.
inline constexpr Index gradient_steps = 16;
inline constexpr Index gradient_blocks = 24;

/// dw = sums, or dw += sums.
struct StoreGradient {
  MatrixView<float> dw;
  bool adds;

  template <class Columns>
  HONE_SIMD_INLINE void operator()(Index row, int count, Index column, float const* sums, Columns columns) const {
    for (int r = 0; r < count; ++r) {
      RowPart value = load_row(sums + r * packed_side);
      float* const to = dw.row(row + r) + column;
      if (adds) {
        RowPart const before = load_row(to, columns);
        value.low += before.low;
        value.high += before.high;
      }
      store_row(to, value, columns);
    }
  }
};

template <>
struct Kernel<LinearBackwardParameters<mixed>> {
  HONE_TARGET static void run(HostContext& context, LinearBackwardParameters<mixed> const& op) {
    MatrixView<bfloat16 const> const x = op.x, dy = op.dy;
    Index const row_blocks = packed_squares(dy.cols), column_blocks = packed_squares(x.cols);
    Index const steps = std::max<Index>(1, packed_squares(x.rows)), pieces = (steps + gradient_steps - 1) / gradient_steps;
    Index const piece = (steps + pieces - 1) / pieces;
    // The smaller operand is packed first, for all; blocks of the larger one by who multiplies them.
    bool const rows_stay = row_blocks >= column_blocks;
    Index const staying = rows_stay ? row_blocks : column_blocks, passing = rows_stay ? column_blocks : row_blocks;
    bfloat16* const shared = scratch<bfloat16>(Scratch::shared_panels, passing * steps * packed_step);
    auto const at = [&](Index block, Index step) HONE_SIMD_INLINE {  // [piece][block][step]
      Index const first = step / piece * piece, length = std::min(piece, steps - first);
      return shared + (first * passing + block * length + step - first) * packed_step;
    };
    if (rows_stay)
      context.pool().parallel_for(steps, 8, [&](Index begin, Index end) HONE_TARGET {
        for (Index step = begin; step < end; ++step)
          for (Index block = 0; block < passing; ++block) {
            prefetch_square(x, (step + 1) * packed_side, block * packed_side);
            pack_right_step(x, block * packed_side, step * packed_side, at(block, step));
          }
      });
    else
      context.pool().parallel_for(passing, 2, [&](Index begin, Index end) HONE_TARGET {
        alignas(64) float sums[2][packed_side] = {};
        for (Index step = 0; step < steps; ++step)
          for (Index block = begin; block < end; ++block) {
            prefetch_square(dy, (step + 2) * packed_side, block * packed_side);
            pack_left_step_transposed(dy, block * packed_side, step * packed_side, at(block, step),
                                      op.dbias ? sums[block - begin] : nullptr);
          }
        for (Index block = begin; block < end; ++block) add_bias(op, block, sums[block - begin]);
      });
    // No sum depends on how the blocks are shared out.
    Index const wanted = round_up((staying + gradient_blocks - 1) / gradient_blocks, 4);
    Index const ranges = std::min(staying, std::max<Index>(wanted, context.threads() > 4 ? 2 * context.threads() : 0));
    context.pool().parallel_for(ranges, 1, [&](Index item, Index) HONE_TARGET {
      Index const begin = item * staying / ranges, end = (item + 1) * staying / ranges;
      Index const lines_each = (packed_side + end - begin - 1) / (end - begin);
      bfloat16* const own = scratch<bfloat16>(Scratch::row_panels, (end - begin) * piece * packed_step);
      alignas(64) float sums[gradient_blocks][packed_side] = {};
      TileRegion const tiles;
      for (Index first = 0; first < steps; first += piece) {
        Index const length = std::min(piece, steps - first);
        bool const adds = first > 0 || op.write == Write::add;
        for (Index step = 0; step < length; ++step)
          for (Index block = begin; block < end; ++block) {
            bfloat16* const to = own + ((block - begin) * length + step) * packed_step;
            prefetch_square(rows_stay ? dy : x, (first + step + 1) * packed_side, block * packed_side);
            if (rows_stay)
              pack_left_step_transposed(dy, block * packed_side, (first + step) * packed_side, to,
                                        op.dbias ? sums[block - begin] : nullptr);
            else
              pack_right_step(x, block * packed_side, (first + step) * packed_side, to);
          }
        StoreGradient const finish{op.dweight, adds};
        BlockFinisher<StoreGradient> finisher(op.dweight.rows, op.dweight.cols, finish);
        alignas(64) float products[2][block_sums];
        int turn = 0;
        for (Index other = 0; other < passing; ++other)
          for (Index block = begin; block < end; ++block, turn = 1 - turn) {
            bfloat16* const mine = own + (block - begin) * length * packed_step;
            bfloat16* const theirs = at(other, first);
            Index const row = (rows_stay ? block : other) * packed_side, column = (rows_stay ? other : block) * packed_side;
            float* const ahead = op.dweight.row(row) + column;  // finished during the next block
            Index const ahead_rows = std::min(packed_side, op.dweight.rows - row);
            bfloat16 const* const next = theirs + length * packed_step;  // of those that pass
            Index line = (block - begin) * length * lines_each, credit = 0;
            Index const last_line = other + 1 < passing ? packed_side * length : 0;
            auto const beside = [&](Index step) HONE_SIMD_INLINE {
              for (credit += strips_in_block; credit >= length; credit -= length) finisher.strip();
              for (Index l = 0; l < lines_each && line < last_line; ++l, ++line)
                __builtin_prefetch(next + line * packed_side, 0, 2);
              for (Index r = 2 * step; r < std::min(2 * step + 2, ahead_rows); ++r) {
                prefetch_to_write(ahead + r * op.dweight.stride);
                prefetch_to_write(ahead + r * op.dweight.stride + 16);
              }
            };
            if (rows_stay)
              multiply_block<true, false>(length, packed_left(mine), theirs, products[turn], packed_side, false, beside);
            else
              multiply_block<false, true>(length, packed_left(theirs), mine, products[turn], packed_side, false, beside);
            while (finisher.waiting()) finisher.strip();
            finisher.begin(row, column, products[turn]);
          }
        while (finisher.waiting()) finisher.strip();
      }
      if (rows_stay)
        for (Index block = begin; block < end; ++block) add_bias(op, block, sums[block - begin]);
    });
  }

 private:
  HONE_SIMD_INLINE static void add_bias(LinearBackwardParameters<mixed> const& op, Index block, float const* sums) {
    if (!op.dbias) return;
    for (Index c = block * packed_side; c < std::min((block + 1) * packed_side, op.dbias.size); ++c)
      op.dbias[c] = (op.write == Write::add ? op.dbias[c] : 0.0f) + sums[c - block * packed_side];
  }
};

}  // namespace hone::detail::HONE_SIMD
