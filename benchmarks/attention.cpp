// Attention at the lengths of IMDB reviews, 12 heads of 32 (MiniLM) and 64 (bert-base), in float and in bfloat16, without
// and with dropout; cls: one query for each sequence, as the last block has.
//
//   build/benchmarks/attention
//
// ns/pair is a core's time for one query with one key of one head; floor_ns/pair what the products take at the measured peak
// and the vector instructions that no scheme can do without (Philox, exp, rounding) at the measured rate, one after the
// other: what is below it runs tiles and vector units side by side.
#include "peak.hpp"

namespace {

using namespace hone;

template <class P>
struct Batch {
  using T = ActivationOf<P>;
  Index tokens = 0, rows = 0, heads, width;
  std::vector<std::int32_t> key_offsets{0}, query_offsets{0};
  double pairs = 0, scale;
  std::vector<T> qkv, y, dy, dqkv;
  std::vector<float> lse, delta;
  Dropout dropout;

  Batch(std::vector<Index> const& lengths, Index h, Index e, double p, bool cls = false)
      : heads(h), width(h * e), scale(1 / std::sqrt(double(e))) {
    for (Index const length : lengths) {
      tokens += length;
      rows += cls ? 1 : length;
      key_offsets.push_back(static_cast<std::int32_t>(tokens));
      query_offsets.push_back(static_cast<std::int32_t>(rows));
      pairs += static_cast<double>(h * length * (cls ? 1 : length));
    }
    auto const random = [](Index count, std::uint64_t seed) {
      std::vector<float> const values = bench::random_values(count, seed);
      std::vector<T> result(values.size());
      for (std::size_t i = 0; i < values.size(); ++i) result[i] = static_cast<T>(values[i]);
      return result;
    };
    qkv = random(tokens * 3 * width, 1);
    dy = random(rows * width, 2);
    y.resize(dy.size());
    dqkv.resize(qkv.size());
    lse.resize(static_cast<std::size_t>(rows * heads));
    delta = lse;
    dropout = DropoutKey{true, 1, 1}.site(DropoutSite::attention, 0, p);
  }
  MatrixView<T> part(std::vector<T>& of, Index i) {
    return {of.data() + i * width, i == 0 ? rows : tokens, width, 3 * width};
  }
  template <class U>
  MatrixView<U> of_queries(std::vector<U>& of) {
    return {of.data(), rows, static_cast<Index>(of.size()) / rows};
  }
  static VectorView<std::int32_t const> view(std::vector<std::int32_t> const& of) {
    return {of.data(), static_cast<Index>(of.size())};
  }

  template <class B>
  void forward(HostContext& context) {
    run<B>(context, AttentionForward<P>{part(qkv, 0), part(qkv, 1), part(qkv, 2), view(query_offsets), view(key_offsets),
                                        heads, scale, dropout, 0, of_queries(y), of_queries(lse)});
  }
  template <class B>
  void backward(HostContext& context) {
    run<B>(context, AttentionBackward<P>{part(qkv, 0), part(qkv, 1), part(qkv, 2), of_queries(y), of_queries(dy),
                                         of_queries(lse), view(query_offsets), view(key_offsets), heads, scale, dropout, 0,
                                         of_queries(delta), part(dqkv, 0), part(dqkv, 1), part(dqkv, 2)});
  }
};

template <class T>
std::vector<float> as_float(std::vector<T> const& values) {
  return {values.begin(), values.end()};
}

/// What one pair takes at least. Vector instructions for 16 pairs: exp 7, sum, maximum and rounding 3; backward 7 more;
/// Philox 12 a round of 128 pairs, seven and a half rounds.
template <class P>
double floor_seconds(HostContext& context, Index width, bool backward, bool drops) {
  double const lanes = 16, instructions = (backward ? 17 : 10) + (drops ? 12 * 7.5 / 8 + 1 : 0);
  double const flops = bench::peak_flops(context);  // two for each lane of an instruction
  return static_cast<double>((backward ? 10 : 4) * width) / bench::peak_product_flops<P>(context) +
         instructions / lanes * 2 * lanes / flops;
}

template <class P>
void attention(benchmark::State& state, bool backward, bool cls) {
  HostContext context;
  Index const width = state.range(0);
  double const p = static_cast<double>(state.range(1)) / 100;
  Batch<P> got({40, 3, 70}, 2, width, p, cls), expected = got;
  got.template forward<Cpu<P>>(context);
  got.template backward<Cpu<P>>(context);
  expected.template forward<Reference<P>>(context);
  expected.template backward<Reference<P>>(context);
  // Both round products' inputs and results to the format.
  double const tolerance = std::is_same_v<P, mixed> ? 2 * machine_epsilon<bfloat16> : 1e-4;
  if (!(bench::difference(as_float(got.y), as_float(expected.y)) < tolerance) ||
      !(bench::difference(as_float(got.dqkv), as_float(expected.dqkv)) < tolerance))
    return state.SkipWithError("the result is not the reference's");

  Batch<P> batch(bench::review_lengths, 12, width, p, cls);
  double const peak = bench::peak_product_flops<P>(context);
  double const least = floor_seconds<P>(context, width, backward, p > 0);
  batch.template forward<Cpu<P>>(context);
  double const flops = static_cast<double>((backward ? 10 : 4) * width) * batch.pairs;
  bench::measure(state, "FLOP", flops, peak, [&] {
    if (backward)
      batch.template backward<Cpu<P>>(context);
    else
      batch.template forward<Cpu<P>>(context);
  });
  double const seconds = flops / state.counters["FLOP/s/core"] / batch.pairs;
  state.counters["ns/pair"] = 1e9 * seconds;
  state.counters["floor_ns/pair"] = 1e9 * least;
}

void attention_fp32(benchmark::State& state, bool backward, bool cls) { attention<fp32>(state, backward, cls); }
void attention_mixed(benchmark::State& state, bool backward, bool cls) { attention<mixed>(state, backward, cls); }

void shapes(benchmark::internal::Benchmark* b) {
  b->ArgsProduct({{32, 64}, {0, 10}})->ArgNames({"head_width", "dropout_percent"});
  b->UseRealTime()->Unit(benchmark::kMillisecond)->MinTime(0.3);
}

BENCHMARK_CAPTURE(attention_fp32, forward, false, false)->Apply(shapes);
BENCHMARK_CAPTURE(attention_fp32, backward, true, false)->Apply(shapes);
BENCHMARK_CAPTURE(attention_mixed, forward, false, false)->Apply(shapes);
BENCHMARK_CAPTURE(attention_mixed, backward, true, false)->Apply(shapes);
BENCHMARK_CAPTURE(attention_mixed, forward_cls, false, true)->Apply(shapes);
BENCHMARK_CAPTURE(attention_mixed, backward_cls, true, true)->Apply(shapes);

}  // namespace

BENCHMARK_MAIN();
