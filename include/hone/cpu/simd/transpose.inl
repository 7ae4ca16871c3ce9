namespace hone::detail::HONE_SIMD {

/// Two vectors, lane by lane in turn: a0 b0 a1 b1 ...
template <class T>
HONE_SIMD_INLINE inline void interleave(Vec<T>& a, Vec<T>& b) {
#if defined(__CUDACC__)  // nvcc 13 takes the indices of a pack for a single one
  Vec<T> low{}, high{};
  for (int i = 0; i < lanes<T>; ++i) {
    low[i] = (i % 2 ? b : a)[i / 2];
    high[i] = (i % 2 ? b : a)[i / 2 + lanes<T> / 2];
  }
  a = low, b = high;
#else
  [&]<int... i>(std::integer_sequence<int, i...>) HONE_SIMD_INLINE {
    constexpr int half = lanes<T> / 2;
    Vec<T> const low = __builtin_shufflevector(a, b, (i % 2 * lanes<T> + i / 2)...);
    Vec<T> const high = __builtin_shufflevector(a, b, (i % 2 * lanes<T> + i / 2 + half)...);
    a = low, b = high;
  }(std::make_integer_sequence<int, lanes<T>>{});
#endif
}

/// Rows of a tile, `height` vectors (a power of two), become its columns one after the other: [k][height].
template <class T, int height>
HONE_SIMD_INLINE inline void transpose_vectors(Vec<T> (&v)[height]) {
  // v[i + j] holds rows j, j + distance, ... of consecutive k, interleaved; round by round the rows of one k come together.
  HONE_UNROLL for (int distance = height / 2, pieces = 1; distance > 0; distance /= 2, pieces *= 2) {
    Vec<T> next[height] = {};  // filled whole below; g++ 12 cannot see it
    HONE_UNROLL for (int j = 0; j < distance; ++j) HONE_UNROLL for (int piece = 0; piece < pieces; ++piece) {
      Vec<T> a = v[j * pieces + piece], b = v[(j + distance) * pieces + piece];
      interleave<T>(a, b);
      next[j * 2 * pieces + 2 * piece] = a;
      next[j * 2 * pieces + 2 * piece + 1] = b;
    }
    HONE_UNROLL for (int r = 0; r < height; ++r) v[r] = next[r];
  }
}

/// to[k][r] = from[r * row_step + k] for r < height and k < lanes.
template <class T, int height, class A>
HONE_SIMD_INLINE inline void transpose_tile(A const* from, Index row_step, T* to) {
  Vec<T> v[height];
  HONE_UNROLL for (int r = 0; r < height; ++r) v[r] = load(from + r * row_step);
  transpose_vectors<T, height>(v);
  HONE_UNROLL for (int r = 0; r < height; ++r) store(to + r * lanes<T>, v[r]);
}

/// to[c * to_step + r] = factor * from[r * from_step + c] for r < rows and c < cols. Either may be bfloat16.
template <class From, class To, class T = ScalarOf<From>>
HONE_TARGET void transpose(From const* from, Index from_step, Index rows, Index cols, T factor, To* to, Index to_step) {
  constexpr Index side = lanes<T>;
  for (Index r = 0; r < rows; r += side)
    for (Index c = 0; c < cols; c += side) {
      if (r + side <= rows && c + side <= cols) {
        Vec<T> v[side];
        HONE_UNROLL for (int i = 0; i < side; ++i) v[i] = load(from + (r + i) * from_step + c);
        transpose_vectors<T, side>(v);
        HONE_UNROLL for (int i = 0; i < side; ++i) store(to + (c + i) * to_step + r, v[i] * factor);
        continue;
      }
      for (Index i = r; i < std::min(r + side, rows); ++i)
        for (Index j = c; j < std::min(c + side, cols); ++j) to[j * to_step + i] = To(factor * T(from[i * from_step + j]));
    }
}

}  // namespace hone::detail::HONE_SIMD
