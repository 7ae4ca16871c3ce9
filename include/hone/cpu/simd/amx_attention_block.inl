namespace hone::detail::HONE_SIMD {

// Attention of `mixed` on tiles works on transposed scores as attention_block.inl does: rows are keys, columns are queries.
//   S^T = K Q^T             a: rows of K                         b: queries' columns, pairs of E interleaved
//   y^T = V^T P^T           a: V transposed                      b: probabilities, pairs of keys interleaved
//   dP^T = V dO^T           as S^T
//   dV += P^T dO            a: probabilities, rows of queries    b: dO, pairs of queries interleaved
//   dK += dS^T Q            as dV
//   dQ^T = K^T dS^T         as y^T
// A slice is 32 columns of a head, the depth of one multiplication; heads are padded to whole slices with zeros, sequences
// to multiples of 32 rows. All tiles of an operand lie one after the other, 1 KiB each.

/// Whether the operations of tiles stand one by one between vector instructions, or in rows before them.
#if HONE_SIMD_AMX && HONE_WRITTEN_OUT
inline constexpr bool weaves_tiles = true;
#else
inline constexpr bool weaves_tiles = false;
#endif

/// bfloat16 values, and floats, of a tile.
inline constexpr Index tile_halves = tile_size / 2, tile_floats = tile_size / 4;
/// Queries or keys of a step: two tiles of scores, one tile's depth.
inline constexpr Index tile_step = 32;
/// Scores of keys beyond the sequence's end: their probability is zero, and nothing is infinite.
inline constexpr float no_score = -1e30f;

using Halves = MatrixView<bfloat16 const>;

/// What one thread handles at a time: one head of one sequence.
struct TileItem {
  Index queries, keys, width, slices;  // width: E
  Index head, example;
  double scale;
  Dropout dropout;

  Index padded_keys() const { return round_up(keys, tile_step); }
};

/// A thread's memory, handed out piece by piece.
struct ScratchPieces {
  float* next;

  float* take(Index count) { return std::exchange(next, next + count); }
  bfloat16* take_halves(Index count) { return reinterpret_cast<bfloat16*>(take(count / 2)); }
};

/// Brings rows of one head into the second cache that are needed soon, and that the processor cannot guess: they are far
/// apart. A few lines at a time, beside other work: the processor has 16 or so under way at once, and waits for more.
class RowsAhead {
 public:
  template <class T>
  HONE_SIMD_INLINE void add(MatrixView<T> const& rows, Index first, Index count) {
    count = std::min(count, rows.rows - first);
    Index const bytes = rows.cols * static_cast<Index>(sizeof(T));
    if (count <= 0 || bytes == 0) return;
    pieces_[pieces_in_all_++] = {reinterpret_cast<char const*>(rows.row(first)),
                                 rows.stride * static_cast<Index>(sizeof(T)), count, bytes};
    lines_ += count * ((bytes + 63) / 64);
  }
  /// All in so many calls of some().
  HONE_SIMD_INLINE void share_out(Index calls) { lines_each_ = (lines_ + calls - 1) / calls; }
  HONE_SIMD_INLINE void some() {
    for (Index left = lines_each_; left > 0 && piece_ < pieces_in_all_; --left) {
      Piece& piece = pieces_[piece_];
      __builtin_prefetch(piece.row + byte_, 0, 2);
      byte_ += 64;
      if (byte_ < piece.bytes) continue;
      byte_ = 0;
      piece.row += piece.stride;
      if (--piece.count == 0) ++piece_;
    }
  }

 private:
  struct Piece {
    char const* row;
    Index stride, count, bytes;
  };
  Piece pieces_[8];
  Index pieces_in_all_ = 0, lines_ = 0, lines_each_ = 0, piece_ = 0, byte_ = 0;
};

template <class Op>
HONE_TARGET TileItem tile_item(Op const& op, Index b, Index h) {
  return {op.query_offsets[b + 1] - op.query_offsets[b],
          op.key_offsets[b + 1] - op.key_offsets[b],
          op.q.cols / op.heads,
          (op.q.cols / op.heads + 31) / 32,
          h,
          op.first_example + b,
          op.scale,
          op.dropout};
}

/// 32 values of a row from column 32 * slice on, with zeros where the matrix ends.
HONE_SIMD_INLINE inline HalfWords slice_of(Halves const& rows, Index r, Index slice) {
  Index const left = rows.cols - 32 * slice;
  if (r >= rows.rows || left <= 0) return HalfWords{};
  bfloat16 const* const from = rows.row(r) + 32 * slice;
  return left >= 32 ? load_line(from) : load_line(from, left);
}

/// 16 x 16 words transposed.
HONE_SIMD_INLINE inline void transpose_words(HalfWords const (&from)[16], Vec<float> (&to)[16]) {
  HONE_UNROLL for (int i = 0; i < 16; ++i) to[i] = reinterpret_cast<Vec<float>>(from[i]);
  transpose_vectors<float, 16>(to);
}

/// Rows as they are, `padded` of them (a multiple of 16): tiles [row / 16][slice].
HONE_TARGET inline void pack_tile_rows(Halves const& rows, Index padded, Index slices, bfloat16* HONE_RESTRICT to) {
  for (Index r = 0; r < padded; r += 16, to += slices * tile_halves)
    for (Index s = 0; s < slices; ++s) {
      bfloat16* const tile = to + s * tile_halves;
      if (r + 16 <= rows.rows && rows.cols >= 32 * (s + 1)) {
        bfloat16 const* const from = rows.row(r) + 32 * s;
        HONE_UNROLL for (Index i = 0; i < 16; ++i) store_line(tile + 32 * i, load_line(from + i * rows.stride));
      } else {
        for (Index i = 0; i < 16; ++i) store_line(tile + 32 * i, slice_of(rows, r + i, s));
      }
    }
}

/// Columns of rows: tiles [row / 16][slice] whose row k holds elements 2k and 2k + 1 of 16 rows. `sign` is xored to each.
HONE_TARGET inline void pack_tile_columns(Halves const& rows, Index padded, Index slices, std::uint16_t sign, bfloat16* to) {
  alignas(64) bfloat16 copy[packed_step];
  for (Index r = 0; r < padded; r += 16)
    for (Index s = 0; s < slices; ++s, to += tile_halves) {
      Square const tile = whole_square<16>(rows, r, 32 * s, copy);
      transpose_pairs(tile.data, tile.stride, to);
      for (Index i = 0; sign != 0 && i < tile_halves; i += 32) store_line(to + i, load_line(to + i) ^ sign);
    }
}
/// Pairs of rows interleaved: tiles [row / 32][slice][half] whose row k holds 16 columns of rows 2k and 2k + 1.
HONE_TARGET inline void pack_tile_pairs(Halves const& rows, Index padded, Index slices, bfloat16* to) {
  for (Index r = 0; r < padded; r += tile_step)
    for (Index s = 0; s < slices; ++s, to += 2 * tile_halves) pack_right_step(rows, 32 * s, r, to);
}
/// The transpose: tiles [row / 32][slice][half] of 16 columns, each with 32 rows.
HONE_TARGET inline void pack_tile_transposed(Halves const& rows, Index padded, Index slices, bfloat16* to) {
  for (Index r = 0; r < padded; r += tile_step)
    for (Index s = 0; s < slices; ++s, to += 2 * tile_halves) pack_left_step_transposed(rows, 32 * s, r, to);
}

/// Writes the first `left` of 32 values of a row.
HONE_SIMD_INLINE inline void store_slice(HalfWords value, Index left, bfloat16* to) {
  if (left >= 32) return store_line(to, value);
  HalfWords const copy = value;  // so that a whole one need not go through memory
  if (left > 0) std::memcpy(to, &copy, static_cast<std::size_t>(left) * 2);
}

/// out(rows[i], c) = factor[i] * tiles(c, i) for 16 columns of transposed sums: tiles [slice][half], each `step` floats
/// apart. Column i of the tiles is row first + i, or first + i / 4 * 8 + i % 4 where columns are `quartered`.
template <bool quartered>
HONE_TARGET void store_transposed(float const* tiles, Index step, Index slices, Vec<float> factor, Index first,
                                  MatrixView<bfloat16> const& out) {
  HalfWords const pairs = pairing();
  for (Index s = 0; s < slices; ++s) {
    HalfWords v[16];
    HONE_UNROLL for (int i = 0; i < 16; ++i) {
      float const* const from = tiles + (2 * s + i / 8) * step + i % 8 * 32;
      v[i] = permuted(narrow_both(load(from) * factor, load(from + 16) * factor), pairs);
    }
    Vec<float> rows[16];
    transpose_words(v, rows);
    Index const left = out.cols - 32 * s;
    bfloat16* const to = out.row(first) + 32 * s;
    HONE_UNROLL for (Index i = 0; i < 16; ++i) {
      Index const r = quartered ? i / 4 * 8 + i % 4 : i;
      if (first + r < out.rows) store_slice(reinterpret_cast<HalfWords>(rows[i]), left, to + r * out.stride);
    }
  }
}

/// out(r, c) = factor * sums(r, c): tiles [row / 16][slice][half].
HONE_TARGET inline void store_sums(float const* tiles, Index slices, float factor, MatrixView<bfloat16> const& out) {
  for (Index r = 0; r < out.rows; ++r)
    for (Index s = 0; s < slices; ++s) {
      float const* const from = tiles + (r / 16 * slices + s) * 2 * tile_floats + r % 16 * 16;
      HalfWords const value = narrow_both(load(from) * factor, load(from + tile_floats) * factor);
      store_slice(value, out.cols - 32 * s, out.row(r) + 32 * s);
    }
}

/// Tiles 0 .. count - 1 = 0
template <int count>
HONE_SIMD_INLINE inline void zero_tiles() {
  each<count>([](auto tile) HONE_SIMD_INLINE { tile_zero<tile>(); });
}
/// Operations of tiles 0 .. 3 += a b in one step of depth.
inline constexpr int block_operations = 8;
/// One of them: two tiles of a, a_row halves apart, by two of b, b_column halves apart.
template <int operation>
HONE_SIMD_INLINE inline void block_operation(bfloat16 const* a, Index a_row, bfloat16 const* b, Index b_column) {
  if constexpr (operation == 0) tile_load<4>(a, 64);
  if constexpr (operation == 1) tile_load<6>(b, 64);
  if constexpr (operation == 2) tile_multiply<0, 4, 6>();
  if constexpr (operation == 3) tile_load<5>(a + a_row, 64);
  if constexpr (operation == 4) tile_multiply<1, 5, 6>();
  if constexpr (operation == 5) tile_load<7>(b + b_column, 64);
  if constexpr (operation == 6) tile_multiply<2, 4, 7>();
  if constexpr (operation == 7) tile_multiply<3, 5, 7>();
}

/// tile_scores<2> an operation at a time: 0 .. score_operations(slices) - 1.
constexpr int score_operations(int slices) { return slices * block_operations + 4; }
template <int slices, int operation>
HONE_SIMD_INLINE inline void score_operation(bfloat16 const* a, bfloat16 const* b, float* scores) {
  if constexpr (operation == 0) zero_tiles<4>();
  if constexpr (operation < slices * block_operations) {
    constexpr Index slice = operation / block_operations * tile_halves;
    block_operation<operation % block_operations>(a + slice, slices * tile_halves, b + slice, slices * tile_halves);
  } else {
    constexpr int tile = operation - slices * block_operations;
    tile_store<tile>(scores + tile * tile_floats, 64);
  }
}

/// Scores of 32 keys with 16 * vectors queries, [vector][key][query]: a: 2 * slices tiles, b: vectors * slices tiles.
template <int vectors>
HONE_SIMD_INLINE inline void tile_scores(Index slices, bfloat16 const* a, bfloat16 const* b, float* scores) {
  tile_zero<0>();
  tile_zero<1>();
  if constexpr (vectors == 2) tile_zero<2>(), tile_zero<3>();
  for (Index s = 0; s < slices; ++s) {
    tile_load<4>(a + s * tile_halves, 64);
    tile_load<6>(b + s * tile_halves, 64);
    tile_multiply<0, 4, 6>();
    tile_load<5>(a + (slices + s) * tile_halves, 64);
    tile_multiply<1, 5, 6>();
    if constexpr (vectors == 2) {
      tile_load<7>(b + (slices + s) * tile_halves, 64);
      tile_multiply<2, 4, 7>();
      tile_multiply<3, 5, 7>();
    }
  }
  tile_store<0>(scores, 64);
  tile_store<1>(scores + tile_floats, 64);
  if constexpr (vectors == 2) {
    tile_store<2>(scores + 2 * tile_floats, 64);
    tile_store<3>(scores + 3 * tile_floats, 64);
  }
}

/// Scores of a step's keys from key `first` on become no_score.
template <int vectors>
HONE_SIMD_INLINE inline void hide_scores(Index first, float* scores) {
  for (Index v = 0; v < vectors; ++v)
    for (Index i = first; i < tile_step; ++i) store<float>(scores + (v * tile_step + i) * 16, splat(no_score));
}

/// The same for a step that is the sequence's last and short of keys.
template <int vectors>
HONE_SIMD_INLINE inline void hide_beyond(TileItem const& item, Index step, float* scores) {
  if (item.keys < (step + 1) * tile_step) hide_scores<vectors>(item.keys - step * tile_step, scores);
}

/// Where 2 x columns tiles of sums are: [row][column], `row_step` floats between the two rows.
struct TileSums {
  float* data;
  Index row_step;
  bool adds;  // products are added to what is there, which else counts as zero

  HONE_SIMD_INLINE float* tile(int i) const { return data + i % 2 * row_step + i / 2 * tile_floats; }
};
template <int tile>
HONE_SIMD_INLINE inline void load_sums(TileSums const& sums) {
  if (sums.adds)
    tile_load<tile>(sums.tile(tile), 64);
  else
    tile_zero<tile>();
}
template <int columns>
HONE_SIMD_INLINE inline void begin_sums(TileSums const& sums) {
  each<2 * columns>([&](auto tile) HONE_SIMD_INLINE { load_sums<tile>(sums); });
}
template <int columns>
HONE_SIMD_INLINE inline void end_sums(TileSums const& sums) {
  each<2 * columns>([&](auto tile) HONE_SIMD_INLINE { tile_store<tile>(sums.tile(tile), 64); });
}
/// Ends these and begins others, a tile at a time: a store waits for products, and loads do not wait for all of them.
template <int columns>
HONE_SIMD_INLINE inline void end_and_begin_sums(TileSums const& sums, TileSums const& next) {
  each<2 * columns>([&](auto tile) HONE_SIMD_INLINE {
    tile_store<tile>(sums.tile(tile), 64);
    load_sums<tile>(next);
  });
}

/// The sums += a b over `depth` steps. The a tiles of the second row lie a_row halves behind those of the first, b's second
/// column b_column behind the first.
template <int columns>
HONE_SIMD_INLINE inline void tile_products(Index depth, bfloat16 const* a, Index a_step, Index a_row, bfloat16 const* b,
                                           Index b_step, Index b_column) {
  for (Index d = 0; d < depth; ++d, a += a_step, b += b_step) {
    tile_load<4>(a, 64);
    tile_load<6>(b, 64);
    tile_multiply<0, 4, 6>();
    tile_load<5>(a + a_row, 64);
    tile_multiply<1, 5, 6>();
    if constexpr (columns == 2) {
      tile_load<7>(b + b_column, 64);
      tile_multiply<2, 4, 7>();
      tile_multiply<3, 5, 7>();
    }
  }
}

}  // namespace hone::detail::HONE_SIMD
