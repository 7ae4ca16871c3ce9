// Attention at the lengths of IMDB reviews, 12 heads of 32 (MiniLM) and 64 (bert-base), without and with dropout.
//
//   build/benchmarks/attention
#include "peak.hpp"

namespace {

using namespace hone;

struct Batch {
  Index tokens = 0, heads, width;
  std::vector<std::int32_t> offsets{0};
  double squares = 0, scale;
  std::vector<float> qkv, y, dy, lse, delta, dqkv;
  Dropout dropout;

  Batch(std::vector<Index> const& lengths, Index h, Index e, double p)
      : heads(h), width(h * e), scale(1 / std::sqrt(double(e))) {
    for (Index const length : lengths) {
      tokens += length;
      offsets.push_back(static_cast<std::int32_t>(tokens));
      squares += static_cast<double>(length) * static_cast<double>(length);
    }
    qkv = bench::random_values(tokens * 3 * width, 1);
    dy = bench::random_values(tokens * width, 2);
    y.resize(dy.size());
    dqkv.resize(qkv.size());
    lse.resize(static_cast<std::size_t>(tokens * heads));
    delta = lse;
    dropout = DropoutKey{true, 1, 1}.site(DropoutSite::attention, 0, p);
  }
  MatrixView<float> part(std::vector<float>& of, Index i) { return {of.data() + i * width, tokens, width, 3 * width}; }
  MatrixView<float> rows(std::vector<float>& of) { return {of.data(), tokens, static_cast<Index>(of.size()) / tokens}; }
  VectorView<std::int32_t const> offset_view() const { return {offsets.data(), static_cast<Index>(offsets.size())}; }

  template <class B>
  void forward(HostContext& context) {
    run<B>(context, AttentionForward<fp32>{part(qkv, 0), part(qkv, 1), part(qkv, 2), offset_view(), offset_view(), heads,
                                           scale, dropout, 0, rows(y), rows(lse)});
  }
  template <class B>
  void backward(HostContext& context) {
    run<B>(context, AttentionBackward<fp32>{part(qkv, 0), part(qkv, 1), part(qkv, 2), rows(y), rows(dy), rows(lse),
                                            offset_view(), offset_view(), heads, scale, dropout, 0, rows(delta),
                                            part(dqkv, 0), part(dqkv, 1), part(dqkv, 2)});
  }
};

void attention(benchmark::State& state, bool backward) {
  HostContext context;
  Index const width = state.range(0);
  double const p = static_cast<double>(state.range(1)) / 100;
  Batch got({40, 3, 70}, 2, width, p), expected = got;
  got.forward<Cpu<fp32>>(context);
  got.backward<Cpu<fp32>>(context);
  expected.forward<Reference<fp32>>(context);
  expected.backward<Reference<fp32>>(context);
  if (!bench::agrees(state, got.y, expected.y) || !bench::agrees(state, got.dqkv, expected.dqkv)) return;

  Batch batch(bench::review_lengths, 12, width, p);
  double const peak = bench::peak_flops(context);
  batch.forward<Cpu<fp32>>(context);
  bench::measure(state, "FLOP", (backward ? 10 : 4) * static_cast<double>(batch.width) * batch.squares, peak, [&] {
    if (backward)
      batch.backward<Cpu<fp32>>(context);
    else
      batch.forward<Cpu<fp32>>(context);
  });
}

void shapes(benchmark::internal::Benchmark* b) {
  b->ArgsProduct({{32, 64}, {0, 10}})->ArgNames({"head_width", "dropout_percent"});
  b->UseRealTime()->Unit(benchmark::kMillisecond)->MinTime(0.3);
}

BENCHMARK_CAPTURE(attention, forward, false)->Apply(shapes);
BENCHMARK_CAPTURE(attention, backward, true)->Apply(shapes);

}  // namespace

BENCHMARK_MAIN();
