namespace hone::detail::HONE_SIMD {

// gemm_of_columns where 16 registers go with a small second cache (256 KiB on many processors of that kind): a panel of the
// right operand stays in the first cache while columns of the left one, packed in the second, pass it. Sums wait in the
// thread's memory from block to block of the inner dimension. (Goto and van de Geijn 2008, ACM TOMS 34(3), sections 4-6.)

/// What one item of such a product takes: a block of the inner dimension, so that a panel is 18 KiB of the first cache; of
/// the second, columns of a for one block, and sums for so many panels of b.
struct BlockShape {
  static constexpr Index depth = 192, columns_bytes = 256, chunk = 16;
};

/// The sums of a tile, kept between blocks: [rows][cols].
template <class T>
HONE_SIMD_INLINE inline void load_tile(T const* from, Vec<T> (&acc)[TileShape::rows][TileShape::vectors]) {
  HONE_UNROLL for (int r = 0; r < TileShape::rows; ++r) HONE_UNROLL for (int v = 0; v < TileShape::vectors; ++v) acc[r][v] =
      load(from + r * TileShape::cols<T> + v * lanes<T>);
}
template <class T>
HONE_SIMD_INLINE inline void store_tile(T* to, Vec<T> const (&acc)[TileShape::rows][TileShape::vectors]) {
  HONE_UNROLL for (int r = 0; r < TileShape::rows; ++r) HONE_UNROLL for (int v = 0; v < TileShape::vectors; ++v)
      store(to + r * TileShape::cols<T> + v * lanes<T>, acc[r][v]);
}

/// `count` things that are done a few at a time, in `calls` calls.
struct Spread {
  Index count, calls, done = 0;
  template <class Do>
  HONE_SIMD_INLINE void some(Do const& one) {
    for (Index const until = done + (count - done + calls - 1) / std::max<Index>(calls, 1); done < until; ++done) one(done);
    --calls;
  }
};
/// Fetches part `part` of `parts` of `count` values into the second cache.
template <class T>
HONE_SIMD_INLINE inline void fetch_part(T const* from, Index count, Index part, Index parts) {
  constexpr Index line = 64 / Index{sizeof(T)};
  for (Index i = count * part / parts; i < count * (part + 1) / parts; i += line) __builtin_prefetch(from + i, 0, 2);
}

/// sums (+)= left panel, a tile, over one block of the inner dimension; left is [k][row]. Not inline: where more surrounds
/// the loop, g++ 12 moves its sums from register to register.
template <bool adds, class T>
HONE_TARGET __attribute__((noinline)) void multiply_block(Index length, T const* left, T const* panel, T* sums) {
  Vec<T> acc[TileShape::rows][TileShape::vectors] = {};
  if constexpr (adds) load_tile(sums, acc);
  multiply_tile<T, TileShape::rows, TileShape::vectors>(length, left, Step<1>{}, Step<TileShape::rows>{}, panel,
                                                        TileShape::cols<T>, acc);
  store_tile(sums, acc);
}

/// Columns of a (length, up to `group`) as panels of TileShape::rows columns each: [panel][k][column], `depth` values of k
/// apart, short of whole panels with zeros. Adds the columns' sums to total.
template <class T, Index group, class A>
HONE_TARGET void pack_columns(MatrixView<A const> a, Index depth, T* HONE_RESTRICT to, T* HONE_RESTRICT total) {
  constexpr int rows = TileShape::rows, vectors = group / lanes<T>, piece = std::min<int>(lanes<T>, rows);
  static_assert(rows % piece == 0 && lanes<T> % piece == 0);
  auto const put = [&](Index d, Index i, Vec<T> value) HONE_SIMD_INLINE {
    HONE_UNROLL for (int part = 0; part < lanes<T>; part += piece)
        std::memcpy(to + (i + part) / rows * rows * depth + d * rows + (i + part) % rows,
                    reinterpret_cast<T const*>(&value) + part, piece * sizeof(T));
  };
  if (a.cols == group) {
    Vec<T> sums[vectors];
    HONE_UNROLL for (int v = 0; v < vectors; ++v) sums[v] = load(total + v * lanes<T>);
    for (Index d = 0; d < a.rows; ++d) {
      A const* const from = a.row(d);
      HONE_UNROLL for (int v = 0; v < vectors; ++v) {
        Vec<T> const value = load(from + v * lanes<T>);
        sums[v] += value;
        put(d, v * lanes<T>, value);
      }
    }
    HONE_UNROLL for (int v = 0; v < vectors; ++v) store(total + v * lanes<T>, sums[v]);
    return;
  }
  for (Index i = 0; i < round_up(a.cols, rows); i += lanes<T>) {
    Vec<T> sum = load(total + i);
    Index const here = std::clamp<Index>(a.cols - i, 0, lanes<T>);
    for (Index d = 0; d < a.rows; ++d) {
      A const* const from = a.row(d) + i;
      Vec<T> const value = here == lanes<T> ? load(from) : load(from, FirstLanes{here});
      sum += value;
      put(d, i, value);
    }
    store(total + i, sum);
  }
}

/// gemm_of_columns (which see) in such blocks.
template <class T, class A>
HONE_TARGET void gemm_of_columns_in_blocks(HostContext& context, MatrixView<A const> a, MatrixView<A const> b,
                                           MatrixView<T> c, VectorView<T> sums, Write write) {
  constexpr Index rows = TileShape::rows, cols = Panels<T>::cols, depth = BlockShape::depth;
  constexpr Index group = BlockShape::columns_bytes / Index{sizeof(T)}, line = 64 / Index{sizeof(A)};
  static_assert(group % rows == 0 && group % lanes<T> == 0);
  Index const panels = (c.cols + cols - 1) / cols, inner = a.rows;
  Index const chunks = (panels + BlockShape::chunk - 1) / BlockShape::chunk;
  Index const groups = (c.rows + group - 1) / group;
  // Packed at once: as much of b as the third cache holds.
  Index const fitting =
      std::max<Index>(1, shared_panel_bytes / (std::max<Index>(panels, 1) * cols * Index{sizeof(T)} * depth));
  Index const strips = std::max<Index>(1, (inner + fitting * depth - 1) / (fitting * depth));
  T* const partials = sums ? scratch<T>(Scratch::reduction, strips * c.rows) : nullptr;
  for (Index strip = 0; strip < strips; ++strip) {
    Index const k0 = strip * fitting * depth, k1 = std::min(k0 + fitting * depth, inner);
    Panels<T> packed{k1 - k0, c.cols, depth};
    T* const memory = scratch<T>(Scratch::shared_panels, packed.values());
    packed.pack(context, Operand<A>::of(b.row_block(k0, k1 - k0)), memory);
    packed.data = memory;
    bool const adds = strip > 0 || write == Write::add;
    context.pool().parallel_for(chunks * groups, 1, [&](Index item, Index) HONE_TARGET {
      Index const p0 = item / groups * panels / chunks, p1 = (item / groups + 1) * panels / chunks;
      Index const i0 = item % groups * group, valid = std::min(group, c.rows - i0), height = round_up(valid, rows);
      T* const left = scratch<T>(Scratch::row_panels, group * depth);                      // [rows][k][row]
      T* const sums_of_tiles = scratch<T>(Scratch::block_sums, group * (p1 - p0) * cols);  // [panel][row][cols]
      alignas(64) T total[group] = {};
      for (Index block = 0; block < packed.blocks(); ++block) {
        Index const k = k0 + block * depth, length = packed.length(block);
        bool const last = block + 1 == packed.blocks();
        pack_columns<T, group>(a.row_block(k, length).column_block(i0, valid), depth, left, total);
        // Fetched meanwhile, tile by tile: the next panel, and the columns' rows of the next block.
        Index const rows_left = std::max<Index>(0, std::min(depth, k1 - k - depth)), lines = (valid + line - 1) / line;
        Spread ahead{rows_left * lines, (p1 - p0) * (height / rows)};
        for (Index p = p0; p < p1; ++p) {
          T const* const panel = packed.panel(block, p);
          T const* const next = p + 1 < p1 ? packed.panel(block, p + 1) : last ? panel : packed.panel(block + 1, p0);
          for (Index i = 0; i < height; i += rows) {
            fetch_part(next, length * cols, i / rows, height / rows);
            ahead.some([&](Index n) HONE_SIMD_INLINE {
              __builtin_prefetch(a.row(k + depth + n / lines) + i0 + n % lines * line, 0, 2);
            });
            T* const tile = sums_of_tiles + ((p - p0) * group + i) * cols;
            if (block == 0) multiply_block<false>(length, left + i * depth, panel, tile);
            else multiply_block<true>(length, left + i * depth, panel, tile);
            if (!last) continue;
            if (i0 + i + 2 * rows < c.rows) fetch_tile<T>(c, i0 + i + 2 * rows, p * cols);
            Vec<T> acc[rows][TileShape::vectors];
            load_tile(tile, acc);
            finish_tile<T, T>(acc, c, i0 + i, p * cols, {}, adds, nullptr);
          }
        }
      }
      if (partials && p0 == 0) std::copy(total, total + valid, partials + strip * c.rows + i0);
    });
  }
  if (sums) add_partials<T, 1>(context, {partials, strips, c.rows, c.rows}, {sums}, write);
}

}  // namespace hone::detail::HONE_SIMD
