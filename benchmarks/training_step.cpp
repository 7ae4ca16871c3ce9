// A whole training step (forward, backward, clipping, AdamW) with dropout, at the lengths of IMDB reviews, in `mixed` and
// fp32.
//
//   build/benchmarks/training_step --benchmark_filter=minilm
//
// Reports real tokens a second, the arithmetic done, and its share of what all threads together could do at this moment in
// registers alone (AMX tiles or dot products for `mixed`, else multiply-adds). What is counted is all that a whole encoder
// needs, also where the last block does less: nobody reads more than [CLS] there. Before the clock starts, the step is checked: its
// loss is near ln 2 and falls within five steps on the same batch.
#include <chrono>
#include <cmath>
#include <type_traits>
#include <vector>

#include "hone/train/trainer.hpp"
#include "peak.hpp"

namespace {

using namespace hone;

struct Shape {
  Index width, heads, inner, layers;
};

data::Dataset random_reviews(Index vocabulary) {
  data::Dataset data;
  data.labels = {{"is_positive", {}}, {"star_rating", {}}};
  PhiloxStream random(1, 2);
  for (std::size_t i = 0; i < bench::review_lengths.size(); ++i) {
    std::vector<std::int32_t> tokens;
    for (Index t = 0; t < bench::review_lengths[i]; ++t)
      tokens.push_back(std::int32_t(random.below(std::uint64_t(vocabulary))));
    data.tokens.push_back(tokens);
    data.sources.push_back("random/" + std::to_string(i));
    data.texts.push_back("");
    data.labels[0].values.push_back(double(i % 2));
    data.labels[1].values.push_back(i % 2 ? 8 : 3);
  }
  return data;
}

template <class P>
void training_step(benchmark::State& state, Shape const& shape) {
  BertConfig config;
  config.vocab_size = 30522;
  config.hidden_size = shape.width;
  config.num_attention_heads = shape.heads;
  config.intermediate_size = shape.inner;
  config.num_hidden_layers = shape.layers;
  config.max_position_embeddings = 512;
  auto model = BertClassifier<Cpu<P>>::from_config(config);
  Recipe<> recipe;
  recipe.losses.weights = {1, 0.02};
  Trainer trainer{model, TrainerOptions{.learning_rate = 2e-5}, recipe};
  auto const data = random_reviews(config.vocab_size);
  auto const labels = labels_for<SentimentAndStars>(data);
  std::vector<std::size_t> rows(data.size());
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = i;

  double const first = trainer.step(data, labels, rows, 100).losses[0].second;
  double last = first;
  for (int i = 0; i < 4; ++i) last = trainer.step(data, labels, rows, 100).losses[0].second;
  if (!(std::abs(first - std::log(2.0)) < 0.5) || !(last < first)) {
    state.SkipWithError("the step is wrong: its loss is not near ln 2, or does not fall");
    return;
  }
  double tokens = 0, square = 0;
  for (Index const n : bench::review_lengths) tokens += double(n), square += double(n) * double(n);
  double const width = double(shape.width), inner = double(shape.inner);
  double const flops = 3 * double(shape.layers) * (tokens * (8 * width * width + 4 * width * inner) + 4 * width * square);
  HostContext context;
  double const peak = bench::peak_product_flops<P>(context) * context.threads();
  auto const start = std::chrono::steady_clock::now();
  for (auto _ : state) benchmark::DoNotOptimize(trainer.step(data, labels, rows, 100));
  double const seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  using Counter = benchmark::Counter;
  state.counters["tokens/s"] = Counter(tokens * double(state.iterations()), Counter::kIsRate);
  state.counters["FLOP/s"] = Counter(flops * double(state.iterations()), Counter::kIsRate);
  state.counters["share_of_peak"] = flops * double(state.iterations()) / seconds / peak;
}

void in_fp32(benchmark::State& state, Shape const& shape) { training_step<fp32>(state, shape); }
void in_mixed(benchmark::State& state, Shape const& shape) { training_step<mixed>(state, shape); }

constexpr Shape minilm{384, 12, 1536, 6}, bert_base{768, 12, 3072, 12};
BENCHMARK_CAPTURE(in_mixed, minilm, minilm)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK_CAPTURE(in_fp32, minilm, minilm)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK_CAPTURE(in_mixed, bert_base, bert_base)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK_CAPTURE(in_fp32, bert_base, bert_base)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace

BENCHMARK_MAIN();
