namespace hone::detail::HONE_SIMD {

/// y = gamma * (z - mean) * rstd + beta over one row whose sum is known; sets mean and rstd.
template <class A, class T = ScalarOf<A>>
HONE_SIMD_INLINE inline void layer_norm_vectors(A const* z, T total, A const* gamma, A const* beta, T epsilon, Index width,
                                                A* y, T& mean, T& rstd) {
  T const middle = total / static_cast<T>(width);
  Vec<T> squares{};
  for_vectors<T>(width, [&](Index c, auto part) HONE_SIMD_INLINE {
    Vec<T> const difference = only<T>(load(z + c, part) - middle, part);
    squares += difference * difference;
  });
  T const inverse = T(1) / std::sqrt(sum<T>(squares) / static_cast<T>(width) + epsilon);
  for_vectors<T>(width, [&](Index c, auto part) HONE_SIMD_INLINE {
    Vec<T> const normal = (load(z + c, part) - middle) * inverse;
    store(y + c, load(gamma + c, part) * normal + load(beta + c, part), part);
  });
  mean = middle;
  rstd = inverse;
}

/// The two means that layer norm's backward needs: of g = gamma * dy and of g * xhat.
template <class T>
struct NormMeans {
  T g, g_normal;
};
template <class A, class T = ScalarOf<A>>
HONE_SIMD_INLINE inline NormMeans<T> layer_norm_means(A const* dy, A const* z, A const* gamma, T mean, T rstd,
                                                      Index width) {
  Vec<T> sum_g{}, sum_g_normal{};
  for_vectors<T>(width, [&](Index c, auto part) HONE_SIMD_INLINE {
    Vec<T> const g = load(gamma + c, part) * load(dy + c, part);  // zero in the lanes that are not meant
    sum_g += g;
    sum_g_normal += g * ((load(z + c, part) - mean) * rstd);
  });
  return {sum<T>(sum_g) / static_cast<T>(width), sum<T>(sum_g_normal) / static_cast<T>(width)};
}

}  // namespace hone::detail::HONE_SIMD
