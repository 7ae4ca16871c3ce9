namespace hone::detail::HONE_SIMD {

/// sqrt(x), lane by lane, correctly rounded.
template <class T>
HONE_SIMD_INLINE inline Vec<T> vector_sqrt(Vec<T> x) {
  // The loop below would call the library for errno's sake; there is no vector extension for square roots in g++ 12.
  if constexpr (std::is_same_v<T, float>) {
#if HONE_SIMD_AVX512
    Vec<float> root;
    __asm__("vsqrtps %1, %0" : "=v"(root) : "v"(x));
    return root;
#elif HONE_SIMD_BYTES == 32
    return __builtin_ia32_sqrtps256(x);
#elif HONE_SIMD_BYTES == 16 && defined(__SSE2__)
    return __builtin_ia32_sqrtps(x);
#else
    for (int i = 0; i < lanes<T>; ++i) x[i] = std::sqrt(x[i]);
    return x;
#endif
  } else {
    for (int i = 0; i < lanes<T>; ++i) x[i] = std::sqrt(x[i]);
    return x;
  }
}

/// exp(x), lane by lane.
///
/// float: x = n ln 2 + r, |r| <= ln 2 / 2, a polynomial in r (interpolated at Chebyshev nodes, relative error 3e-9), times
/// 2^n. Relative error <= 2e-7; 0 below -87.3, exp(88.3) above 88.3, NaN stays NaN. double: std::exp (for proofs, not
/// speed). Bits depend on whether the compiler fuses multiply and add, hence on the program, not on lanes or neighbours.
/// `never_positive` promises x <= 1 and saves the test for the upper end.
template <class T, bool never_positive = false>
HONE_SIMD_INLINE inline Vec<T> vector_exp(Vec<T> x) {
  if constexpr (std::is_same_v<T, double>) {
    for (int i = 0; i < lanes<T>; ++i) x[i] = std::exp(x[i]);
    return x;
  } else {
    using Signed = typename VectorOf<float>::Signed;
    using Unsigned = typename VectorOf<float>::Unsigned;  // for what wraps around on purpose
    float const magic = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer, which is then in the low bits
    Signed const tiny = x < -87.3f;   // what is computed for those is thrown away at the end
    if constexpr (!never_positive) x = minimum<float>(splat(88.3f), x);
    Vec<float> const shifted = x * 1.44269504f + magic;
    Vec<float> const n = shifted - magic;
    Vec<float> r = x - n * 0.693359375f;  // ln 2 in two parts, the first exact in few bits
    r = r + n * 2.12194440e-4f;
    Vec<float> p = splat(0.00139411084f);
    p = p * r + 0.0083751264f;
    p = p * r + 0.0416663529f;
    p = p * r + 0.166664155f;
    p = p * r + 0.500000005f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    Unsigned const power = (reinterpret_cast<Unsigned>(shifted) << 23) + (127u << 23);  // the magic bits shift out
    Vec<float> const value = p * reinterpret_cast<Vec<float>>(power);
    return tiny ? Vec<float>{} : value;
  }
}

/// The standard normal distribution at u: `cdf` = Phi(u) = erfc(-u / sqrt 2) / 2 and `density` = exp(-u^2 / 2) / sqrt(2 pi).
template <class T>
struct NormalDistribution {
  Vec<T> cdf, density;
};

/// float: erfc(t) = exp(-t^2) k P(k), k = 1 / (1 + t / 2), t >= 0, with a polynomial P of degree 8 interpolated at Chebyshev
/// nodes (relative error 6e-8). |error of cdf| <= (5e-7 + 1e-7 u^2) Phi(u), so that the tail's small values are right too.
/// double: std::erfc and std::exp.
template <class T>
HONE_SIMD_INLINE inline NormalDistribution<T> vector_normal(Vec<T> u) {
  Vec<T> const gauss = vector_exp<T, true>(u * u * T(-0.5));
  Vec<T> cdf{};
  if constexpr (std::is_same_v<T, double>) {
    for (int i = 0; i < lanes<T>; ++i) cdf[i] = std::erfc(u[i] * -0.70710678118654752440) / 2;
  } else {
    Vec<float> const t = (u < 0.0f ? -u : u) * 0.70710678f;
    Vec<float> const k = 1.0f / (t * 0.5f + 1.0f);
    Vec<float> p = splat(-0.0600128051f);
    p = p * k + 0.289165503f;
    p = p * k - 0.496626929f;
    p = p * k + 0.28869413f;
    p = p * k - 0.033780713f;
    p = p * k + 0.205616343f;
    p = p * k + 0.242395722f;
    p = p * k + 0.282467166f;
    p = p * k + 0.28208154f;
    Vec<float> const tail = gauss * (p * k) * 0.5f;
    cdf = u < 0.0f ? tail : 1.0f - tail;
  }
  return {cdf, gauss * T(0.39894228040143267794)};
}

/// Phi(u) and the derivative of gelu, Phi(u) + u phi(u), for results that are rounded to bfloat16: odd polynomials around
/// 1/2 in u between -4.5 and 4.5, constant outside (fitted to the least largest error). |error| <= 1e-5 and 1e-4: small
/// beside the rounding of results near 1, which is 4e-3 at most.
HONE_SIMD_INLINE inline NormalDistribution<float> vector_gelu_factors(Vec<float> u) {
  u = maximum<float>(splat(-4.5f), minimum<float>(splat(4.5f), u));  // NaN stays NaN
  Vec<float> const z = u * u * 0.0987654321f - 1.0f;  // 2 u^2 / 4.5^2 - 1
  Vec<float> p = splat(-0.00193053717f), d = splat(-0.0247235112f);
  p = p * z + 0.0049627074f;
  d = d * z + 0.0559671037f;
  p = p * z - 0.00607018312f;
  d = d * z - 0.0454833247f;
  p = p * z + 0.0096532153f;
  d = d * z + 0.0477326065f;
  p = p * z - 0.0184839815f;
  d = d * z - 0.0877582803f;
  p = p * z + 0.0288576558f;
  d = d * z + 0.105039001f;
  p = p * z - 0.0402369723f;
  d = d * z - 0.0953676254f;
  p = p * z + 0.054637488f;
  d = d * z + 0.0861859247f;
  p = p * z - 0.0771858841f;
  d = d * z - 0.0899230018f;
  p = p * z + 0.156906039f;
  d = d * z + 0.159445763f;
  return {p * u + 0.5f, d * u + 0.5f};
}

/// 1 / (1 + exp(-x)). float: relative error <= 4e-7 for x > -87.
template <class T>
HONE_SIMD_INLINE inline Vec<T> vector_logistic(Vec<T> x) {
  return T(1) / (T(1) + vector_exp<T>(-x));
}

}  // namespace hone::detail::HONE_SIMD
