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

/// Pieces of work are some steps of a range of blocks: all ranges of the first steps, then all of the next, so that threads
/// end together however fast each of them is. A block's sums wait for the next steps in memory that threads share.
template <class P>
  requires(std::is_same_v<P, mixed>)
struct Kernel<LinearBackwardParameters<P>> {
  HONE_TARGET static void run(HostContext& context, LinearBackwardParameters<mixed> const& op) {
    Index const row_blocks = packed_squares(op.dy.cols), column_blocks = packed_squares(op.x.cols);
    Work work{op, row_blocks >= column_blocks, std::max(row_blocks, column_blocks), std::min(row_blocks, column_blocks)};
    work.steps = std::max<Index>(1, packed_squares(op.x.rows));
    work.piece = gradient_piece(work.steps);
    work.ranges = gradient_ranges(work.staying, context.threads());
    work.shared = scratch<bfloat16>(Scratch::shared_panels, work.passing * work.steps * packed_step);
    work.sums = scratch<float>(Scratch::reduction, gradient_floats(work.staying, work.passing));
    work.bias_sums = work.sums + work.staying * work.passing * block_sums;
    work.steps_done = reinterpret_cast<Index*>(work.bias_sums + work.staying * packed_side);
    std::fill(work.bias_sums, work.bias_sums + work.staying * packed_side, 0.0f);
    std::fill(work.steps_done, work.steps_done + work.ranges, Index{0});
    pack_shared(context, work);
    Index const pieces = (work.steps + work.piece - 1) / work.piece;
    context.pool().parallel_for(pieces * work.ranges, 1, [&](Index item, Index) HONE_TARGET {
      multiply(work, item % work.ranges, item / work.ranges * work.piece);
    });
  }

 private:
  struct Work {
    LinearBackwardParameters<mixed> const& op;
    bool rows_stay;               // blocks of dy's columns are the ones that stay, x's pass; or the other way round
    Index staying, passing;       // blocks: of the larger operand, of the smaller
    Index steps = 0, piece = 0;   // of 32 tokens; how many at a time
    Index ranges = 0;             // of staying blocks
    bfloat16* shared = nullptr;   // the passing operand
    float* sums = nullptr;        // of all blocks, a range's one after the other
    float* bias_sums = nullptr;   // where dy's blocks stay
    Index* steps_done = nullptr;  // of each range

    HONE_SIMD_INLINE Index first_of(Index range) const { return range * staying / ranges; }
    /// The passing blocks are packed as [piece][block][step].
    HONE_SIMD_INLINE bfloat16* passing_square(Index block, Index step) const {
      Index const first = step / piece * piece, length = std::min(piece, steps - first);
      return shared + (first * passing + block * length + step - first) * packed_step;
    }
  };

  /// A range's pieces in their order: waits until those before `first` are done, and tells that `length` more are, whatever
  /// happens.
  class Turn {
   public:
    Turn(Index& steps_done, Index first, Index length) : steps_done_(steps_done), last_(first + length) {
      while (steps_done_.load(std::memory_order_acquire) != first) std::this_thread::yield();
    }
    ~Turn() { steps_done_.store(last_, std::memory_order_release); }

   private:
    std::atomic_ref<Index> steps_done_;
    Index last_;
  };

  /// The smaller operand is packed first, for all; blocks of the larger one by who multiplies them.
  HONE_TARGET static void pack_shared(HostContext& context, Work const& work) {
    if (work.rows_stay)
      context.pool().parallel_for(work.steps, 8, [&](Index begin, Index end) HONE_TARGET {
        for (Index step = begin; step < end; ++step)
          for (Index block = 0; block < work.passing; ++block) {
            prefetch_square(work.op.x, (step + 1) * packed_side, block * packed_side);
            pack_right_step(work.op.x, block * packed_side, step * packed_side, work.passing_square(block, step));
          }
      });
    else
      context.pool().parallel_for(work.passing, 2, [&](Index begin, Index end) HONE_TARGET {
        alignas(64) float sums[2][packed_side] = {};
        for (Index step = 0; step < work.steps; ++step)
          for (Index block = begin; block < end; ++block) {
            prefetch_square(work.op.dy, (step + 2) * packed_side, block * packed_side);
            pack_left_step_transposed(work.op.dy, block * packed_side, step * packed_side, work.passing_square(block, step),
                                      work.op.dbias ? sums[block - begin] : nullptr);
          }
        for (Index block = begin; block < end; ++block) add_bias(work.op, block, sums[block - begin]);
      });
  }

  /// Steps `first` .. of a range.
  HONE_TARGET static void multiply(Work const& work, Index range, Index first) {
    Index const begin = work.first_of(range), end = work.first_of(range + 1), passing = work.passing;
    Index const length = std::min(work.piece, work.steps - first);
    bool const is_last = first + length == work.steps;
    Turn const turn(work.steps_done[range], first, length);
    LinearBackwardParameters<mixed> const& op = work.op;
    bfloat16* const own = scratch<bfloat16>(Scratch::row_panels, (end - begin) * length * packed_step);
    for (Index step = 0; step < length; ++step)
      for (Index block = begin; block < end; ++block) {
        Index const row = (first + step) * packed_side, column = block * packed_side;
        bfloat16* const to = own + ((block - begin) * length + step) * packed_step;
        prefetch_square(work.rows_stay ? op.dy : op.x, row + packed_side, column);
        if (work.rows_stay)
          pack_left_step_transposed(op.dy, column, row, to, op.dbias ? work.bias_sums + block * packed_side : nullptr);
        else
          pack_right_step(op.x, column, row, to);
      }
    TileRegion const tiles;
    StoreGradient const finish{op.dweight, op.write == Write::add};
    BlockFinisher<StoreGradient> finisher(op.dweight.rows, op.dweight.cols, finish);
    float* const all_sums = work.sums + begin * passing * block_sums;
    float *sums = all_sums, *const sums_end = all_sums + (end - begin) * passing * block_sums;
    Index const lines_each = (packed_side + end - begin - 1) / (end - begin);
    for (Index other = 0; other < passing; ++other)
      for (Index block = begin; block < end; ++block, sums += block_sums) {
        bfloat16* const mine = own + (block - begin) * length * packed_step;
        bfloat16* const theirs = work.passing_square(other, first);
        Index const row = (work.rows_stay ? block : other) * packed_side;
        Index const column = (work.rows_stay ? other : block) * packed_side;
        float* const gradient = op.dweight.row(row) + column;  // written during the next block
        Index const gradient_rows = is_last ? std::min(packed_side, op.dweight.rows - row) : 0;
        float const* const next_sums = sums + block_sums < sums_end ? sums + block_sums : all_sums;
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
        if (work.rows_stay)
          multiply_block<true, false>(length, packed_left(mine), theirs, sums, packed_side, first > 0, beside);
        else
          multiply_block<false, true>(length, packed_left(theirs), mine, sums, packed_side, first > 0, beside);
        if (!is_last) continue;
        while (finisher.waiting()) finisher.part();
        finisher.begin(row, column, sums);
      }
    while (finisher.waiting()) finisher.part();
    if (is_last && work.rows_stay)
      for (Index block = begin; block < end; ++block) add_bias(op, block, work.bias_sums + block * packed_side);
  }

  /// Sums as add_rows leaves them.
  HONE_SIMD_INLINE static void add_bias(LinearBackwardParameters<mixed> const& op, Index block, float const* sums) {
    if (!op.dbias) return;
    Index const first = block * packed_side, count = std::min(packed_side, op.dbias.size - first);
    for (Index c = 0; c < count; ++c)
      op.dbias[first + c] = (op.write == Write::add ? op.dbias[first + c] : 0.0f) + sums[c % 2 * (packed_side / 2) + c / 2];
  }
};

}  // namespace hone::detail::HONE_SIMD
