namespace hone::detail::HONE_SIMD {

/// A matrix as a product reads it: element (i, j) is data[i * row_step + j * column_step].
template <class T>
struct Operand {
  T const* data;
  Index row_step, column_step;

  static Operand of(MatrixView<T const> m) { return {m.data, m.stride, 1}; }
  static Operand transposed(MatrixView<T const> m) { return {m.data, 1, m.stride}; }
  T const* at(Index i, Index j) const { return data + i * row_step + j * column_step; }
};

/// Sizes of the register tile: `rows` x `vectors` accumulators, which with the operands fill the register file.
struct TileShape {
  static constexpr int rows = many_registers ? 8 : 4, vectors = 3;
  template <class T>
  static constexpr int cols = vectors * lanes<T>;
  /// How much of the inner dimension is summed before a tile goes back to memory.
  static constexpr Index depth = 384;
};

/// acc(i, j) += sum_k a(i, k) b(k, j) over k = 0 .. depth - 1 in this order;
/// a(i, k) = a[i * row_step + k * k_step], b(k, j) = b[k * b_step + j]. Memory from `ahead` on, ahead_values for each k, is
/// fetched meanwhile, for who comes next.
template <class T, int rows, int vectors, int ahead_values = 0, class RowStep, class KStep>
HONE_SIMD_INLINE inline void multiply_tile(Index depth, T const* HONE_RESTRICT a, RowStep row_step, KStep k_step,
                                             T const* HONE_RESTRICT b, Index b_step, Vec<T> (&acc)[rows][vectors],
                                             T const* ahead = nullptr) {
  Vec<T> sums[rows][vectors];
  HONE_UNROLL for (int i = 0; i < rows; ++i) HONE_UNROLL for (int j = 0; j < vectors; ++j) sums[i][j] = acc[i][j];
  for (Index k = 0; k < depth; ++k) {
    Vec<T> column[vectors];
    if constexpr (ahead_values > 0) __builtin_prefetch(ahead + k * ahead_values, 0, 2);
    HONE_UNROLL for (int j = 0; j < vectors; ++j) column[j] = load(b + j * lanes<T>);
    HONE_UNROLL for (int i = 0; i < rows; ++i) {
      Vec<T> const value = splat(a[i * row_step]);
      HONE_UNROLL for (int j = 0; j < vectors; ++j) sums[i][j] += value * column[j];
    }
    a += k_step;
    b += b_step;
  }
  HONE_UNROLL for (int i = 0; i < rows; ++i) HONE_UNROLL for (int j = 0; j < vectors; ++j) acc[i][j] = sums[i][j];
}

/// `count` rows of an operand from row i on, columns k .. k + depth - 1, as [k][height], short of `height` rows with zeros.
template <class T, int height, class A>
HONE_TARGET void pack_panel(Operand<A> m, Index i, Index count, Index k, Index depth, T* HONE_RESTRICT to) {
  A const* from = m.at(i, k);
  if (m.row_step == 1 && count == height) {
    for (Index d = 0; d < depth; ++d, from += m.column_step, to += height) {
      // Rows are pages apart, where the processor does not look ahead by itself.
      for (int line = 0; line < height; line += 64 / static_cast<int>(sizeof(A)))
        __builtin_prefetch(from + 16 * m.column_step + line);
      if constexpr (height % lanes<T> == 0)
        HONE_UNROLL for (int v = 0; v < height; v += lanes<T>) store(to + v, load(from + v));
      else
        for (int r = 0; r < height; ++r) to[r] = T(from[r]);
    }
    return;
  }
  if (height % lanes<T> == 0 && m.column_step == 1 && count == height) {
    for (Index r = 0; r < height; r += lanes<T>)
      transpose(from + r * m.row_step, m.row_step, lanes<T>, depth, T(1), to + r, height);
    return;
  }
  Index done = 0;
  if constexpr (height < lanes<T> && (height == 4 || height == 8))
    if (m.column_step == 1 && count == height)
      for (; done + lanes<T> <= depth; done += lanes<T>)
        transpose_tile<T, height>(from + done, m.row_step, to + done * height);
  for (Index r = 0; r < height; ++r) {
    A const* row = from + r * m.row_step;
    if (r < count)
      for (Index d = done; d < depth; ++d) to[d * height + r] = T(row[d * m.column_step]);
    else
      for (Index d = done; d < depth; ++d) to[d * height + r] = T(0);
  }
}

/// Panels of TileShape::rows rows each: [panel][k][rows].
template <class T, class A>
HONE_TARGET void pack_panels(Operand<A> m, Index i, Index count, Index k, Index depth, T* HONE_RESTRICT to) {
  constexpr int height = TileShape::rows;
  for (Index r = 0; r < count; r += height)
    pack_panel<T, height>(m, i + r, std::min<Index>(height, count - r), k, depth, to + r * depth);
}

/// Stores what a product has finished.
template <class C>
struct StoreRows {
  MatrixView<C> c;
  template <class Part>
  HONE_SIMD_INLINE void operator()(Index row, Index column, Vec<C> value, Part part) const {
    store(c.row(row) + column, value, part);
  }
};

/// c (+)= a b (+ bias in every row): a (M, K), b (K, N), c (M, N), bias (N) or empty.
///
/// Every element is a sum over k in ascending order, in blocks of TileShape::depth, whatever M, N and the number of threads
/// are: a row of c has the same bits in every batch. Panels of b are packed once and shared; those of a are packed by the
/// thread that uses them. Source of the blocking: Goto and van de Geijn 2008, ACM TOMS 34(3), sections 4-6.
/// Operands in bfloat16 are widened when they are packed; a result in bfloat16 is summed in one block and rounded once.
/// What is finished goes through `finish(row, column, values, lanes)`, which stores it (StoreRows), or more than that.
template <class T, class A, class C, class Finish>
HONE_TARGET void gemm(HostContext& context, Operand<A> a, Operand<A> b, MatrixView<C> c, Index inner,
                      VectorView<A const> bias, Write write, Finish const& finish) {
  constexpr int rows = TileShape::rows, vectors = TileShape::vectors, cols = TileShape::cols<T>;
  constexpr int tiles = 12;  // of a block of rows
  constexpr Index block_rows = tiles * rows, panels_at_once = 64;
  Index const depth = std::is_same_v<C, T> ? TileShape::depth : std::max<Index>(inner, 1);
  Index const blocks = (inner + depth - 1) / depth;
  Operand<A> const b_columns{b.data, b.column_step, b.row_step};  // its rows are b's columns

  for (Index first = 0; first < c.cols; first += panels_at_once * cols) {
    Index const width = std::min(panels_at_once * cols, c.cols - first), panels = (width + cols - 1) / cols;
    T* const packed_b = scratch<T>(Scratch::shared_panels, panels * cols * inner);
    auto const panel_of = [=](Index block, Index panel) HONE_TARGET {  // [block][panel][k][cols]
      return packed_b + block * depth * panels * cols + panel * cols * std::min(depth, inner - block * depth);
    };
    context.pool().parallel_for(blocks * panels, 4, [&](Index begin, Index end) HONE_TARGET {
      for (Index item = begin; item < end; ++item) {
        Index const block = item / panels, panel = item % panels, k = block * depth, j = first + panel * cols;
        pack_panel<T, cols>(b_columns, j, std::min<Index>(cols, first + width - j), k, std::min(depth, inner - k),
                            panel_of(block, panel));
      }
    });
    // Few rows: cut the columns too, so that there are tiles for every thread.
    Index const row_blocks = (c.rows + block_rows - 1) / block_rows;
    Index const wanted = 4 * context.threads();
    Index const column_blocks = std::min(panels, std::max<Index>(1, (wanted + row_blocks - 1) / row_blocks));
    Index const panels_each = (panels + column_blocks - 1) / column_blocks;
    context.pool().parallel_for(row_blocks * column_blocks, 1, [&](Index item, Index) HONE_TARGET {
      Index const i0 = item / column_blocks * block_rows, height = std::min(block_rows, c.rows - i0);
      Index const p0 = item % column_blocks * panels_each, p1 = std::min(panels, p0 + panels_each);
      T* const packed_a = scratch<T>(Scratch::row_panels, block_rows * depth);
      for (Index block = 0; block < blocks && p0 < p1; ++block) {
        Index const k = block * depth, length = std::min(depth, inner - k);
        pack_panels(a, i0, height, k, length, packed_a);
        for (Index panel = p0; panel < p1; ++panel) {
          Index const j = first + panel * cols, valid_cols = std::min<Index>(cols, first + width - j);
          T const* const panel_b = panel_of(block, panel);
          for (Index i = 0; i < height; i += rows) {  // meanwhile the next panel is fetched, an equal part by each tile
            Index const valid_rows = std::min<Index>(rows, height - i);
            bool const whole = valid_rows == rows && valid_cols == cols;
            Vec<T> acc[rows][vectors] = {};
            constexpr int ahead_each = cols / tiles;
            T const* const ahead = panel_b + (cols + i / rows * ahead_each) * length;
            multiply_tile<T, rows, vectors, ahead_each>(length, packed_a + i * length, Step<1>{}, Step<rows>{}, panel_b,
                                                        cols, acc, ahead);
            bool const adds = block > 0 || write == Write::add, last = block + 1 == blocks;
            VectorView<A const> const tile_bias = block == 0 && bias ? bias.slice(j, valid_cols) : VectorView<A const>{};
            C* const to = &c(i0 + i, j);
            if (whole) {
              HONE_UNROLL for (int v = 0; v < vectors; ++v) {
                Vec<T> const extra = tile_bias ? load(tile_bias.data + v * lanes<T>) : Vec<T>{};
                HONE_UNROLL for (int r = 0; r < rows; ++r) {
                  C* const place = to + r * c.stride + v * lanes<T>;
                  Vec<T> const value = (adds ? load(place) : extra) + acc[r][v];
                  if (last) finish(i0 + i + r, j + v * lanes<T>, value, AllLanes{});
                  else store(place, value);
                }
              }
            } else {
              alignas(64) T tile[rows][cols];
              HONE_UNROLL for (int r = 0; r < rows; ++r)
                HONE_UNROLL for (int v = 0; v < vectors; ++v) store(&tile[r][v * lanes<T>], acc[r][v]);
              for (Index r = 0; r < valid_rows; ++r)
                for_vectors<T>(valid_cols, [&](Index col, auto part) HONE_SIMD_INLINE {
                  C* const place = to + r * c.stride + col;
                  Vec<T> value = load(&tile[r][col], part);
                  if (adds) value += load(place, part);
                  else if (tile_bias) value += load(tile_bias.data + col, part);
                  if (last) finish(i0 + i + r, j + col, value, part);
                  else store(place, value, part);
                });
            }
          }
        }
      }
    });
  }
}

template <class T, class A, class C>
HONE_TARGET void gemm(HostContext& context, Operand<A> a, Operand<A> b, MatrixView<C> c, Index inner,
                      VectorView<A const> bias, Write write) {
  gemm<T>(context, a, b, c, inner, bias, write, StoreRows<C>{c});
}

}  // namespace hone::detail::HONE_SIMD
