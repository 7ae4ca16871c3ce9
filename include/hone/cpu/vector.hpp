#pragma once

#include <cstdint>
#include <cstring>

#include "hone/core/config.hpp"
#include "hone/core/matrix.hpp"

namespace hone::detail {

/// Bytes of a vector register of the instruction set that this translation unit is compiled for.
#if defined(__AVX512F__)
inline constexpr int vector_bytes = 64;
inline constexpr bool many_registers = true;  // 32
#elif defined(__AVX__)
inline constexpr int vector_bytes = 32;
inline constexpr bool many_registers = false;  // 16
#else
inline constexpr int vector_bytes = 16;
inline constexpr bool many_registers = false;
#endif

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

/// `lanes<T>` values of T in one register.
template <class T>
using Vec = typename VectorOf<T>::Type;
template <class T>
inline constexpr int lanes = vector_bytes / static_cast<int>(sizeof(T));

template <class T>
HONE_ALWAYS_INLINE inline Vec<T> load(T const* from) {
  Vec<T> value;
  std::memcpy(&value, from, sizeof value);
  return value;
}
template <class T>
HONE_ALWAYS_INLINE inline void store(T* to, Vec<T> value) {
  std::memcpy(to, &value, sizeof value);
}
/// How many lanes of a vector are meant: all of them, or the first few at the end of a row.
struct AllLanes {};
struct FirstLanes {
  Index count;
};

template <class T>
HONE_ALWAYS_INLINE inline Vec<T> load(T const* from, AllLanes) {
  return load(from);
}
/// The other lanes are zero.
template <class T>
HONE_ALWAYS_INLINE inline Vec<T> load(T const* from, FirstLanes part) {
  alignas(vector_bytes) T all[lanes<T>] = {};
  for (Index i = 0; i < part.count; ++i) all[i] = from[i];
  return load(all);
}
template <class T>
HONE_ALWAYS_INLINE inline void store(T* to, Vec<T> value, AllLanes) {
  store(to, value);
}
template <class T>
HONE_ALWAYS_INLINE inline void store(T* to, Vec<T> value, FirstLanes part) {
  alignas(vector_bytes) T all[lanes<T>];
  store<T>(all, value);
  for (Index i = 0; i < part.count; ++i) to[i] = all[i];
}
/// Zero in the lanes that are not meant.
template <class T>
HONE_ALWAYS_INLINE inline Vec<T> only(Vec<T> value, AllLanes) {
  return value;
}
template <class T>
HONE_ALWAYS_INLINE inline Vec<T> only(Vec<T> value, FirstLanes part) {
  alignas(vector_bytes) T all[lanes<T>];
  store<T>(all, value);
  return load(all, part);
}
/// Calls body(i, lanes) for the vectors that cover `count` consecutive values.
template <class T, class Body>
HONE_ALWAYS_INLINE inline void for_vectors(Index count, Body const& body) {
  Index i = 0;
  for (; i + lanes<T> <= count; i += lanes<T>) body(i, AllLanes{});
  if (i < count) body(i, FirstLanes{count - i});
}

template <class T>
HONE_ALWAYS_INLINE inline Vec<T> splat(T value) {
  return value - Vec<T>{};  // -0.0 stays -0.0
}
/// The sum of the lanes, always in the same order: halves onto halves.
template <class T>
HONE_ALWAYS_INLINE inline T sum(Vec<T> value) {
  alignas(vector_bytes) T all[lanes<T>];
  store(all, value);
  for (int half = lanes<T> / 2; half > 0; half /= 2)
    for (int i = 0; i < half; ++i) all[i] += all[i + half];
  return all[0];
}
template <class T>
HONE_ALWAYS_INLINE inline Vec<T> maximum(Vec<T> a, Vec<T> b) {
  return a > b ? a : b;
}

constexpr Index round_up(Index value, Index multiple) { return (value + multiple - 1) / multiple * multiple; }

}  // namespace hone::detail
