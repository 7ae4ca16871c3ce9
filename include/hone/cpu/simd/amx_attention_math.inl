// What attention on tiles computes: exponentials, logarithms and masks.
namespace hone::detail::HONE_SIMD {

/// body(0), ..., body(count - 1), the argument a constant for the compiler where `written_out`.
template <int count, bool written_out = true, class Body>
HONE_SIMD_INLINE inline void each(Body const& body) {
  if constexpr (written_out)
    [&]<int... i>(std::integer_sequence<int, i...>) HONE_SIMD_INLINE { (body(std::integral_constant<int, i>{}), ...); }
  (std::make_integer_sequence<int, count>{});
  else HONE_UNROLL for (int i = 0; i < count; ++i) body(i);
}

/// 2^x, relative error at most 3e-6 (degree 4, Remez on [0, 1]), 0 for x < -150; NaN stays NaN. What follows is rounded to
/// bfloat16, whose steps are a thousand times as large.
HONE_SIMD_INLINE inline Vec<float> exponential2(Vec<float> x) {
  Vec<float> const f = fraction(x);
  Vec<float> p = splat(0.0135341678f);
  p = fused(p, f, splat(0.0520114601f));
  p = fused(p, f, splat(0.241442755f));
  p = fused(p, f, splat(0.693003833f));
  p = fused(p, f, splat(1.00000262f));
  return scaled(p, x);
}

/// log2(x) for normal positive x: exponent and ln(1 + f) / ln 2 with f in [-0.293, 0.414], a polynomial of degree 8 for
/// ln(1 + f) / f (Remez, relative error 3e-8). Absolute error at most 1e-7 and the rounding of the result. NaN stays NaN.
HONE_SIMD_INLINE inline Vec<float> logarithm2(Vec<float> x) {
  Words const bits = reinterpret_cast<Words>(x);
  Words const offset = bits - 0x3F3504F3u;  // sqrt(0.5), so that what is left lies in [sqrt(0.5), sqrt(2))
  Words const whole = offset & 0xFF800000u;
  Vec<float> exponent{}, f = reinterpret_cast<Vec<float>>(bits - whole) - 1.0f;
  for (int i = 0; i < lanes<float>; ++i) exponent[i] = static_cast<float>(static_cast<std::int32_t>(whole[i]) >> 23);
  Vec<float> p = splat(0.0872235969f);
  p = fused(p, f, splat(-0.143668458f));
  p = fused(p, f, splat(0.149522662f));
  p = fused(p, f, splat(-0.165623933f));
  p = fused(p, f, splat(0.199568331f));
  p = fused(p, f, splat(-0.250020742f));
  p = fused(p, f, splat(0.333341867f));
  p = fused(p, f, splat(-0.499999881f));
  p = fused(p, f, splat(1.0f));
  Vec<float> const result = fused(product(p, f), splat(1.44269504f), exponent);
  return x == x ? result : x;
}

/// Puts the two halves of narrow_both side by side: half words 0 16 1 17 ...
HONE_SIMD_INLINE inline HalfWords pairing() {
  HalfWords index{};
  for (int i = 0; i < 2 * lanes<float>; ++i) index[i] = static_cast<std::uint16_t>(i / 2 + i % 2 * lanes<float>);
  return index;
}

/// Attention's masks for 16 queries of one (sequence, head): the Philox words of eight keys at a time.
///
/// The counter is {head * 8192 + key / 8, query, example, step}: of the first two rounds and of half of the third all is
/// the same either for all queries or for all keys, and is computed once.
class MaskWords {
 public:
  /// What one step of Philox adds to the key, as lanes of 64 bits (of which the lower half counts).
  struct Keys {
    WideWords k0[10], k1[10];
    WideWords m0, m1;
    std::uint32_t first0, first1, second0, second1, third0, third1;
    Dropout dropout;
    std::uint32_t example;
  };
  HONE_TARGET static void prepare(Dropout const& dropout, std::uint32_t example, Keys& keys) {
    std::uint32_t k0 = dropout.key0, k1 = dropout.key1;
    for (int round = 0; round < 10; ++round, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u) {
      keys.k0[round] = WideWords{} + k0;
      keys.k1[round] = WideWords{} + k1;
    }
    keys.m0 = WideWords{} + multiplier0;
    keys.m1 = WideWords{} + multiplier1;
    keys.dropout = dropout;
    keys.example = example;
  }

  /// Rounds one and two as far as the queries go: queries `query` .. query + 15.
  HONE_TARGET void queries(Keys const& keys, std::uint32_t query) {
    std::uint64_t const p1 = std::uint64_t{multiplier1} * keys.example;
    for (int half = 0; half < 2; ++half) {
      WideWords lane{};
      for (int i = 0; i < lanes<double>; ++i) lane[i] = query + static_cast<std::uint32_t>(2 * i + half);
      product_[half] = multiplied((lane & 0xFFFFFFFFu) ^ (p1 >> 32) ^ keys.k0[0], keys.m0);
      product_high_[half] = (product_[half] >> 32) ^ keys.k1[1];
    }
  }

  static constexpr int rounds_beside = 7;
  /// words[v][w] holds for each query of masks[v] the random bits of keys 8 * group + 2 * w (lower half) and
  /// 8 * group + 2 * w + 1; `block` is head * 8192 + group. Several at once: each round waits for the one before.
  /// beside(0), ..., beside(rounds_beside - 1) are called between the rounds, with constants where `written_out`.
  template <int vectors, bool written_out, class Beside>
  HONE_SIMD_INLINE static void words(Keys const& keys, MaskWords const* masks, std::uint32_t block,
                                     Words (&words)[vectors][4], Beside const& beside) {
    std::uint64_t const a0 = std::uint64_t{multiplier0} * block;  // round one: the same for all queries
    std::uint64_t const a1 = std::uint64_t{multiplier1} * keys.example;
    std::uint32_t const n1 = static_cast<std::uint32_t>(a1);
    std::uint32_t const n2 = static_cast<std::uint32_t>(a0 >> 32) ^ keys.dropout.step ^ keys.dropout.key1;
    std::uint64_t const b1 = std::uint64_t{multiplier1} * n2;  // round two
    std::uint32_t const m0 = static_cast<std::uint32_t>(b1 >> 32) ^ n1 ^ (keys.dropout.key0 + 0x9E3779B9u);
    std::uint64_t const d0 = std::uint64_t{multiplier0} * m0;  // round three
    WideWords const n3 = WideWords{} + static_cast<std::uint32_t>(a0);
    WideWords const m1 = WideWords{} + static_cast<std::uint32_t>(b1);
    WideWords const d0_high = WideWords{} + (d0 >> 32), r3 = WideWords{} + static_cast<std::uint32_t>(d0);
    constexpr int parts = 2 * vectors;  // queries of even and of odd lanes
    WideWords c0[parts], c1[parts], c2[parts], c3[parts];
    HONE_UNROLL for (int i = 0; i < parts; ++i) {
      c1[i] = multiplied(masks[i / 2].product_high_[i % 2] ^ n3, keys.m1);
      c0[i] = exclusive_or(upper(c1[i]), m1, keys.k0[2]);
      c2[i] = exclusive_or(d0_high, masks[i / 2].product_[i % 2], keys.k1[2]);
      c3[i] = r3;
    }
    each<rounds_beside, written_out>([&](auto number) HONE_SIMD_INLINE {
      WideWords const k0 = keys.k0[3 + number], k1 = keys.k1[3 + number];
      HONE_UNROLL for (int i = 0; i < parts; ++i) {
        WideWords const p0 = multiplied(c0[i], keys.m0), p1 = multiplied(c2[i], keys.m1);
        c0[i] = exclusive_or(upper(p1), c1[i], k0);
        c2[i] = exclusive_or(upper(p0), c3[i], k1);
        c1[i] = p1;
        c3[i] = p0;
      }
      beside(number);
    });
    HONE_UNROLL for (int v = 0; v < vectors; ++v) {
      words[v][0] = together(c0[2 * v], c0[2 * v + 1]);
      words[v][1] = together(c1[2 * v], c1[2 * v + 1]);
      words[v][2] = together(c2[2 * v], c2[2 * v + 1]);
      words[v][3] = together(c3[2 * v], c3[2 * v + 1]);
    }
  }

 private:
  static constexpr std::uint32_t multiplier0 = 0xD2511F53u, multiplier1 = 0xCD9E8D57u;
  /// The lower halves of a's and b's lanes in turn.
  HONE_SIMD_INLINE static Words together(WideWords a, WideWords b) {
    return reinterpret_cast<Words>((a & 0xFFFFFFFFu) | (b << 32));
  }
  WideWords product_[2],
      product_high_[2];  // by the query's lowest bit; the first as it is, the second's high half with a key
};

}  // namespace hone::detail::HONE_SIMD
