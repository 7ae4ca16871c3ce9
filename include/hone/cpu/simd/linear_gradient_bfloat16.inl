// Gradients of the weights of linear layers in `mixed`, on block_product.inl.
namespace hone::detail::HONE_SIMD {

/// dw = sums, or dw += sums.
struct StoreGradient {
  static constexpr int strip_rows = 4, parts = 1;
  struct State {};
  MatrixView<float> dw;
  bool adds;

  template <class Columns>
  HONE_SIMD_INLINE void operator()(Index row, int count, Index column, float const* sums, Columns columns, int,
                                   State&) const {
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

template <class P>
  requires(std::is_same_v<P, mixed>)
struct Kernel<LinearBackwardParameters<P>> {
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
      // Until the last piece the sums of all blocks wait here, where they come one after the other.
      Index const blocks = (end - begin) * passing;
      float* const waiting = scratch<float>(Scratch::block_sums, blocks * block_sums);
      alignas(64) float sums[gradient_blocks][packed_side] = {};
      TileRegion const tiles;
      for (Index first = 0; first < steps; first += piece) {
        Index const length = std::min(piece, steps - first);
        bool const is_last = first + length == steps;
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
        StoreGradient const finish{op.dweight, op.write == Write::add};
        BlockFinisher<StoreGradient> finisher(op.dweight.rows, op.dweight.cols, finish);
        float* block_of_sums = waiting;
        for (Index other = 0; other < passing; ++other)
          for (Index block = begin; block < end; ++block, block_of_sums += block_sums) {
            bfloat16* const mine = own + (block - begin) * length * packed_step;
            bfloat16* const theirs = at(other, first);
            Index const row = (rows_stay ? block : other) * packed_side, column = (rows_stay ? other : block) * packed_side;
            float* const gradient = op.dweight.row(row) + column;  // written during the next block
            Index const gradient_rows = is_last ? std::min(packed_side, op.dweight.rows - row) : 0;
            float const* const next_sums = block_of_sums + block_sums < waiting + blocks * block_sums
                                               ? block_of_sums + block_sums
                                               : waiting;
            bfloat16 const* const next = theirs + length * packed_step;  // of those that pass
            Index line = (block - begin) * length * lines_each, credit = 0;
            Index const last_line = other + 1 < passing ? packed_side * length : 0;
            auto const beside = [&](Index step, int call) HONE_SIMD_INLINE {
              if (is_last)
                for (credit += finisher.parts; credit >= beside_calls * length; credit -= beside_calls * length)
                  finisher.part();
              if (call > 0) return;
              for (Index l = 0; l < lines_each && line < last_line; ++l, ++line)
                __builtin_prefetch(next + line * packed_side, 0, 2);
              for (Index l = 4 * step; l < 4 * step + 4; ++l) prefetch_to_write(next_sums + l * 16);
              for (Index r = 2 * step; r < std::min(2 * step + 2, gradient_rows); ++r) {
                prefetch_to_write(gradient + r * op.dweight.stride);
                prefetch_to_write(gradient + r * op.dweight.stride + 16);
              }
            };
            if (rows_stay)
              multiply_block<true, false>(length, packed_left(mine), theirs, block_of_sums, packed_side, first > 0, beside);
            else
              multiply_block<false, true>(length, packed_left(theirs), mine, block_of_sums, packed_side, first > 0, beside);
            if (!is_last) continue;
            while (finisher.waiting()) finisher.part();
            finisher.begin(row, column, block_of_sums);
          }
        while (finisher.waiting()) finisher.part();
      }
      if (rows_stay)
        for (Index block = begin; block < end; ++block) add_bias(op, block, sums[block - begin]);
    });
  }

 private:
  /// Sums as add_rows leaves them.
  HONE_SIMD_INLINE static void add_bias(LinearBackwardParameters<mixed> const& op, Index block, float const* sums) {
    if (!op.dbias) return;
    Index const first = block * packed_side, count = std::min(packed_side, op.dbias.size - first);
    for (Index c = 0; c < count; ++c)
      op.dbias[first + c] = (op.write == Write::add ? op.dbias[first + c] : 0.0f) + sums[c % 2 * (packed_side / 2) + c / 2];
  }
};

}  // namespace hone::detail::HONE_SIMD
