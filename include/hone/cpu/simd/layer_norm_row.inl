namespace hone::detail::HONE_SIMD {

/// The sum of the lanes, halves onto halves, without a way through memory: the same bits as `sum`.
template <class T>
HONE_SIMD_INLINE inline T lane_sum(Vec<T> value) {
#if defined(__CUDACC__)
  return sum<T>(value);
#else
  [&]<int... i>(std::integer_sequence<int, i...>) HONE_SIMD_INLINE {
    constexpr int all = lanes<T>;
    if constexpr (all >= 16) value += __builtin_shufflevector(value, value, ((i + 8) % all)...);
    if constexpr (all >= 8) value += __builtin_shufflevector(value, value, ((i + 4) % all)...);
    if constexpr (all >= 4) value += __builtin_shufflevector(value, value, ((i + 2) % all)...);
    value += __builtin_shufflevector(value, value, ((i + 1) % all)...);
  }(std::make_integer_sequence<int, lanes<T>>{});
  return value[0];
#endif
}

/// Neighbouring vectors: bfloat16 rounds two at once in the time of one.
template <class T, int count, class Part>
HONE_SIMD_INLINE inline void store_vectors(T* to, Vec<T> const (&values)[count], Part part) {
#if HONE_SIMD_BF16
  if constexpr (std::is_same_v<T, bfloat16> && count == 2 && std::is_same_v<Part, AllLanes>) {
    HalfWords const both = narrow_both(values[0], values[1]);
    std::memcpy(to, &both, sizeof both);
    return;
  }
#endif
  HONE_UNROLL for (int v = 0; v < count; ++v) store(to + v * lanes<T>, values[v], part);
}
/// Calls body(vectors, i, lanes) for what covers `count` values of T: two vectors at a time where store_vectors gains from
/// it, else one; `vectors` is a constant.
template <class T, class Body>
HONE_SIMD_INLINE inline void for_vectors_together(Index count, Body const& body) {
  Index i = 0;
#if HONE_SIMD_BF16
  if constexpr (std::is_same_v<T, bfloat16>)
    for (; i + 2 * lanes<T> <= count; i += 2 * lanes<T>) body(std::integral_constant<int, 2>{}, i, AllLanes{});
#endif
  for (; i + lanes<T> <= count; i += lanes<T>) body(std::integral_constant<int, 1>{}, i, AllLanes{});
  if (i < count) body(std::integral_constant<int, 1>{}, i, FirstLanes{count - i});
}

/// `count` rows of a matrix, one below the other.
template <class A>
struct Strip {
  A* first;
  Index stride;
  HONE_SIMD_INLINE A* row(int r) const { return first + r * stride; }
  template <class B>
    requires(std::is_same_v<B, A const>)
  HONE_SIMD_INLINE operator Strip<B>() const {
    return {first, stride};
  }
  /// Asks for the line of column c in the rows of the next strip.
  template <int count>
  HONE_SIMD_INLINE void fetch_next(Index c) const {
    if constexpr (count > 1)
      HONE_UNROLL for (int r = 0; r < count; ++r) __builtin_prefetch(row(count + r) + c, 0, 3);
  }
};
template <class A>
HONE_SIMD_INLINE inline Strip<A> strip_of(MatrixView<A> m, Index n) {
  return {m.row(n), m.stride};
}

/// y = gamma * (z - mean) * rstd + beta over `count` rows, total[r] being the lanes' sums of row r; sets mean and rstd.
template <int count, class A, class T = ScalarOf<A>>
HONE_SIMD_INLINE inline void layer_norm_rows(Strip<A> z, Vec<T> const (&total)[count], A const* gamma, A const* beta,
                                             T epsilon, Index width, Strip<A> y, T* mean, T* rstd) {
  T middle[count], inverse[count];
  Vec<T> squares[count] = {};
  HONE_UNROLL for (int r = 0; r < count; ++r) middle[r] = lane_sum<T>(total[r]) / static_cast<T>(width);
  for_vectors<T>(width, [&](Index c, auto part) HONE_SIMD_INLINE {
    HONE_UNROLL for (int r = 0; r < count; ++r) {
      Vec<T> const difference = only<T>(load(z.row(r) + c, part) - middle[r], part);
      squares[r] += difference * difference;
    }
  });
  HONE_UNROLL for (int r = 0; r < count; ++r)
    inverse[r] = T(1) / std::sqrt(lane_sum<T>(squares[r]) / static_cast<T>(width) + epsilon);
  for_vectors_together<A>(width, [&](auto vectors, Index c, auto part) HONE_SIMD_INLINE {
    constexpr int beside = decltype(vectors)::value;
    Vec<T> factor[beside], shift[beside];
    HONE_UNROLL for (int v = 0; v < beside; ++v) {
      factor[v] = load(gamma + c + v * lanes<T>, part);
      shift[v] = load(beta + c + v * lanes<T>, part);
    }
    HONE_UNROLL for (int r = 0; r < count; ++r) {
      Vec<T> values[beside];
      HONE_UNROLL for (int v = 0; v < beside; ++v) {
        Vec<T> const normal = (load(z.row(r) + c + v * lanes<T>, part) - middle[r]) * inverse[r];
        values[v] = factor[v] * normal + shift[v];
      }
      store_vectors<A, beside>(y.row(r) + c, values, part);
    }
  });
  HONE_UNROLL for (int r = 0; r < count; ++r) mean[r] = middle[r], rstd[r] = inverse[r];
}

}  // namespace hone::detail::HONE_SIMD
