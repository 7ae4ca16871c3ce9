// Speed of training and evaluation on a GPU: a JSON object a line, for gpu.sh. Each figure is checked before it is timed.
//
//   training_step_cuda [--device N] [--steps N] [--reviews N]
//
// Shapes are bert-base's (12 blocks of width 768) and all-MiniLM-L6-v2's. Lengths: 16 reviews like IMDB's (quantiles, cut at
// 512 tokens, mean 281), and 16 of 512. Beside each step: tokens a second, FLOP/s of its products and attention, and its
// share of what one large product and one large copy reach on this device in this run. Then every kernel of a step alone
// (kernels_cuda.cuh), training on batches of all sizes, and the evaluation of 25,000 reviews.
#include <hone/cuda/backend.cuh>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "hone/train/evaluate.hpp"
#include "hone/train/trainer.hpp"
#include "hone/version.hpp"
#include "kernels_cuda.cuh"

namespace {

using namespace hone;
using Clock = std::chrono::steady_clock;

struct Shape {
  char const* name;
  Index width, heads, inner, layers;
};

std::vector<Index> const imdb_lengths = {71, 118, 142, 158, 169, 179, 192, 209, 231, 260, 298, 348, 421, 512, 512, 512};

data::Dataset random_reviews(Index vocabulary, std::vector<Index> const& lengths) {
  data::Dataset data;
  data.labels = {{"is_positive", {}}, {"star_rating", {}}};
  PhiloxStream random(1, 2);
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    std::vector<std::int32_t> tokens;
    for (Index t = 0; t < lengths[i]; ++t) tokens.push_back(std::int32_t(random.below(std::uint64_t(vocabulary))));
    data.tokens.push_back(tokens);
    data.sources.push_back("random/" + std::to_string(i));
    data.texts.push_back("");
    data.labels[0].values.push_back(double(i % 2));
    data.labels[1].values.push_back(i % 2 ? 8 : 3);
  }
  return data;
}

/// Lengths between the quantiles of `imdb_lengths`, each as likely as any other.
std::vector<Index> spread_lengths(Index count) {
  std::vector<Index> lengths;
  PhiloxStream random(3, 4);
  for (Index i = 0; i < count; ++i) {
    double const at = random.uniform() * double(imdb_lengths.size() - 1);
    auto const low = std::size_t(at);
    double const share = at - double(low);
    lengths.push_back(Index((1 - share) * double(imdb_lengths[low]) + share * double(imdb_lengths[low + 1])));
  }
  return lengths;
}

BertConfig config_of(Shape const& shape) {
  BertConfig config;
  config.vocab_size = 28996;
  config.hidden_size = shape.width;
  config.num_attention_heads = shape.heads;
  config.intermediate_size = shape.inner;
  config.num_hidden_layers = shape.layers;
  config.max_position_embeddings = 512;
  return config;
}

/// FLOPs of a forward pass; a training step is three.
double forward_flops(Shape const& shape, std::vector<Index> const& lengths) {
  double tokens = 0, square = 0;
  for (Index const n : lengths) tokens += double(n), square += double(n) * double(n);
  double const width = double(shape.width), inner = double(shape.inner);
  return double(shape.layers) * (tokens * (8 * width * width + 4 * width * inner) + 4 * width * square);
}

double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

void print(nlohmann::ordered_json const& line) {
  std::printf("%s\n", line.dump().c_str());
  std::fflush(stdout);
}

template <class P>
using Model = BertClassifier<Cuda<P>>;

/// One training step: with dropout, clipping and AdamW, from the host's tokens to the losses on the host.
template <class P>
bool training(Shape const& shape, char const* lengths_name, std::vector<Index> const& lengths, CudaOptions const& options,
              int steps, benchmarks::Peaks const& peaks) {
  auto model = Model<P>::from_config(config_of(shape), {}, {.backend = options, .seed = 0, .dropout = {}});
  Recipe<> recipe;
  recipe.losses.weights = {1, 0.02};
  Trainer trainer{model, TrainerOptions{.learning_rate = 2e-5}, recipe};
  auto const data = random_reviews(28996, lengths);
  auto const labels = labels_for<SentimentAndStars>(data);
  std::vector<std::size_t> rows(data.size());
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = i;

  auto const warm_begin = Clock::now();
  double const first = trainer.step(data, labels, rows, 1000).losses[0].second;
  double const first_seconds = seconds_since(warm_begin);
  double last = first;
  for (int i = 0; i < 7; ++i) last = trainer.step(data, labels, rows, 1000).losses[0].second;
  bool const right = std::abs(first - std::log(2.0)) < 0.5 && last < first;
  if (!right) std::fprintf(stderr, "%s: the step is wrong: loss %g, then %g\n", shape.name, first, last);

  double const seconds = benchmarks::median_seconds(model.context(), steps, [&] { trainer.step(data, labels, rows, 1000); });
  double tokens = 0;
  for (Index const n : lengths) tokens += double(n);
  double const flops = 3 * forward_flops(shape, lengths);
  nlohmann::ordered_json line;
  line["what"] = "training_step";
  line["model"] = shape.name;
  line["precision"] = P::name;
  line["lengths"] = lengths_name;
  line["ms"] = seconds * 1e3;
  line["reviews_per_s"] = double(lengths.size()) / seconds;
  line["tokens_per_s"] = tokens / seconds;
  line["tflops"] = flops / seconds / 1e12;
  line["share_of_peak"] = flops / seconds / peaks.flops;
  line["memory_mib"] = double(model.context().peak_bytes()) / (1 << 20);
  line["first_step_s"] = first_seconds;
  line["graphs"] = detail::to_json(model.context().graph_counts());
  line["right"] = right;
  print(line);
  return right;
}

/// Training as a program does it: batches of 16 of reviews in a random order, so that every step has another size, made one
/// ahead and copied from pinned memory; graphs by bucket. The median step of the last three quarters.
template <class P>
void fitting(Shape const& shape, CudaOptions const& options, int steps) {
  auto model = Model<P>::from_config(config_of(shape), {}, {.backend = options, .seed = 0, .dropout = {}});
  Recipe<> recipe;
  recipe.losses.weights = {1, 0.02};
  Index const all = 4 * steps;
  Trainer trainer{model, TrainerOptions{.learning_rate = 2e-5, .num_steps = all}, recipe};
  auto const data = random_reviews(28996, spread_lengths(16 * all));
  std::vector<double> times;
  Index tokens = 0;
  trainer.fit(data, [&](StepReport const& step) {
    if (step.step <= steps) return;
    times.push_back(step.seconds);
    tokens += step.tokens;
  });
  double sum = 0;
  for (double const time : times) sum += time;
  std::sort(times.begin(), times.end());
  nlohmann::ordered_json line;
  line["what"] = "training";
  line["model"] = shape.name;
  line["precision"] = P::name;
  line["lengths"] = options.graphs ? "imdb, all sizes, graphs" : "imdb, all sizes, no graphs";
  line["ms"] = times[times.size() / 2] * 1e3;
  line["mean_ms"] = sum / double(times.size()) * 1e3;
  line["tokens_per_s"] = double(tokens) / sum;
  line["memory_mib"] = double(model.context().peak_bytes()) / (1 << 20);
  line["graphs"] = detail::to_json(model.context().graph_counts());
  print(line);
}

/// 25,000 reviews with IMDB's lengths, in batches of `batch`, by length as evaluate() sorts them.
template <class P>
void evaluation(Shape const& shape, CudaOptions const& options, Index reviews, Index batch) {
  auto model = Model<P>::from_config(config_of(shape), {}, {.backend = options, .seed = 0, .dropout = {}});
  auto const data = random_reviews(28996, spread_lengths(reviews));
  EvaluationOptions evaluation_options;
  evaluation_options.batch_size = batch;
  WeightedSum<CrossEntropy, L1> const losses{{1, 0.02}};
  evaluate(model, data, losses, evaluation_options);  // once to choose algorithms
  auto const begin = Clock::now();
  auto const tested = evaluate(model, data, losses, evaluation_options);
  double const seconds = seconds_since(begin);
  nlohmann::ordered_json line;
  line["what"] = "evaluation";
  line["model"] = shape.name;
  line["precision"] = P::name;
  line["reviews"] = reviews;
  line["batch"] = batch;
  line["s"] = seconds;
  line["reviews_per_s"] = double(reviews) / seconds;
  line["tokens_per_s"] = double(tested.tokens) / seconds;
  line["memory_mib"] = double(model.context().peak_bytes()) / (1 << 20);
  line["accuracy_by_chance"] = tested.accuracy();
  print(line);
}

int option(int argc, char** argv, char const* name, int otherwise) {
  for (int i = 1; i + 1 < argc; ++i)
    if (std::strcmp(argv[i], name) == 0) return std::atoi(argv[i + 1]);
  return otherwise;
}

int benchmark(int argc, char** argv) {
  CudaOptions options;
  options.device = option(argc, argv, "--device", 0);
  int const steps = std::max(1, option(argc, argv, "--steps", 50));
  Index const reviews = std::max(1, option(argc, argv, "--reviews", 25000));
  benchmarks::Peaks peaks;
  {
    CudaContext context(options);
    peaks = benchmarks::measure_peaks(context);
    nlohmann::ordered_json line;
    line["what"] = "device";
    line["device"] = context.about();
    line["peak_bf16_tflops"] = peaks.flops / 1e12;
    line["peak_copy_tb_per_s"] = peaks.bytes / 1e12;
    line["hone"] = version;
    print(line);
  }
  Shape const base{"bert-base", 768, 12, 3072, 12}, minilm{"minilm", 384, 12, 1536, 6};
  std::vector<Index> const full(16, 512);
  bool right = true;
  for (Shape const& shape : {base, minilm}) {
    right = training<mixed>(shape, "imdb", imdb_lengths, options, steps, peaks) && right;
    right = training<mixed>(shape, "16x512", full, options, steps, peaks) && right;
  }
  right = training<fp32>(base, "imdb", imdb_lengths, options, std::max(1, steps / 5), peaks) && right;
  CudaOptions without_graphs = options;
  without_graphs.graphs = false;
  for (Shape const& shape : {base, minilm}) {
    fitting<mixed>(shape, options, steps);
    fitting<mixed>(shape, without_graphs, steps);
  }
  for (auto const& [name, lengths] : {std::pair{"imdb", imdb_lengths}, std::pair{"16x512", full}}) {
    CudaContext context(options);
    right =
        benchmarks::time_kernels(context, {name, lengths, base.width, base.heads, base.inner, 28996}, peaks, print) && right;
  }
  evaluation<mixed>(base, options, reviews, 256);
  evaluation<mixed>(minilm, options, reviews, 256);
  return right ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return benchmark(argc, argv);
  } catch (std::exception const& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
