namespace hone::detail::HONE_SIMD {

/// How many rows the kernels of norms take at a time, so that a processor has several sums to work at.
inline constexpr int strip_height = 4;

/// The random numbers of dropout for rows of tokens, strip_height rows at a time: the same as dropout_factors'.
///
/// Of Philox's ten rounds the first two need no vector work for each row: in them no word depends on both row and column.
class DropoutRows {
  static constexpr int blocks = word_lanes / strip_height;  // of eight columns, for each row of a call
  static constexpr std::uint32_t factor0 = 0xD2511F53u, factor1 = 0xCD9E8D57u;
  static constexpr std::uint32_t step0 = 0x9E3779B9u, step1 = 0xBB67AE85u;
  static constexpr int late_rounds = 8, by_group = 3;

 public:
  /// Columns of one call, and half words of a strip's row: room for all columns and for a vector at the end.
  static constexpr Index group = 8 * blocks;
  static constexpr Index row_halves(Index width) { return round_up(width, group) + 2 * word_lanes; }

  /// Uses the thread's Scratch::tile as long as it lives. Does nothing where nothing is dropped.
  HONE_TARGET DropoutRows(Dropout const& dropout, RowMap const& rows, Index width)
      : dropout_(dropout), rows_(rows), width_(width), stride_(row_halves(width)) {
    if (!dropout.active()) return;
    Index const groups = (width + group - 1) / group;
    std::uint32_t* const memory = scratch<std::uint32_t>(
        Scratch::tile, (groups * by_group + 2 * late_rounds) * word_lanes + strip_height * stride_ / 2);
    columns_ = memory;
    keys_ = columns_ + groups * by_group * word_lanes;
    halves_ = reinterpret_cast<std::uint16_t*>(keys_ + 2 * late_rounds * word_lanes);
    for (int round = 0; round < late_rounds; ++round) {
      auto const before = static_cast<std::uint32_t>(round + 2);
      put(keys_, 2 * round, Words{} + (dropout.key0 + before * step0));
      put(keys_, 2 * round + 1, Words{} + (dropout.key1 + before * step1));
    }
    for (Index g = 0; g < groups; ++g) {
      Words first{}, low0, high0, low1, high1;
      for (int lane = 0; lane < word_lanes; ++lane) first[lane] = static_cast<std::uint32_t>(g * blocks + lane % blocks);
      multiply_wide(first, factor0, low0, high0);
      multiply_wide(high0 ^ dropout.step ^ dropout.key1, factor1, low1, high1);
      put(columns_, by_group * g, high1 ^ (dropout.key0 + step0));
      put(columns_, by_group * g + 1, low1);
      put(columns_, by_group * g + 2, low0 ^ (dropout.key1 + step1));
    }
  }

  bool active() const { return dropout_.active(); }

  /// Makes the numbers of rows n .. n + count - 1.
  HONE_TARGET void make(Index n, int count) {
    Words position{}, example{}, low0, high0, low1, high1;
    for (int lane = 0; lane < word_lanes; ++lane) {
      Index const row = n + std::min(lane / blocks, count - 1);
      position[lane] = static_cast<std::uint32_t>(rows_.position[row]);
      example[lane] = static_cast<std::uint32_t>(rows_.example(row));
    }
    multiply_wide(example, factor1, low1, high1);
    multiply_wide(high1 ^ position ^ dropout_.key0, factor0, low0, high0);
    for (Index g = 0; g * group < width_; ++g) {
      Words c0 = low1 ^ got(columns_, by_group * g), c1 = got(columns_, by_group * g + 1);
      Words c2 = high0 ^ got(columns_, by_group * g + 2), c3 = low0;
      HONE_UNROLL for (int round = 0; round < late_rounds; ++round) {
        Words l0, h0, l1, h1;
        multiply_wide(c0, factor0, l0, h0);
        multiply_wide(c2, factor1, l1, h1);
        c0 = h1 ^ c1 ^ got(keys_, 2 * round);
        c2 = h0 ^ c3 ^ got(keys_, 2 * round + 1);
        c1 = l1;
        c3 = l0;
      }
      // Word w of lane i holds two columns of block i: [w][i] becomes [i][w], a vector a row, its halves in order.
      Vec<float> words[4] = {reinterpret_cast<Vec<float>>(c0), reinterpret_cast<Vec<float>>(c1),
                             reinterpret_cast<Vec<float>>(c2), reinterpret_cast<Vec<float>>(c3)};
      transpose_vectors<float, 4>(words);
      HONE_UNROLL for (int r = 0; r < strip_height; ++r)
        std::memcpy(halves_ + r * stride_ + g * group, &words[r], sizeof words[r]);
    }
  }

  /// 0 or the scale for columns c, c + 1, ... of the strip's row r.
  template <class T>
  HONE_SIMD_INLINE Vec<T> factors(int r, Index c) const {
    using Unsigned = typename VectorOf<T>::Unsigned;
    std::uint16_t const* const from = halves_ + r * stride_ + c;
#if defined(__CUDACC__)  // nvcc drops a vector_size that depends on T
    Unsigned numbers{};
    for (int i = 0; i < lanes<T>; ++i) numbers[i] = from[i];
#else
    typedef std::uint16_t Halves __attribute__((vector_size(2 * lanes<T>)));
    Halves halves;
    std::memcpy(&halves, from, sizeof halves);
    Unsigned const numbers = __builtin_convertvector(halves, Unsigned);
#endif
    return numbers >= dropout_.threshold ? splat(static_cast<T>(dropout_.scale())) : Vec<T>{};
  }

 private:
  HONE_SIMD_INLINE static void put(std::uint32_t* to, Index i, Words words) {
    std::memcpy(to + i * word_lanes, &words, sizeof words);
  }
  HONE_SIMD_INLINE static Words got(std::uint32_t const* from, Index i) {
    Words words;
    std::memcpy(&words, from + i * word_lanes, sizeof words);
    return words;
  }

  Dropout dropout_;
  RowMap rows_;
  Index width_, stride_;
  std::uint32_t *columns_ = nullptr, *keys_ = nullptr;
  std::uint16_t* halves_ = nullptr;
};

/// Calls body(n, count) for strips of rows begin .. end - 1, where count, a compile-time constant, is strip_height or 1.
template <class Body>
HONE_SIMD_INLINE inline void for_strips(Index begin, Index end, Body const& body) {
  Index n = begin;
  for (; n + strip_height <= end; n += strip_height) body(n, std::integral_constant<int, strip_height>{});
  for (; n < end; ++n) body(n, std::integral_constant<int, 1>{});
}

/// to = mask * from, for rows begin .. end - 1 of tokens.
template <class A, class T = ScalarOf<A>>
HONE_TARGET void drop_rows(DropoutRows& masks, MatrixView<A const> from, MatrixView<A> to, Index begin, Index end) {
  for (Index n = begin; n < end; n += strip_height) {
    int const count = static_cast<int>(std::min<Index>(strip_height, end - n));
    masks.make(n, count);
    for (int r = 0; r < count; ++r) {
      A const* const x = from.row(n + r);
      A* const y = to.row(n + r);
      for_vectors<T>(from.cols, [&](Index c, auto part) HONE_SIMD_INLINE {
        store(y + c, load(x + c, part) * masks.factors<T>(r, c), part);
      });
    }
  }
}

}  // namespace hone::detail::HONE_SIMD
