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
  static constexpr int rows = tile_rows(many_registers), vectors = tile_vectors;
  template <class T>
  static constexpr int cols = vectors * lanes<T>;
  /// How much of the inner dimension is summed before a tile goes back to memory.
  static constexpr Index depth = tile_depth;
};

/// Memory that a tile fetches for who comes next: in `rows` runs that begin `jump` values apart, `step` values further with
/// each two steps of the inner dimension.
template <class A>
struct Ahead {
  A const* data = nullptr;
  Index jump = 0, step = 0;
};
struct NothingAhead {};

/// sum + a b, rounded once where the processor can. By name: g++ 12 picks forms that overwrite an operand, and then runs out
/// of registers in loops that need them all.
template <class T>
HONE_SIMD_INLINE inline Vec<T> multiply_add(Vec<T> sum, Vec<T> a, Vec<T> b) {
#if HONE_SIMD_BYTES == 64
  if constexpr (std::is_same_v<T, float>) __asm__("vfmadd231ps %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
  else __asm__("vfmadd231pd %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
#elif HONE_SIMD_BYTES == 32
  if constexpr (std::is_same_v<T, float>) __asm__("vfmadd231ps %2, %1, %0" : "+x"(sum) : "x"(a), "x"(b));
  else __asm__("vfmadd231pd %2, %1, %0" : "+x"(sum) : "x"(a), "x"(b));
#else
  sum += a * b;
#endif
  return sum;
}

/// What multiplies and adds: one value of the inner dimension a step.
struct MultiplyAdds {
  static constexpr int values = 1;
  template <class T>
  HONE_SIMD_INLINE static Vec<T> add(Vec<T> sum, Vec<T> a, Vec<T> b) {
    return multiply_add<T>(sum, a, b);
  }
};

/// acc(i, j) += sum_k a(i, k) b(k, j) over k = 0 .. depth - 1 in this order;
/// a(i, k) = a[i * row_step + k * k_step], b(k, j) = b[k * b_step + j].
template <class T, int rows, int vectors, class Unit = MultiplyAdds, class RowStep, class KStep, class Next = NothingAhead>
HONE_SIMD_INLINE inline void multiply_tile(Index depth, T const* HONE_RESTRICT a, RowStep row_step, KStep k_step,
                                             T const* HONE_RESTRICT b, Index b_step, Vec<T> (&acc)[rows][vectors],
                                             Next next = {}) {
  constexpr int spread = std::is_integral_v<RowStep> ? 3 : rows;  // rows that an address of the processor's reaches
  constexpr int places = (rows + spread - 1) / spread;
  T const* place[places];
  HONE_UNROLL for (int p = 0; p < places; ++p) place[p] = a + p * spread * Index{row_step};
  Vec<T> sums[rows][vectors];
  HONE_UNROLL for (int i = 0; i < rows; ++i) HONE_UNROLL for (int j = 0; j < vectors; ++j) sums[i][j] = acc[i][j];
  auto const step = [&]<int u>(std::integral_constant<int, u>) HONE_SIMD_INLINE {
    Vec<T> column[vectors];
    HONE_UNROLL for (int j = 0; j < vectors; ++j) column[j] = load(b + u * b_step + j * lanes<T>);
    HONE_UNROLL for (int i = 0; i < rows; ++i) {
      Vec<T> const value = splat(place[i / spread][i % spread * Index{row_step} + u * Index{k_step}]);
      HONE_UNROLL for (int j = 0; j < vectors; ++j) sums[i][j] = Unit::template add<T>(sums[i][j], column[j], value);
    }
  };
  auto const advance = [&](int by) HONE_SIMD_INLINE {
    HONE_UNROLL for (int p = 0; p < places; ++p) place[p] += by * Index{k_step};
    b += by * b_step;
  };
  Index k = 0;
  if constexpr (!std::is_same_v<Next, NothingAhead>) {
    Index const run = depth / (2 * rows);
    for (int r = 0; r < rows; ++r) {
      auto const* from = next.data + r * next.jump;
      for (Index end = k + 2 * run; k < end; k += 2) {
        __builtin_prefetch(from, 0, 2);
        from += next.step;
        step(std::integral_constant<int, 0>{});
        step(std::integral_constant<int, 1>{});
        advance(2);
      }
    }
  }
  for (; k + 2 <= depth; k += 2) {
    step(std::integral_constant<int, 0>{});
    step(std::integral_constant<int, 1>{});
    advance(2);
  }
  if (k < depth) step(std::integral_constant<int, 0>{});
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

/// What becomes of a product's finished tiles where they are not simply stored: `run` gets what is finished from (row,
/// column) on, rows TileShape::cols<T> apart. By address, so that all products of a type are one function.
template <class T, class A>
struct TileFinish {
  void (*run)(void const* of, Index row, Index column, T const* tile, Index rows, Index cols) = nullptr;
  void const* of = nullptr;
  MatrixView<A const> reads{};  ///< fetched, tile by tile
};

/// Bytes of the third cache that panels shared by all threads may take.
inline constexpr Index shared_panel_bytes = 4 * 1024 * 1024;

/// The right operand of a product, packed: [block of the inner dimension][panel][k][TileShape::cols], short of whole panels
/// with zeros.
template <class T>
struct Panels {
  static constexpr int cols = TileShape::cols<T>;
  Index inner, columns, depth;  ///< depth: of a block
  T const* data = nullptr;

  Index blocks() const { return std::max<Index>(1, (inner + depth - 1) / depth); }
  Index length(Index block) const { return std::min(depth, inner - block * depth); }
  Index count() const { return (columns + cols - 1) / cols; }
  Index values() const { return count() * cols * inner; }
  Index offset(Index block, Index panel) const {
    return block * depth * count() * cols + panel * cols * length(block);
  }
  T const* panel(Index block, Index index) const { return data + offset(block, index); }

  /// Packs b (inner, columns).
  template <class A>
  HONE_TARGET void pack(HostContext& context, Operand<A> b, T* to) const {
    Operand<A> const b_columns{b.data, b.column_step, b.row_step};  // its rows are b's columns
    context.pool().parallel_for(blocks() * count(), 2, [&](Index begin, Index end) HONE_TARGET {
      for (Index item = begin; item < end; ++item) {
        Index const block = item / count(), index = item % count(), j = index * cols;
        pack_panel<T, cols>(b_columns, j, std::min<Index>(cols, columns - j), block * depth, length(block),
                            to + offset(block, index));
      }
    });
  }
};

/// finish_tile for what is not simply a whole tile of c. Not inline: products are fast where little surrounds their loop.
template <class T, class C>
HONE_TARGET __attribute__((noinline)) void finish_otherwise(T* tile, MatrixView<C> c, Index i, Index j,
                                                            VectorView<C const> bias, bool adds,
                                                            TileFinish<T, C> const* finish) {
  constexpr Index rows = TileShape::rows, cols = TileShape::cols<T>;
  Index const valid_rows = std::min(rows, c.rows - i), valid_cols = std::min(cols, c.cols - j);
  for (Index r = 0; r < valid_rows; ++r)
    for_vectors<T>(valid_cols, [&](Index col, auto part) HONE_SIMD_INLINE {
      C* const place = c.row(i + r) + j + col;
      T* const sums = tile + r * cols + col;
      Vec<T> value = load(sums, part);
      if (adds) value += load(place, part);
      else if (bias) value += load(bias.data + j + col, part);
      if (finish) store(sums, value, part);
      else store(place, value, part);
    });
  if (finish) finish->run(finish->of, i, j, tile, valid_rows, valid_cols);
}
/// One tile of c, or what `finish` makes of it: rows from i on, columns from j on, as many as there are.
template <class T, class C>
HONE_SIMD_INLINE inline void finish_tile(Vec<T> const (&acc)[TileShape::rows][TileShape::vectors], MatrixView<C> c, Index i,
                                         Index j, VectorView<C const> bias, bool adds, TileFinish<T, C> const* finish) {
  constexpr int rows = TileShape::rows, vectors = TileShape::vectors, cols = TileShape::cols<T>;
  if (!finish && i + rows <= c.rows && j + cols <= c.cols) {
    HONE_UNROLL for (int v = 0; v < vectors; ++v) {
      Vec<T> const extra = bias ? load(bias.data + j + v * lanes<T>) : Vec<T>{};
      HONE_UNROLL for (int r = 0; r < rows; ++r) {
        C* const place = c.row(i + r) + j + v * lanes<T>;
        store(place, (adds ? load(place) : extra) + acc[r][v]);
      }
    }
    return;
  }
  alignas(64) T tile[rows * cols];
  HONE_UNROLL for (int r = 0; r < rows; ++r)
    HONE_UNROLL for (int v = 0; v < vectors; ++v) store(tile + r * cols + v * lanes<T>, acc[r][v]);
  finish_otherwise<T, C>(tile, c, i, j, bias, adds, finish);
}
/// Fetches a tile of c, which will be added to.
template <class T, class C>
HONE_SIMD_INLINE inline void fetch_tile(MatrixView<C> c, Index i, Index j) {
  constexpr Index line = 64 / static_cast<Index>(sizeof(C));
  for (Index r = i; r < std::min<Index>(i + TileShape::rows, c.rows); ++r)
    for (Index col = j; col < std::min<Index>(j + TileShape::cols<T>, c.cols); col += line)
      __builtin_prefetch(c.row(r) + col, 1, 3);
}

}  // namespace hone::detail::HONE_SIMD
#include "hone/cpu/simd/gemm_blocks.inl"
namespace hone::detail::HONE_SIMD {

/// c (+)= a b (+ bias in every row): a (M, K), b (K, N) packed, c (M, N), bias (N) or empty.
///
/// Every element is a sum over k in ascending order, in blocks of b.depth, whatever M, N and the number of threads are: a
/// row of c has the same bits in every batch. As many panels of b as the second cache holds stay there; a is read in place,
/// some rows at a time, and streams past them. (Goto and van de Geijn 2008, ACM TOMS 34(3), sections 4-6, pack both
/// operands; what a row of a costs here is hidden behind the panels that it meets.)
/// Operands in bfloat16 are widened into the thread's memory; a result in bfloat16 is summed in one block and rounded once.
/// With `finish`, c only keeps sums that wait for the next block.
template <class T, class A, class C>
HONE_TARGET void gemm(HostContext& context, MatrixView<A const> a, Panels<T> const& b, MatrixView<C> c,
                      VectorView<C const> bias, Write write, TileFinish<T, C> const* finish = nullptr) {
  constexpr int rows = TileShape::rows, vectors = TileShape::vectors, cols = Panels<T>::cols;
  if (c.rows == 0) return;
  Index const panels = b.count();
  for (Index block = 0; block < b.blocks(); ++block) {
    Index const k = block * b.depth, length = b.length(block);
    bool const adds = block > 0 || write == Write::add, last = block + 1 == b.blocks();
    // Few rows: cut them, and the columns, so that there is work for every thread.
    Index const rows_each = c.rows >= 1024 ? 64 : c.rows >= 128 ? 2 * rows : rows;
    Index const row_blocks = (c.rows + rows_each - 1) / rows_each;
    Index const fitting = std::max<Index>(1, resident_panel_bytes / (std::max<Index>(length, 1) * cols * Index{sizeof(T)}));
    Index const chunks = std::min(panels, std::max((panels + fitting - 1) / fitting,
                                                   (4 * context.threads() + row_blocks - 1) / row_blocks));
    context.pool().parallel_for(chunks * row_blocks, 1, [&](Index item, Index) HONE_TARGET {
      Index const p0 = item / row_blocks * panels / chunks, p1 = (item / row_blocks + 1) * panels / chunks;
      Index const i0 = item % row_blocks * rows_each, i1 = std::min(i0 + rows_each, c.rows);
      Index const ahead_each = (2 * rows + p1 - p0 - 1) / (p1 - p0);
      for (Index i = i0; i < i1; i += rows) {
        Index const valid = std::min<Index>(rows, i1 - i);
        T const* from;
        Index from_step;
        if (std::is_same_v<A, T> && valid == rows) {
          from = reinterpret_cast<T const*>(a.row(i) + k);
          from_step = a.stride;
        } else {
          T* const to = scratch<T>(Scratch::row_panels, rows * length);
          for (Index r = 0; r < rows; ++r)
            for (Index d = 0; d < length; ++d) to[r * length + d] = r < valid ? T(a.row(i + r)[k + d]) : T(0);
          from = to;
          from_step = length;
        }
        A const* const next = a.row(std::min(i + rows, std::max<Index>(0, c.rows - rows))) + k;
        for (Index p = p0; p < p1; ++p) {
          Vec<T> acc[rows][vectors] = {};
          if (adds) fetch_tile<T>(c, i, p * cols);
          if (last && finish && finish->reads) fetch_tile<T>(finish->reads, i, p * cols);
          multiply_tile<T, rows, vectors>(
              length, from, from_step, Step<1>{}, b.panel(block, p), cols, acc,
              Ahead<A>{next + (p - p0) * length / (p1 - p0), c.rows >= rows ? a.stride : 0, ahead_each});
          finish_tile<T>(acc, c, i, p * cols, block == 0 ? bias : VectorView<C const>{}, adds,
                         last ? finish : nullptr);
        }
      }
    });
  }
}

/// c (+)= a^T b and sums (+)= the sums of a's columns: a (N, M), b (N, K), c (M, K), sums (M) or empty.
///
/// Every element is a sum over rows in ascending order, in blocks whose size depends on N and K. Of b, a block's rows are
/// packed, and stay in the second cache as far as they fit; columns of a are packed by the thread that multiplies them, a
/// cache line of columns at a time, fetched meanwhile for the next.
template <class T, class A>
HONE_TARGET void gemm_of_columns(HostContext& context, MatrixView<A const> a, MatrixView<A const> b, MatrixView<T> c,
                                 VectorView<T> sums, Write write) {
  constexpr int rows = TileShape::rows, vectors = TileShape::vectors, cols = Panels<T>::cols, group = 16;
  static_assert(group % rows == 0 && group % lanes<T> == 0);
  if constexpr (!many_registers) return gemm_of_columns_in_blocks(context, a, b, c, sums, write);
  Index const panels = (c.cols + cols - 1) / cols, inner = a.rows;
  Index const chunks = (c.cols + widest_chunk - 1) / widest_chunk;
  Index const chunk = (panels + chunks - 1) / std::max<Index>(chunks, 1);
  Index const fitting = std::max<Index>(resident_panel_bytes / (std::max<Index>(chunk, 1) * cols * Index{sizeof(T)}), 64);
  Index const blocks = std::max<Index>(1, (inner + fitting - 1) / fitting);
  Index const depth = round_up((inner + blocks - 1) / blocks, 2 * rows);
  Index const groups = (c.rows + group - 1) / group;
  T* const partials = sums ? scratch<T>(Scratch::reduction, blocks * c.rows) : nullptr;
  for (Index block = 0; block < blocks; ++block) {
    Index const k = std::min(block * depth, inner), length = std::min(depth, inner - k);
    Panels<T> packed{length, c.cols, std::max<Index>(length, 1)};
    T* const memory = scratch<T>(Scratch::shared_panels, packed.values());
    packed.pack(context, Operand<A>::of(b.row_block(k, length)), memory);
    packed.data = memory;
    bool const adds = block > 0 || write == Write::add;
    context.pool().parallel_for(chunks * groups, 1, [&](Index item, Index) HONE_TARGET {
      Index const p0 = item / groups * panels / chunks, p1 = (item / groups + 1) * panels / chunks;
      Index const i0 = item % groups * group, valid = std::min<Index>(group, c.rows - i0);
      T* const columns = scratch<T>(Scratch::row_panels, group * length);  // [rows][k][row]
      constexpr int pieces = group / lanes<T>;
      Vec<T> total[pieces] = {};
      for (Index d = 0; d < length; ++d) {
        A const* const from = a.row(k + d) + i0;
        alignas(64) T line[group];
        HONE_UNROLL for (int v = 0; v < pieces; ++v) {
          Index const here = valid - v * lanes<T>;
          Vec<T> const value = here >= lanes<T> ? load(from + v * lanes<T>)
                                                : load(from + v * lanes<T>, FirstLanes{std::max<Index>(here, 0)});
          total[v] += value;
          store(line + v * lanes<T>, value);
        }
        HONE_UNROLL for (int r = 0; r < group; r += rows)
          std::memcpy(columns + r * length + d * rows, line + r, rows * sizeof(T));
      }
      if (partials && p0 == 0)
        HONE_UNROLL for (int v = 0; v < pieces; ++v) {
          Index const here = valid - v * lanes<T>;
          T* const to = partials + block * c.rows + i0 + v * lanes<T>;
          if (here >= lanes<T>) store(to, total[v]);
          else if (here > 0) store(to, total[v], FirstLanes{here});
        }
      A const* const next = a.row(k) + std::min(i0 + group, std::max<Index>(0, c.rows - 1));
      for (Index p = p0; p < p1; ++p)
        for (Index r = 0; r < valid; r += rows) {
          Vec<T> acc[rows][vectors] = {};
          if (adds) fetch_tile<T>(c, i0 + r, p * cols);
          Index const tile = (p - p0) * (group / rows) + r / rows;
          bool const ahead = tile < 2;  // one row in two steps: two tiles fetch all
          Index const run = length / (2 * rows);
          multiply_tile<T, rows, vectors>(
              length, columns + r * length, Step<1>{}, Step<rows>{}, packed.panel(0, p), cols, acc,
              Ahead<A>{next + (ahead ? tile * run * rows * a.stride : 0), ahead ? run * a.stride : 0, ahead ? a.stride : 0});
          finish_tile<T, T>(acc, c, i0 + r, p * cols, {}, adds, nullptr);
        }
    });
  }
  if (sums) add_partials<T, 1>(context, {partials, blocks, c.rows, c.rows}, {sums}, write);
}

}  // namespace hone::detail::HONE_SIMD
