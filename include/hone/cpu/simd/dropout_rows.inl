namespace hone::detail::HONE_SIMD {

/// The random numbers of dropout for rows of tokens, strip_height rows at a time: the same as dropout_factors'.
/// @tparam T  of the factors
template <class T>
class DropoutRows {
  static constexpr int by_group = sizeof(StripPhilox::Columns) / sizeof(std::uint32_t);

 public:
  /// Columns of one vector of random words, and half words of a strip's row: room for all columns and for a vector at the
  /// end.
  static constexpr Index group = 8 * StripPhilox::blocks;
  static constexpr Index row_halves(Index width) { return round_up(width, group) + 2 * word_lanes; }

  /// Uses the thread's Scratch::tile as long as it lives. Does nothing where nothing is dropped.
  HONE_TARGET DropoutRows(Dropout const& dropout, RowMap const& rows, Index width)
      : philox_(dropout),
        rows_(rows),
        width_(width),
        stride_(row_halves(width)),
        scale_(static_cast<T>(dropout.scale())) {
    if (!dropout.active()) return;
    Index const groups = (width + group - 1) / group;
    columns_ = scratch<std::uint32_t>(Scratch::tile, groups * by_group + strip_height * stride_ / 2);
    halves_ = reinterpret_cast<std::uint16_t*>(columns_ + groups * by_group);
    for (Index g = 0; g < groups; ++g) {
      StripPhilox::Columns const columns = philox_.columns(static_cast<std::uint32_t>(g * StripPhilox::blocks));
      std::memcpy(columns_ + g * by_group, &columns, sizeof columns);
    }
  }

  bool active() const { return philox_.dropout().active(); }

  /// Makes the numbers of rows n .. n + count - 1.
  HONE_TARGET void make(Index n, int count) {
    StripPhilox::Rows const rows = philox_.rows(rows_, n, count);
    for (Index g = 0; g * group < width_; ++g) {
      StripPhilox::Columns columns;
      std::memcpy(&columns, columns_ + g * by_group, sizeof columns);
      Words words[4];
      philox_.join(columns, rows, words);
      philox_.template rounds<0, StripPhilox::late_rounds>(words);
      Vec<float> bits[strip_height];
      philox_.in_order(words, bits);
      HONE_UNROLL for (int r = 0; r < strip_height; ++r)
        std::memcpy(halves_ + r * stride_ + g * group, &bits[r], sizeof bits[r]);
    }
  }

  /// 0 or the scale for columns c, c + 1, ... of the strip's row r.
  HONE_SIMD_INLINE Vec<T> factors(int r, Index c) const {
    using Unsigned = typename VectorOf<T>::Unsigned;
    std::uint16_t const* const from = halves_ + r * stride_ + c;
    Unsigned numbers{};
    if constexpr (std::is_same_v<T, float>) {
      VectorOf<bfloat16>::Bits halves;
      std::memcpy(&halves, from, sizeof halves);
      numbers = widen_words(halves);
    } else {
      for (int i = 0; i < lanes<T>; ++i) numbers[i] = from[i];
    }
    return numbers >= philox_.dropout().threshold ? splat(scale_) : Vec<T>{};
  }

 private:
  StripPhilox philox_;
  RowMap rows_;
  Index width_, stride_;
  T scale_;
  std::uint32_t* columns_ = nullptr;
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
HONE_TARGET void drop_rows(DropoutRows<T>& masks, MatrixView<A const> from, MatrixView<A> to, Index begin, Index end) {
  for (Index n = begin; n < end; n += strip_height) {
    int const count = static_cast<int>(std::min<Index>(strip_height, end - n));
    masks.make(n, count);
    for (int r = 0; r < count; ++r) {
      A const* const x = from.row(n + r);
      A* const y = to.row(n + r);
      for_vectors<T>(from.cols, [&](Index c, auto part) HONE_SIMD_INLINE {
        store(y + c, load(x + c, part) * masks.factors(r, c), part);
      });
    }
  }
}

}  // namespace hone::detail::HONE_SIMD
