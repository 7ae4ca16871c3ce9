namespace hone::detail::HONE_SIMD {

// Attention works on transposed scores: a row is a key, the lanes of a vector are queries. Maxima and sums over keys then
// need nothing across lanes, one Philox call per lane gives the mask of eight keys, and the probabilities are in the order
// in which the product with V reads them. A block is up to 3 vectors of queries against every key of the sequence.

/// Keys that one Philox call covers, and that are handled at a time.
inline constexpr Index key_group = 8;
static_assert(key_group % TileShape::rows == 0);

/// What one thread handles at a time: one head of one sequence.
template <class T>
struct AttentionItem {
  Index queries, keys, width;  // width: E
  Index head, example;
  T scale;
  Dropout dropout;

  Index padded_keys() const { return round_up(keys, key_group); }
  Index padded_width() const { return round_up(width, std::max<Index>(TileShape::rows, lanes<T>)); }
};

/// Consecutive pieces of a thread's scratch memory.
template <class T>
class Pieces {
 public:
  explicit Pieces(T* memory) : next_(memory) {}
  T* take(Index count) {
    T* const piece = next_;
    next_ += round_up(count, 16);
    return piece;
  }

 private:
  T* next_;
};

/// Rows of keys (or values) as panels that multiply_tile reads, with zeros from the last row to row `padded`.
template <class T, class A>
HONE_TARGET void pack_rows(MatrixView<A const> rows, Index padded, T* to) {
  pack_panels(Operand<A>::of(rows), 0, rows.rows, 0, rows.cols, to);
  Index const packed = round_up(rows.rows, TileShape::rows);
  std::fill(to + packed * rows.cols, to + padded * rows.cols, T(0));
}

/// to[r][c] = factor * rows(r, c), with zeros up to `height` rows of `width` values.
template <class T, class A>
HONE_TARGET void copy_rows(MatrixView<A const> rows, T factor, Index height, Index width, T* HONE_RESTRICT to) {
  for (Index r = 0; r < height; ++r, to += width) {
    Index const valid = r < rows.rows ? rows.cols : 0;
    for (Index c = 0; c < valid; ++c) to[c] = factor * T(rows(r, c));
    for (Index c = valid; c < width; ++c) to[c] = T(0);
  }
}

/// to[c][r] = factor * rows(r, c), with zeros in columns beyond the last row.
template <class T, class A>
HONE_TARGET void transpose_rows(MatrixView<A const> rows, T factor, Index height, T* HONE_RESTRICT to) {
  transpose(rows.data, rows.stride, rows.rows, rows.cols, factor, to, height);
  if (rows.rows == height) return;
  for (Index c = 0; c < rows.cols; ++c) std::fill(to + c * height + rows.rows, to + (c + 1) * height, T(0));
}

/// The Philox words of `key_group` keys from `key` on, for every query of a block: words[w][query].
template <class T, int vectors>
HONE_SIMD_INLINE inline void attention_words(AttentionItem<T> const& item, Index query, Index key,
                                               std::uint32_t (&words)[4][round_up(vectors * lanes<T>, word_lanes)]) {
  constexpr int calls = static_cast<int>(round_up(vectors * lanes<T>, word_lanes)) / word_lanes;
  HONE_UNROLL for (int call = 0; call < calls; ++call) {
    Words c0 = Words{} + static_cast<std::uint32_t>(item.head * 8192 + key / 8);
    Words c1 = counting(static_cast<std::uint32_t>(query + call * word_lanes));
    Words c2 = Words{} + static_cast<std::uint32_t>(item.example), c3 = Words{} + item.dropout.step;
    philox_vectors(c0, c1, c2, c3, item.dropout.key0, item.dropout.key1);
    std::memcpy(&words[0][call * word_lanes], &c0, sizeof c0);
    std::memcpy(&words[1][call * word_lanes], &c1, sizeof c1);
    std::memcpy(&words[2][call * word_lanes], &c2, sizeof c2);
    std::memcpy(&words[3][call * word_lanes], &c3, sizeof c3);
  }
}

/// `value` where bits >= threshold, else zero. Not a template: nvcc 13 cannot read a choice between vectors in one.
HONE_SIMD_INLINE inline Vec<float> where_at_least(Words bits, std::uint32_t threshold, Vec<float> value) {
  return bits >= threshold ? value : Vec<float>{};
}

/// `value` in the lanes whose element is kept, zero in the others; `words` are those of the lanes' queries for the pair of
/// keys that holds key number `key` of its group.
template <class T>
HONE_SIMD_INLINE inline Vec<T> keep_lanes(Vec<T> value, std::uint32_t const* words, int key, std::uint32_t threshold) {
  if constexpr (std::is_same_v<T, float>) {
    Words word;
    std::memcpy(&word, words, sizeof word);
    if (key % 2)
      word >>= 16;
    else
      word &= 0xFFFFu;
    return where_at_least(word, threshold, value);
  } else {
    for (int i = 0; i < lanes<T>; ++i)
      if (((words[i] >> (16 * (key % 2))) & 0xFFFFu) < threshold) value[i] = T(0);
    return value;
  }
}

/// scores[key][query] = sum_e panels(key, e) columns[e][query] for `key_group` keys; columns is [E][vectors * lanes].
template <class T, int vectors>
HONE_SIMD_INLINE inline void score_group(Index width, T const* panels, T const* columns, T* scores) {
  constexpr int rows = TileShape::rows, block = vectors * lanes<T>;
  for (Index i = 0; i < key_group; i += rows) {
    Vec<T> acc[rows][vectors] = {};
    multiply_tile<T, rows, vectors>(width, panels + i * width, Step<1>{}, Step<rows>{}, columns, block, acc);
    HONE_UNROLL for (int r = 0; r < rows; ++r) HONE_UNROLL for (int v = 0; v < vectors; ++v)
        store(scores + (i + r) * block + v * lanes<T>, acc[r][v]);
  }
}

/// out(query, e) = factor[query] * sum_key rows[key][e] weights[key][query]: rows (keys, padded_width), weights
/// (keys, vectors * lanes). `tile` has room for padded_width * vectors * lanes values.
template <class T, int vectors, class A>
HONE_TARGET void weighted_rows(Index keys, T const* rows, Index padded_width, T const* weights,
                               Vec<T> const (&factor)[vectors], T* tile, MatrixView<A> out) {
  constexpr int height = TileShape::rows, block = vectors * lanes<T>;
  for (Index e = 0; e < padded_width && e < round_up(out.cols, height); e += height) {
    Vec<T> acc[height][vectors] = {};
    multiply_tile<T, height, vectors>(keys, rows + e, Step<1>{}, padded_width, weights, block, acc);
    HONE_UNROLL for (int r = 0; r < height; ++r) HONE_UNROLL for (int v = 0; v < vectors; ++v)
        store(tile + (e + r) * block + v * lanes<T>, acc[r][v] * factor[v]);
  }
  transpose(static_cast<T const*>(tile), block, out.cols, out.rows, T(1), out.data, out.stride);
}

/// sums[key][e] += sum_query weights[key][query] rows[query][e] for `key_group` keys and the first `queries` queries.
template <class T, int vectors>
HONE_SIMD_INLINE inline void add_weighted_queries(Index queries, T const* weights, T const* rows, Index padded_width,
                                                    T* sums) {
  constexpr int height = TileShape::rows, block = vectors * lanes<T>;
  auto const columns = [&]<int wide>(Index e, std::integral_constant<int, wide>) HONE_SIMD_INLINE {
    for (Index i = 0; i < key_group; i += height) {
      Vec<T> acc[height][wide];
      T* const to = sums + i * padded_width + e;
      HONE_UNROLL for (int r = 0; r < height; ++r) HONE_UNROLL for (int v = 0; v < wide; ++v) acc[r][v] =
          load(to + r * padded_width + v * lanes<T>);
      multiply_tile<T, height, wide>(queries, weights + i * block, Step<block>{}, Step<1>{}, rows + e, padded_width, acc);
      HONE_UNROLL for (int r = 0; r < height; ++r) HONE_UNROLL for (int v = 0; v < wide; ++v)
          store(to + r * padded_width + v * lanes<T>, acc[r][v]);
    }
  };
  Index e = 0;
  for (; e + 2 * lanes<T> <= padded_width; e += 2 * lanes<T>) columns(e, std::integral_constant<int, 2>{});
  for (; e < padded_width; e += lanes<T>) columns(e, std::integral_constant<int, 1>{});
}

/// Calls body(first query, vectors) for blocks of queries; vectors is a compile-time constant, smaller at the end.
template <class T, class Body>
HONE_TARGET void for_query_blocks(Index queries, Body const& body) {
  for (Index q = 0; q < queries; q += 3 * lanes<T>) {
    Index const left = queries - q;
    if (left > 2 * lanes<T>)
      body(q, std::integral_constant<int, 3>{});
    else if (left > lanes<T>)
      body(q, std::integral_constant<int, 2>{});
    else
      body(q, std::integral_constant<int, 1>{});
  }
}

}  // namespace hone::detail::HONE_SIMD
