namespace hone::detail::HONE_SIMD {

/// Bytes of a vector register of the instruction set, and whether there are 32 of them, not 16.
inline constexpr int vector_bytes = HONE_SIMD_BYTES;
inline constexpr bool many_registers = HONE_SIMD_BYTES == 64;

/// Vectors by the compiler's own extension (g++, clang): arithmetic and comparison element by element, no intrinsics.
template <class T>
struct VectorOf;
template <>
struct VectorOf<float> {
  typedef float Type __attribute__((vector_size(vector_bytes)));
  typedef std::int32_t Signed __attribute__((vector_size(vector_bytes)));
  typedef std::uint32_t Unsigned __attribute__((vector_size(vector_bytes)));
};
template <>
struct VectorOf<double> {
  typedef double Type __attribute__((vector_size(vector_bytes)));
  typedef std::int64_t Signed __attribute__((vector_size(vector_bytes)));
  typedef std::uint64_t Unsigned __attribute__((vector_size(vector_bytes)));
};
/// bfloat16 is storage alone: what is loaded is float, what is stored is rounded.
template <>
struct VectorOf<bfloat16> : VectorOf<float> {
  typedef std::uint16_t Bits __attribute__((vector_size(vector_bytes / 2)));
};

/// `lanes<T>` values of T in one register, as float where T is bfloat16.
template <class T>
using Vec = typename VectorOf<T>::Type;
template <class T>
inline constexpr int lanes = vector_bytes / static_cast<int>(sizeof(ScalarOf<T>));

/// The numbers of half words, lane by lane. g++ 12 makes five instructions of the conversion, and one of its builtin.
HONE_SIMD_INLINE inline VectorOf<float>::Unsigned widen_words(VectorOf<bfloat16>::Bits halves) {
  using Unsigned = VectorOf<float>::Unsigned;
#if defined(__CUDACC__)  // nvcc 13 does not know the builtins
  Unsigned words{};
  for (int i = 0; i < lanes<float>; ++i) words[i] = halves[i];
  return words;
#elif HONE_SIMD_AVX512 && !defined(__clang__)
  typedef short Shorts __attribute__((vector_size(32)));
  typedef int Ints __attribute__((vector_size(64)));
  return reinterpret_cast<Unsigned>(__builtin_ia32_pmovzxwd512_mask(reinterpret_cast<Shorts>(halves), Ints{}, 0xFFFF));
#elif HONE_SIMD_BYTES == 32 && !defined(__clang__)
  typedef short Shorts __attribute__((vector_size(16)));
  return reinterpret_cast<Unsigned>(__builtin_ia32_pmovzxwd256(reinterpret_cast<Shorts>(halves)));
#else
  return __builtin_convertvector(halves, Unsigned);
#endif
}
/// float of bfloat16's bits, lane by lane.
HONE_SIMD_INLINE inline Vec<float> widen(VectorOf<bfloat16>::Bits bits) {
  return reinterpret_cast<Vec<float>>(widen_words(bits) << 16);
}
/// bfloat16's bits of float, rounded to nearest, ties to even; NaN stays NaN. (The processor's own instruction makes
/// denormal numbers zero.)
HONE_SIMD_INLINE inline VectorOf<bfloat16>::Bits narrow(Vec<float> value) {
#if HONE_SIMD_BF16
  VectorOf<bfloat16>::Bits bits;
  __asm__("vcvtneps2bf16 %1, %0" : "=v"(bits) : "v"(value));
  return bits;
#else
  using Unsigned = VectorOf<float>::Unsigned;
  Unsigned const words = reinterpret_cast<Unsigned>(value);
  Unsigned rounded = (words + 0x7FFFu + (words >> 16 & 1u)) >> 16;
  rounded = value == value ? rounded : (words >> 16 | 0x0040u);
#if defined(__CUDACC__)
  VectorOf<bfloat16>::Bits bits{};
  for (int i = 0; i < lanes<float>; ++i) bits[i] = static_cast<std::uint16_t>(rounded[i]);
  return bits;
#elif HONE_SIMD_AVX512 && !defined(__clang__)
  typedef short Shorts __attribute__((vector_size(32)));
  typedef int Ints __attribute__((vector_size(64)));
  return reinterpret_cast<VectorOf<bfloat16>::Bits>(
      __builtin_ia32_pmovdw512_mask(reinterpret_cast<Ints>(rounded), Shorts{}, 0xFFFF));
#else
  return __builtin_convertvector(rounded, VectorOf<bfloat16>::Bits);
#endif
#endif
}

template <class T>
HONE_SIMD_INLINE inline Vec<T> load(T const* from) {
  if constexpr (std::is_same_v<T, bfloat16>) {
    typename VectorOf<T>::Bits bits;
    std::memcpy(&bits, from, sizeof bits);
    return widen(bits);
  } else {
    Vec<T> value;
    std::memcpy(&value, from, sizeof value);
    return value;
  }
}
template <class T>
HONE_SIMD_INLINE inline void store(T* to, Vec<T> value) {
  if constexpr (std::is_same_v<T, bfloat16>) {
    auto const bits = narrow(value);
    std::memcpy(to, &bits, sizeof bits);
  } else {
    std::memcpy(to, &value, sizeof value);
  }
}
/// The value that comes back when it is stored as T: rounded where T is bfloat16.
template <class T>
HONE_SIMD_INLINE inline Vec<T> as_stored(Vec<T> value) {
  if constexpr (std::is_same_v<T, bfloat16>) return widen(narrow(value));
  else return value;
}
/// How many lanes of a vector are meant: all of them, or the first few at the end of a row.
struct AllLanes {};
struct FirstLanes {
  Index count;
};

template <class T>
HONE_SIMD_INLINE inline Vec<T> load(T const* from, AllLanes) {
  return load(from);
}
/// The other lanes are zero.
template <class T>
HONE_SIMD_INLINE inline Vec<T> load(T const* from, FirstLanes part) {
  alignas(vector_bytes) T all[lanes<T>] = {};
  for (Index i = 0; i < part.count; ++i) all[i] = from[i];
  return load(all);
}
template <class T>
HONE_SIMD_INLINE inline void store(T* to, Vec<T> value, AllLanes) {
  store(to, value);
}
template <class T>
HONE_SIMD_INLINE inline void store(T* to, Vec<T> value, FirstLanes part) {
  alignas(vector_bytes) T all[lanes<T>];
  store<T>(all, value);
  for (Index i = 0; i < part.count; ++i) to[i] = all[i];
}
/// Zero in the lanes that are not meant.
template <class T>
HONE_SIMD_INLINE inline Vec<T> only(Vec<T> value, AllLanes) {
  return value;
}
template <class T>
HONE_SIMD_INLINE inline Vec<T> only(Vec<T> value, FirstLanes part) {
  alignas(vector_bytes) ScalarOf<T> all[lanes<T>];
  store<ScalarOf<T>>(all, value);
  return load(all, part);
}
/// Calls body(i, lanes) for the vectors that cover `count` consecutive values.
template <class T, class Body>
HONE_SIMD_INLINE inline void for_vectors(Index count, Body const& body) {
  Index i = 0;
  for (; i + lanes<T> <= count; i += lanes<T>) body(i, AllLanes{});
  if (i < count) body(i, FirstLanes{count - i});
}

template <class T>
HONE_SIMD_INLINE inline Vec<T> splat(T value) {
  return ScalarOf<T>(value) - Vec<T>{};  // -0.0 stays -0.0
}
/// The sum of the lanes, always in the same order: halves onto halves.
template <class T>
HONE_SIMD_INLINE inline ScalarOf<T> sum(Vec<T> value) {
  alignas(vector_bytes) ScalarOf<T> all[lanes<T>];
  store(all, value);
  for (int half = lanes<T> / 2; half > 0; half /= 2)
    for (int i = 0; i < half; ++i) all[i] += all[i + half];
  return all[0];
}
/// a > b ? a : b and a < b ? a : b, which are b where one is not a number. g++ makes them of two instructions.
template <class T>
HONE_SIMD_INLINE inline Vec<T> maximum(Vec<T> a, Vec<T> b) {
#if HONE_SIMD_AVX512 && !defined(__clang__)
  if constexpr (sizeof(ScalarOf<T>) == sizeof(float)) {
    __asm__("vmaxps %1, %2, %0" : "=v"(a) : "v"(b), "v"(a));
    return a;
  }
#elif HONE_SIMD_BYTES == 32 && !defined(__clang__)
  if constexpr (sizeof(ScalarOf<T>) == sizeof(float)) return __builtin_ia32_maxps256(a, b);
#endif
  return a > b ? a : b;
}
template <class T>
HONE_SIMD_INLINE inline Vec<T> minimum(Vec<T> a, Vec<T> b) {
#if HONE_SIMD_AVX512 && !defined(__clang__)
  if constexpr (sizeof(ScalarOf<T>) == sizeof(float)) {
    __asm__("vminps %1, %2, %0" : "=v"(a) : "v"(b), "v"(a));
    return a;
  }
#elif HONE_SIMD_BYTES == 32 && !defined(__clang__)
  if constexpr (sizeof(ScalarOf<T>) == sizeof(float)) return __builtin_ia32_minps256(a, b);
#endif
  return a < b ? a : b;
}

/// A kernel of this instruction set. Specialised by the other files of cpu/simd/.
template <class Op>
struct Kernel : NoKernel {};

}  // namespace hone::detail::HONE_SIMD
