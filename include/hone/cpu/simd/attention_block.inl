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

/// What one head of one sequence is in the matrices of an attention operation.
template <class T>
struct AttentionHead {
  AttentionItem<T> item;
  Index first_query, first_key;

  template <class Op>
  AttentionHead(Op const& op, Index b, Index h)
      : item{op.query_offsets[b + 1] - op.query_offsets[b],
             op.key_offsets[b + 1] - op.key_offsets[b],
             op.q.cols / op.heads,
             h,
             op.first_example + b,
             static_cast<T>(op.scale),
             op.dropout},
        first_query(op.query_offsets[b]),
        first_key(op.key_offsets[b]) {}

  /// Its rows and columns of a matrix with a row for each query, or for each key; its column of a (M, H) statistic.
  template <class M>
  M queries(M const& m) const {
    return m.row_block(first_query, item.queries).column_block(item.head * item.width, item.width);
  }
  template <class M>
  M keys(M const& m) const {
    return m.row_block(first_key, item.keys).column_block(item.head * item.width, item.width);
  }
  template <class M>
  M statistic(M const& m) const {
    return m.row_block(first_query, item.queries).column_block(item.head, 1);
  }
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

/// to[r][c] = factor * rows(r, c), with zeros up to `height` rows of `width` values, whole vectors.
template <class T, class A>
HONE_TARGET void copy_rows(MatrixView<A const> rows, T factor, Index height, Index width, T* HONE_RESTRICT to) {
  for (Index r = 0; r < height; ++r, to += width) {
    Index const valid = r < rows.rows ? rows.cols : 0;
    for_vectors<T>(valid, [&](Index c, auto part) HONE_SIMD_INLINE { store(to + c, load(rows.row(r) + c, part) * factor); });
    for (Index c = round_up(valid, lanes<T>); c < width; ++c) to[c] = T(0);
  }
}

/// to[c][r] = factor * rows(r, c), with zeros in columns beyond the last row.
template <class T, class A>
HONE_TARGET void transpose_rows(MatrixView<A const> rows, T factor, Index height, T* HONE_RESTRICT to) {
  transpose(rows.data, rows.stride, rows.rows, rows.cols, factor, to, height);
  if (rows.rows == height) return;
  for (Index c = 0; c < rows.cols; ++c) std::fill(to + c * height + rows.rows, to + (c + 1) * height, T(0));
}

/// A column of Philox counters, in two vectors of 64-bit lanes: the counters of even and of odd queries. What is above
/// the low 32 bits has no meaning, and costs nothing: a multiplication does not read it.
struct WidePair {
  using Wide = VectorOf<double>::Unsigned;
  Wide even, odd;
};
HONE_SIMD_INLINE inline WidePair multiply(WidePair a, std::uint32_t by) {
  Words const factor = Words{} + by;
  return {multiply_even(reinterpret_cast<Words>(a.even), factor), multiply_even(reinterpret_cast<Words>(a.odd), factor)};
}
/// high(a) ^ b ^ key
HONE_SIMD_INLINE inline WidePair mix(WidePair a, WidePair b, std::uint32_t key) {
  return {(a.even >> 32) ^ b.even ^ key, (a.odd >> 32) ^ b.odd ^ key};
}
HONE_SIMD_INLINE inline WidePair mix(WidePair a, std::uint32_t key) { return {(a.even >> 32) ^ key, (a.odd >> 32) ^ key}; }
HONE_SIMD_INLINE inline Words merge(WidePair a) {
  return reinterpret_cast<Words>((a.even & 0xFFFFFFFFu) | (a.odd << 32));
}

/// philox4x32 of the counters (c0, query + lane, c2, c3). What the queries share is computed once: of the first three rounds
/// only one multiplication of the second and one of the third are by vectors.
HONE_SIMD_INLINE inline void philox_of_queries(std::uint32_t c0, std::uint32_t query, std::uint32_t c2, std::uint32_t c3,
                                               std::uint32_t k0, std::uint32_t k1, Words (&words)[4]) {
  constexpr std::uint32_t m0 = 0xD2511F53u, m1 = 0xCD9E8D57u, w0 = 0x9E3779B9u, w1 = 0xBB67AE85u;
  auto const high = [](std::uint64_t product) HONE_SIMD_INLINE { return static_cast<std::uint32_t>(product >> 32); };
  auto const low = [](std::uint64_t product) HONE_SIMD_INLINE { return static_cast<std::uint32_t>(product); };
  Words const queries = counting(query);
  // Round 1: all products are of scalars.
  std::uint64_t p = std::uint64_t{m0} * c0, q = std::uint64_t{m1} * c2;
  std::uint32_t const first = high(q) ^ k0, c1_1 = low(q), c2_1 = high(p) ^ c3 ^ k1, c3_1 = low(p);
  WidePair x0{reinterpret_cast<WidePair::Wide>(queries) ^ first, (reinterpret_cast<WidePair::Wide>(queries) >> 32) ^ first};
  k0 += w0, k1 += w1;
  // Round 2
  WidePair const p2 = multiply(x0, m0);
  q = std::uint64_t{m1} * c2_1;
  std::uint32_t const c0_2 = high(q) ^ c1_1 ^ k0, c1_2 = low(q);
  WidePair x2 = mix(p2, c3_1 ^ k1);
  k0 += w0, k1 += w1;
  // Round 3
  p = std::uint64_t{m0} * c0_2;
  WidePair x1 = multiply(x2, m1);
  x0 = mix(x1, c1_2 ^ k0);
  std::uint32_t const joined = high(p) ^ k1;
  x2 = {p2.even ^ joined, p2.odd ^ joined};
  WidePair x3{WidePair::Wide{} + low(p), WidePair::Wide{} + low(p)};
  HONE_UNROLL for (int round = 3; round < 10; ++round) {
    k0 += w0, k1 += w1;
    WidePair const a = multiply(x0, m0), b = multiply(x2, m1);
    x0 = mix(b, x1, k0);
    x1 = b;
    x2 = mix(a, x3, k1);
    x3 = a;
  }
  words[0] = merge(x0), words[1] = merge(x1), words[2] = merge(x2), words[3] = merge(x3);
}

/// The Philox words of `key_group` keys from `key` on, for every query of a block: words[w][query].
template <class T, int vectors>
HONE_SIMD_INLINE inline void attention_words(AttentionItem<T> const& item, Index query, Index key,
                                               std::uint32_t (&words)[4][round_up(vectors * lanes<T>, word_lanes)]) {
  constexpr int calls = static_cast<int>(round_up(vectors * lanes<T>, word_lanes)) / word_lanes;
  HONE_UNROLL for (int call = 0; call < calls; ++call) {
    Words of_call[4];
    philox_of_queries(static_cast<std::uint32_t>(item.head * 8192 + key / 8),
                      static_cast<std::uint32_t>(query + call * word_lanes), static_cast<std::uint32_t>(item.example),
                      item.dropout.step, item.dropout.key0, item.dropout.key1, of_call);
    for (int w = 0; w < 4; ++w) std::memcpy(&words[w][call * word_lanes], &of_call[w], sizeof of_call[w]);
  }
}

/// Fetches rows that will be read (or written) soon, some with each call.
template <class A>
class RowsAhead {
 public:
  /// `count` rows are wanted in `calls` calls.
  RowsAhead(Index width, Index count, Index calls) : width_(width), each_((count + calls - 1) / calls), end_(count) {}
  /// `rows` from row `first` on, `shift` columns further right.
  HONE_SIMD_INLINE void add(MatrixView<A const> rows, Index first, Index shift = 0) {
    if (first < rows.rows) from_[used_] = rows.row_block(first, rows.rows - first), from_[used_++].data += shift;
  }
  HONE_SIMD_INLINE void some() {
    constexpr Index line = 64 / Index{sizeof(A)};
    for (Index const until = std::min(row_ + each_, end_); row_ < until; ++row_)
      for (int m = 0; m < used_; ++m)
        if (row_ < from_[m].rows)
          for (Index c = 0; c < width_; c += line) __builtin_prefetch(from_[m].row(row_) + c, 0, 2);
  }

 private:
  Index width_, each_, end_, row_ = 0;
  int used_ = 0;
  MatrixView<A const> from_[8];
};

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
    if (key % 2 == 0) word <<= 16;
    return where_at_least(word, threshold << 16, value);
  } else {
    for (int i = 0; i < lanes<T>; ++i)
      if (((words[i] >> (16 * (key % 2))) & 0xFFFFu) < threshold) value[i] = T(0);
    return value;
  }
}

/// scores[key][query] = sum_e panels(key, e) columns[e][query] for `key_group` keys; columns is [E][vectors * lanes].
template <class T, int vectors, class Unit = MultiplyAdds>
HONE_SIMD_INLINE inline void score_group(Index width, T const* panels, T const* columns, T* scores) {
  constexpr int rows = TileShape::rows, block = vectors * lanes<T>;
  for (Index i = 0; i < key_group; i += rows) {
    Vec<T> acc[rows][vectors] = {};
    multiply_tile<T, rows, vectors, Unit>(width, panels + i * width, Step<1>{}, Step<rows>{}, columns, block, acc);
    HONE_UNROLL for (int r = 0; r < rows; ++r) HONE_UNROLL for (int v = 0; v < vectors; ++v)
        store(scores + (i + r) * block + v * lanes<T>, acc[r][v]);
  }
}

/// out(query, e) = factor[query] * sum_key rows[key][e] weights[key][query]: rows (keys, padded_width), weights
/// (keys, vectors * lanes). `tile` has room for padded_width * vectors * lanes values.
template <class T, int vectors, class Unit = MultiplyAdds, class A>
HONE_TARGET void weighted_rows(Index keys, T const* rows, Index padded_width, T const* weights,
                               Vec<T> const (&factor)[vectors], T* tile, MatrixView<A> out) {
  constexpr int height = TileShape::rows, block = vectors * lanes<T>;
  for (Index e = 0; e < padded_width && e < round_up(out.cols, height); e += height) {
    Vec<T> acc[height][vectors] = {};
    multiply_tile<T, height, vectors, Unit>(keys, rows + e, Step<1>{}, padded_width, weights, block, acc);
    HONE_UNROLL for (int r = 0; r < height; ++r) HONE_UNROLL for (int v = 0; v < vectors; ++v)
        store(tile + (e + r) * block + v * lanes<T>, acc[r][v] * factor[v]);
  }
  transpose(static_cast<T const*>(tile), block, out.cols, out.rows, T(1), out.data, out.stride);
}

/// sums[key][e] += sum_query weights[key][query] rows[query][e] for `key_group` keys and the first `queries` queries.
template <class T, int vectors, class Unit = MultiplyAdds>
HONE_SIMD_INLINE inline void add_weighted_queries(Index queries, T const* weights, T const* rows, Index padded_width,
                                                    T* sums) {
  constexpr int height = TileShape::rows, block = vectors * lanes<T> / Unit::values;
  auto const columns = [&]<int wide>(Index e, std::integral_constant<int, wide>) HONE_SIMD_INLINE {
    for (Index i = 0; i < key_group; i += height) {
      Vec<T> acc[height][wide];
      T* const to = sums + i * padded_width + e;
      HONE_UNROLL for (int r = 0; r < height; ++r) HONE_UNROLL for (int v = 0; v < wide; ++v) acc[r][v] =
          load(to + r * padded_width + v * lanes<T>);
      multiply_tile<T, height, wide, Unit>(queries, weights + i * block, Step<block>{}, Step<1>{}, rows + e, padded_width,
                                           acc);
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
