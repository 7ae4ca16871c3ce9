namespace hone::detail::HONE_SIMD {

using Words = VectorOf<float>::Unsigned;
inline constexpr int word_lanes = lanes<float>;

/// first, first + 1, ...
HONE_SIMD_INLINE inline Words counting(std::uint32_t first) {
  Words words{};
  for (int i = 0; i < word_lanes; ++i) words[i] = first + static_cast<std::uint32_t>(i);
  return words;
}

/// The 64-bit products of the even lanes, read as 32-bit numbers.
HONE_SIMD_INLINE inline VectorOf<double>::Unsigned multiply_even(Words a, Words b) {
  using Wide = VectorOf<double>::Unsigned;
  // g++ 12 would multiply 64 by 64 bits, which is slow; clang sees that halves are enough.
#if HONE_SIMD_AVX512 && !defined(__clang__)
  typedef int Ints __attribute__((vector_size(64)));
  typedef long long Longs __attribute__((vector_size(64)));
  return reinterpret_cast<Wide>(
      __builtin_ia32_pmuludq512_mask(reinterpret_cast<Ints>(a), reinterpret_cast<Ints>(b), Longs{}, 0xFF));
#elif HONE_SIMD_BYTES == 32 && !defined(__clang__)
  typedef int Ints __attribute__((vector_size(32)));
  return reinterpret_cast<Wide>(__builtin_ia32_pmuludq256(reinterpret_cast<Ints>(a), reinterpret_cast<Ints>(b)));
#elif HONE_SIMD_BYTES == 16 && defined(__SSE2__) && !defined(__clang__)
  typedef int Ints __attribute__((vector_size(16)));
  return reinterpret_cast<Wide>(__builtin_ia32_pmuludq128(reinterpret_cast<Ints>(a), reinterpret_cast<Ints>(b)));
#else
  return (reinterpret_cast<Wide>(a) & 0xFFFFFFFFu) * (reinterpret_cast<Wide>(b) & 0xFFFFFFFFu);
#endif
}

HONE_SIMD_INLINE inline void multiply_wide(Words a, std::uint32_t by, Words& low, Words& high) {
  static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "lanes of 32 bits are read as halves of 64 bits");
  using Wide = VectorOf<double>::Unsigned;
  Words const factor = Words{} + by;
  Wide const even = multiply_even(a, factor);
  Wide const odd = multiply_even(reinterpret_cast<Words>(reinterpret_cast<Wide>(a) >> 32), factor);
#if HONE_SIMD_AVX512 && !defined(__CUDACC__)
  // One shuffle each instead of shifts, which would run where the products do.
  Words const e = reinterpret_cast<Words>(even), o = reinterpret_cast<Words>(odd);
  low = __builtin_shufflevector(e, o, 0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30);
  high = __builtin_shufflevector(e, o, 1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31);
#else
  low = reinterpret_cast<Words>((even & 0xFFFFFFFFu) | (odd << 32));
  high = reinterpret_cast<Words>((even >> 32) | (odd & 0xFFFFFFFF00000000u));
#endif
}

/// philox4x32 for as many counters as a vector has lanes; c0 .. c3 become the words.
HONE_SIMD_INLINE inline void philox_vectors(Words& c0, Words& c1, Words& c2, Words& c3, std::uint32_t k0,
                                            std::uint32_t k1) {
  for (int round = 0; round < 10; ++round) {
    Words low0, high0, low1, high1;
    multiply_wide(c0, 0xD2511F53u, low0, high0);
    multiply_wide(c2, 0xCD9E8D57u, low1, high1);
    c0 = high1 ^ c1 ^ k0;
    c2 = high0 ^ c3 ^ k1;
    c1 = low1;
    c3 = low0;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
}

/// factors[c] = 0 or dropout.scale() for columns 0 .. cols - 1 of one token's row.
///
/// `factors` has room for cols rounded up to a multiple of 8 * word_lanes.
template <class T>
HONE_TARGET void dropout_factors(Dropout const& dropout, Index position, Index example, Index cols,
                                 T* HONE_RESTRICT factors) {
  T const scale = static_cast<T>(dropout.scale());
  auto const threshold = static_cast<std::uint16_t>(dropout.threshold);  // at most 65535
  for (Index first = 0; first < cols; first += 8 * word_lanes) {
    Words c0 = counting(static_cast<std::uint32_t>(first / 8));
    Words c1 = Words{} + static_cast<std::uint32_t>(position);
    Words c2 = Words{} + static_cast<std::uint32_t>(example), c3 = Words{} + dropout.step;
    philox_vectors(c0, c1, c2, c3, dropout.key0, dropout.key1);
    // Word w of call i holds columns 8 i + 2 w and 8 i + 2 w + 1: [w][i] becomes [i][w], and its halves are in order.
    Vec<float> words[4] = {reinterpret_cast<Vec<float>>(c0), reinterpret_cast<Vec<float>>(c1),
                           reinterpret_cast<Vec<float>>(c2), reinterpret_cast<Vec<float>>(c3)};
    transpose_vectors<float, 4>(words);
    alignas(vector_bytes) std::uint16_t halves[8 * word_lanes];
    std::memcpy(halves, words, sizeof halves);
    for (int i = 0; i < 8 * word_lanes; ++i) factors[first + i] = halves[i] >= threshold ? scale : T(0);
  }
}

/// Room that dropout_factors needs for `cols` columns.
constexpr Index dropout_factors_room(Index cols) { return round_up(cols, 8 * word_lanes); }

}  // namespace hone::detail::HONE_SIMD
