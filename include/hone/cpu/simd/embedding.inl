namespace hone::detail::HONE_SIMD {

template <class P>
struct Kernel<EmbeddingForward<P>> {
  using A = ActivationOf<P>;
  using T = StatisticOf<P>;
  HONE_TARGET static void run(HostContext& context, EmbeddingForward<P> const& op) {
    Index const width = op.z.cols, line = 64 / static_cast<Index>(sizeof(A));
    context.pool().parallel_for(op.z.rows, 32, [&](Index begin, Index end) HONE_TARGET {
      DropoutRows<T> masks(op.dropout, op.rows, width);
      for_strips(begin, end, [&](Index n, auto rows) HONE_SIMD_INLINE {
        constexpr int count = decltype(rows)::value;
        for (Index next = n + count; next < std::min(n + 2 * count, end); ++next)  // words lie anywhere
          for (Index c = 0; c < width; c += line) __builtin_prefetch(op.word.row(op.tokens[next]) + c, 0, 3);
        Strip<A> const z = strip_of(op.z, n), y = strip_of(op.y, n);
        A const *word[count], *segment[count], *position[count];
        HONE_UNROLL for (int r = 0; r < count; ++r) {
          word[r] = op.word.row(op.tokens[n + r]);
          segment[r] = op.segment.row(op.segments[n + r]);
          position[r] = op.position.row(op.positions[n + r]);
        }
        Vec<T> total[count] = {};
        for_vectors<T>(width, [&](Index c, auto part) HONE_SIMD_INLINE {
          HONE_UNROLL for (int r = 0; r < count; ++r) {
            Vec<T> const value =
                as_stored<A>(load(word[r] + c, part) + load(segment[r] + c, part) + load(position[r] + c, part));
            store(z.row(r) + c, value, part);
            total[r] += value;
          }
        });
        layer_norm_rows<count, A>(z, total, op.gamma.data, op.beta.data, static_cast<T>(op.epsilon), width, y,
                                  op.mean.data + n, op.rstd.data + n);
      });
      if (masks.active()) drop_rows<A>(masks, op.y, op.y, begin, end);
    });
  }
};

/// Which tokens use a row of a table: for each row the first, for each token the next one of the same row; -1: none.
class TokensOfRows {
 public:
  static constexpr Index room(Index rows, Index tokens) { return rows + tokens; }

  /// @param memory  room(rows, tokens) numbers
  TokensOfRows(std::int32_t* memory, Index rows, VectorView<std::int32_t const> ids) : first_(memory), next_(memory + rows) {
    std::memset(first_, 0xFF, static_cast<std::size_t>(rows) * sizeof *first_);
    for (Index n = ids.size; n-- > 0;) {
      next_[n] = first_[ids[n]];
      first_[ids[n]] = static_cast<std::int32_t>(n);
    }
  }
  std::int32_t first(Index row) const { return first_[row]; }
  std::int32_t next(Index token) const { return next_[token]; }

 private:
  std::int32_t *first_, *next_;
};

/// Sums of a table's rows have the order of the tokens: each row is summed by one thread, or, where a table has few rows,
/// each column.
template <class P>
struct Kernel<EmbeddingBackward<P>> {
  using A = ActivationOf<P>;
  using T = StatisticOf<P>;
  using M = MasterOf<P>;
  struct Work {
    EmbeddingBackward<P> const& op;
    DropoutRows<T> masks;
    HONE_SIMD_INLINE Strip<A const> strip(Index n, int count) {
      if (!masks.active()) return strip_of(op.dy, n);
      drop_rows<A>(masks, op.dy, op.dz, n, n + count);
      return strip_of(MatrixView<A const>(op.dz), n);
    }
    template <int count, class Part>
    HONE_SIMD_INLINE void done(int, Index, Vec<T> const (&)[count], Part) const {}
  };
  HONE_TARGET static void run(HostContext& context, EmbeddingBackward<P> const& op) {
    norm_backward<A>(context, op.z, op.mean, op.rstd, op.gamma, op.dz, op.dgamma, op.dbeta, op.write, [&]() HONE_TARGET {
      return Work{op, DropoutRows<T>(op.dropout, op.rows, op.z.cols)};
    });
    Index const width = op.z.cols, tokens = op.dz.rows, words = op.dword.rows, positions = op.dposition.rows;
    std::int32_t* const memory =
        scratch<std::int32_t>(Scratch::reduction, TokensOfRows::room(words, tokens) + TokensOfRows::room(positions, tokens));
    TokensOfRows const of_words(memory, words, op.tokens);
    TokensOfRows const of_positions(memory + TokensOfRows::room(words, tokens), positions, op.positions);
    Index const column_pieces = (width + piece_columns - 1) / piece_columns;
    Index const position_pieces = (positions + piece_positions - 1) / piece_positions;
    Index const word_pieces = (words + piece_words - 1) / piece_words;
    context.pool().parallel_for(column_pieces + position_pieces + word_pieces, 1, [&](Index piece, Index) HONE_TARGET {
      if (piece < column_pieces) return sum_columns(op, piece * piece_columns);
      piece -= column_pieces;
      if (piece < position_pieces)
        return sum_rows(op, op.dposition, of_positions, piece * piece_positions, piece_positions, nullptr);
      piece -= position_pieces;
      sum_rows(op, op.dword, of_words, piece * piece_words, piece_words, op.used_words);
    });
  }

 private:
  static constexpr Index piece_columns = 64, piece_positions = 16, piece_words = 256;

  /// Rows `begin`, ... of a table.
  HONE_TARGET static void sum_rows(EmbeddingBackward<P> const& op, MatrixView<M> table, TokensOfRows const& of, Index begin,
                                   Index count, std::uint8_t* used) {
    constexpr int most = 32;  // rows that are read at once
    for (Index i = begin; i < std::min(begin + count, table.rows); ++i) {
      M* const to = table.row(i);
      std::int32_t token = of.first(i);
      if (op.write == Write::assign && token < 0 && (!used || used[i])) clear(to, table.cols);
      if (used && (op.write == Write::assign || token >= 0)) used[i] = token >= 0;
      for (bool adds = op.write == Write::add; token >= 0; adds = true) {
        A const* rows[most];
        int found = 0;
        for (; token >= 0 && found < most; token = of.next(token)) rows[found++] = op.dz.row(token);
        for_vectors<M>(table.cols, [&](Index c, auto part) HONE_SIMD_INLINE {
          Vec<M> sum = adds ? load(to + c, part) : Vec<M>{};
          for (int k = 0; k < found; ++k) sum += load(rows[k] + c, part);
          store(to + c, sum, part);
        });
      }
    }
  }
  /// Most rows are zero already: then nothing need be written back to memory.
  HONE_TARGET static void clear(M* row, Index count) {
    auto const* const bytes = reinterpret_cast<unsigned char const*>(row);
    Index const size = count * static_cast<Index>(sizeof(M));
    constexpr Index step = sizeof(Words);
    Words words{};
    Index i = 0;
    for (; i + step <= size; i += step) {
      Words more;
      std::memcpy(&more, bytes + i, sizeof more);
      words |= more;
    }
    std::uint32_t any = 0;
    for (int lane = 0; lane < word_lanes; ++lane) any |= words[lane];
    for (; i < size; ++i) any |= bytes[i];
    if (any == 0) return;
    for_vectors<M>(count, [&](Index c, auto part) HONE_SIMD_INLINE { store(row + c, Vec<M>{}, part); });
  }
  /// Columns `begin`, ... of the segments' table.
  HONE_TARGET static void sum_columns(EmbeddingBackward<P> const& op, Index begin) {
    Index const count = std::min(piece_columns, op.dsegment.cols - begin);
    if (op.write == Write::assign)
      for (Index i = 0; i < op.dsegment.rows; ++i) std::fill_n(op.dsegment.row(i) + begin, count, M(0));
    for (Index n = 0; n < op.dz.rows; ++n) {
      A const* const from = op.dz.row(n) + begin;
      M* const to = op.dsegment.row(op.segments[n]) + begin;
      for_vectors<M>(count, [&](Index c, auto part) HONE_SIMD_INLINE {
        store(to + c, load(to + c, part) + load(from + c, part), part);
      });
    }
  }
};

}  // namespace hone::detail::HONE_SIMD
