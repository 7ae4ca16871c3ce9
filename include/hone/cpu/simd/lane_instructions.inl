// Single instructions of AVX-512 with bfloat16 that kernels of `mixed` are made of, and the same in plain C++ to the bit
// where there is none. Written as instructions so that neither the compiler's choice of fused operations nor its version
// changes bits.
namespace hone::detail::HONE_SIMD {

using WideWords = VectorOf<double>::Unsigned;  // 64-bit lanes
using HalfWords = std::uint16_t __attribute__((vector_size(vector_bytes)));
using LaneMask = std::uint32_t;  // one bit for each lane of a comparison

#if HONE_SIMD_BF16

/// a * b + c with one rounding.
HONE_SIMD_INLINE inline Vec<float> fused(Vec<float> a, Vec<float> b, Vec<float> c) {
  __asm__("vfmadd213ps %2, %1, %0" : "+v"(a) : "v"(b), "v"(c));
  return a;
}
/// a * b, never fused with what is done to it.
HONE_SIMD_INLINE inline Vec<float> product(Vec<float> a, Vec<float> b) {
  Vec<float> r;
  __asm__("vmulps %2, %1, %0" : "=v"(r) : "v"(a), "v"(b));
  return r;
}
/// x - floor(x), rounded down: in [0, 1).
HONE_SIMD_INLINE inline Vec<float> fraction(Vec<float> x) {
  Vec<float> r;
  __asm__("vreduceps $9, %1, %0" : "=v"(r) : "v"(x));
  return r;
}
/// a * 2^floor(b).
HONE_SIMD_INLINE inline Vec<float> scaled(Vec<float> a, Vec<float> b) {
  Vec<float> r;
  __asm__("vscalefps %2, %1, %0" : "=v"(r) : "v"(a), "v"(b));
  return r;
}
/// Bit i: half word i of `words` >= half word i of `bound`, unsigned.
HONE_SIMD_INLINE inline LaneMask halves_at_least(Words words, Words bound) {
  LaneMask mask;
  __asm__("vpcmpuw $5, %2, %1, %0" : "=Yk"(mask) : "v"(words), "v"(bound));
  return mask;
}
/// Bit i: word i of `words` >= word i of `bound`, unsigned.
HONE_SIMD_INLINE inline LaneMask words_at_least(Words words, Words bound) {
  LaneMask mask;
  __asm__("vpcmpud $5, %2, %1, %0" : "=Yk"(mask) : "v"(words), "v"(bound));
  return mask;
}
/// Bit i: lane i of a > lane i of b.
HONE_SIMD_INLINE inline LaneMask lanes_above(Vec<float> a, Vec<float> b) {
  LaneMask mask;
  __asm__("vcmpps $30, %2, %1, %0" : "=Yk"(mask) : "v"(a), "v"(b));
  return mask;
}
/// a - b where the mask's bit is set, else `other`.
HONE_SIMD_INLINE inline Vec<float> difference_or(LaneMask mask, Vec<float> a, Vec<float> b, Vec<float> other) {
  __asm__("vsubps %3, %2, %0%{%1%}" : "+v"(other) : "Yk"(mask), "v"(a), "v"(b));
  return other;
}
/// `value` where the mask's bit is set, else zero.
HONE_SIMD_INLINE inline Vec<float> kept(LaneMask mask, Vec<float> value) {
  Vec<float> r;
  __asm__("vmovaps %2, %0%{%1%}%{z%}" : "=v"(r) : "Yk"(mask), "v"(value));
  return r;
}
/// c, and a * b added with one rounding where the mask's bit is set.
HONE_SIMD_INLINE inline Vec<float> fused_where(LaneMask mask, Vec<float> a, Vec<float> b, Vec<float> c) {
  __asm__("vfmadd231ps %3, %2, %0%{%1%}" : "+v"(c) : "Yk"(mask), "v"(a), "v"(b));
  return c;
}
/// bfloat16 of `low` in half words 0 .. 15, of `high` in 16 .. 31; rounded to nearest even, denormals to zero.
HONE_SIMD_INLINE inline HalfWords narrow_both(Vec<float> low, Vec<float> high) {
  HalfWords r;
  __asm__("vcvtne2ps2bf16 %1, %2, %0" : "=v"(r) : "v"(low), "v"(high));
  return r;
}
/// from[index], half word by half word; `permuted_kept`: zero where the mask's bit is not set.
HONE_SIMD_INLINE inline HalfWords permuted(HalfWords from, HalfWords index) {
  HalfWords r;
  __asm__("vpermw %2, %1, %0" : "=v"(r) : "v"(index), "v"(from));
  return r;
}
HONE_SIMD_INLINE inline HalfWords permuted_kept(LaneMask mask, HalfWords from, HalfWords index) {
  HalfWords r;
  __asm__("vpermw %3, %2, %0%{%1%}%{z%}" : "=v"(r) : "Yk"(mask), "v"(index), "v"(from));
  return r;
}
/// Half words of a and b in turn: of the lower and of the upper half of each 128 bits.
HONE_SIMD_INLINE inline HalfWords unpacked_low(HalfWords a, HalfWords b) {
  HalfWords r;
  __asm__("vpunpcklwd %2, %1, %0" : "=v"(r) : "v"(a), "v"(b));
  return r;
}
HONE_SIMD_INLINE inline HalfWords unpacked_high(HalfWords a, HalfWords b) {
  HalfWords r;
  __asm__("vpunpckhwd %2, %1, %0" : "=v"(r) : "v"(a), "v"(b));
  return r;
}
/// a ^ b ^ c
HONE_SIMD_INLINE inline WideWords exclusive_or(WideWords a, WideWords b, WideWords c) {
  __asm__("vpternlogq $0x96, %2, %1, %0" : "+v"(a) : "v"(b), "vm"(c));
  return a;
}
/// The upper halves of lanes of 64 bits, in the lower ones; what is in the upper ones does not matter. A shuffle, not a
/// shift: shifts run where the products do.
HONE_SIMD_INLINE inline WideWords upper(WideWords a) {
  WideWords r;
  __asm__("vpshufd $0xF5, %1, %0" : "=v"(r) : "v"(a));
  return r;
}
/// Lanes of 64 bits: the products of the lower halves.
HONE_SIMD_INLINE inline WideWords multiplied(WideWords a, WideWords b) {
  WideWords r;
  __asm__("vpmuludq %2, %1, %0" : "=v"(r) : "v"(a), "v"(b));
  return r;
}

#else

inline float without_denormals(float x) {
  return std::fabs(x) < std::numeric_limits<float>::min() ? std::copysign(0.0f, x) : x;
}
HONE_SIMD_INLINE inline Vec<float> fused(Vec<float> a, Vec<float> b, Vec<float> c) {
  for (int i = 0; i < lanes<float>; ++i) a[i] = std::fma(a[i], b[i], c[i]);
  return a;
}
HONE_SIMD_INLINE inline Vec<float> product(Vec<float> a, Vec<float> b) { return a * b; }
HONE_SIMD_INLINE inline Vec<float> fraction(Vec<float> x) {
  for (int i = 0; i < lanes<float>; ++i) {
    if (std::isinf(x[i])) {
      x[i] = 0.0f;
      continue;
    }
    double const exact = static_cast<double>(x[i]) - std::floor(static_cast<double>(x[i]));
    float const near = static_cast<float>(exact);
    x[i] = static_cast<double>(near) > exact || near == 1.0f ? std::nextafter(near, 0.0f) : near;
  }
  return x;
}
HONE_SIMD_INLINE inline Vec<float> scaled(Vec<float> a, Vec<float> b) {
  for (int i = 0; i < lanes<float>; ++i) {
    float const whole = std::floor(std::fmin(std::fmax(b[i], -1000.0f), 1000.0f));  // a NaN in b is one in a too
    a[i] = std::ldexp(a[i], static_cast<int>(whole));
  }
  return a;
}
HONE_SIMD_INLINE inline LaneMask halves_at_least(Words words, Words bound) {
  HalfWords const a = reinterpret_cast<HalfWords>(words), b = reinterpret_cast<HalfWords>(bound);
  LaneMask mask = 0;
  for (int i = 0; i < 2 * lanes<float>; ++i) mask |= LaneMask{a[i] >= b[i]} << i;
  return mask;
}
HONE_SIMD_INLINE inline LaneMask words_at_least(Words words, Words bound) {
  LaneMask mask = 0;
  for (int i = 0; i < lanes<float>; ++i) mask |= LaneMask{words[i] >= bound[i]} << i;
  return mask;
}
HONE_SIMD_INLINE inline LaneMask lanes_above(Vec<float> a, Vec<float> b) {
  LaneMask mask = 0;
  for (int i = 0; i < lanes<float>; ++i) mask |= LaneMask{a[i] > b[i]} << i;
  return mask;
}
HONE_SIMD_INLINE inline Vec<float> difference_or(LaneMask mask, Vec<float> a, Vec<float> b, Vec<float> other) {
  for (int i = 0; i < lanes<float>; ++i)
    if (mask >> i & 1) other[i] = a[i] - b[i];
  return other;
}
HONE_SIMD_INLINE inline Vec<float> kept(LaneMask mask, Vec<float> value) {
  for (int i = 0; i < lanes<float>; ++i)
    if (!(mask >> i & 1)) value[i] = 0.0f;
  return value;
}
HONE_SIMD_INLINE inline Vec<float> fused_where(LaneMask mask, Vec<float> a, Vec<float> b, Vec<float> c) {
  for (int i = 0; i < lanes<float>; ++i)
    if (mask >> i & 1) c[i] = std::fma(a[i], b[i], c[i]);
  return c;
}
HONE_SIMD_INLINE inline HalfWords narrow_both(Vec<float> low, Vec<float> high) {
  HalfWords r{};
  for (int i = 0; i < lanes<float>; ++i) {
    r[i] = bfloat16(without_denormals(low[i])).bits;
    r[i + lanes<float>] = bfloat16(without_denormals(high[i])).bits;
  }
  return r;
}
HONE_SIMD_INLINE inline HalfWords permuted_kept(LaneMask mask, HalfWords from, HalfWords index) {
  HalfWords r{};
  for (int i = 0; i < 2 * lanes<float>; ++i)
    if (mask >> i & 1) r[i] = from[index[i]];
  return r;
}
HONE_SIMD_INLINE inline HalfWords permuted(HalfWords from, HalfWords index) { return permuted_kept(~0u, from, index); }
HONE_SIMD_INLINE inline HalfWords unpacked_low(HalfWords a, HalfWords b) {
  HalfWords r{};
  for (int i = 0; i < lanes<float>; ++i) {
    r[2 * i] = a[i / 4 * 8 + i % 4];
    r[2 * i + 1] = b[i / 4 * 8 + i % 4];
  }
  return r;
}
HONE_SIMD_INLINE inline HalfWords unpacked_high(HalfWords a, HalfWords b) {
  HalfWords r{};
  for (int i = 0; i < lanes<float>; ++i) {
    r[2 * i] = a[i / 4 * 8 + 4 + i % 4];
    r[2 * i + 1] = b[i / 4 * 8 + 4 + i % 4];
  }
  return r;
}
HONE_SIMD_INLINE inline WideWords exclusive_or(WideWords a, WideWords b, WideWords c) { return a ^ b ^ c; }
HONE_SIMD_INLINE inline WideWords upper(WideWords a) { return a >> 32; }
HONE_SIMD_INLINE inline WideWords multiplied(WideWords a, WideWords b) { return (a & 0xFFFFFFFFu) * (b & 0xFFFFFFFFu); }

#endif

}  // namespace hone::detail::HONE_SIMD
