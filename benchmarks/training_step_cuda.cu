// Speed of training and evaluation on a GPU: a JSON object a line, for gpu.sh. Each figure is checked before it is timed.
//
//   training_step_cuda [--device N] [--steps N] [--reviews N]
//
// Shapes are bert-base's (12 blocks of width 768) and all-MiniLM-L6-v2's. Lengths: 16 reviews like IMDB's (quantiles, cut at
// 512 tokens, mean 281), and 16 of 512. Beside each step: tokens a second, FLOP/s of its products and attention, and its
// share of what one large product and one large copy reach on this device in this run.
#include <hone/cuda.cuh>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

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

/// The median of `count` timings of body(), each ended by a synchronisation, in seconds.
template <class Body>
double median_seconds(CudaContext& context, int count, Body const& body) {
  std::vector<double> times;
  for (int i = 0; i < count; ++i) {
    context.synchronize();
    auto const begin = Clock::now();
    body();
    context.synchronize();
    times.push_back(seconds_since(begin));
  }
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

void print(nlohmann::ordered_json const& line) {
  std::printf("%s\n", line.dump().c_str());
  std::fflush(stdout);
}

/// What the device reaches at most: a product of 8192 x 8192 x 8192 in bf16, a copy of 1 GiB.
struct Peaks {
  double flops = 0, bytes = 0;
};
Peaks measure_peaks(CudaContext& context) {
  using B = Cuda<mixed>;
  Index const n = 8192;
  Buffer<B, bfloat16> a(context, n * n), b(context, n * n), c(context, n * n);
  for (auto* buffer : {&a, &b}) context.for_each(n * n, detail::FillNoise<bfloat16>{buffer->data()});
  auto const multiply = [&] {
    MatrixView<bfloat16 const> const x{a.data(), n, n}, weight{b.data(), n, n};
    run<B>(context, LinearForward<mixed>{x, weight, {}, MatrixView<bfloat16>{c.data(), n, n}});
  };
  multiply();
  double const cube = double(n) * double(n) * double(n);
  Peaks peaks;
  peaks.flops = 2 * cube / median_seconds(context, 20, multiply);
  Index const bytes = Index(1) << 30;
  Buffer<B, std::byte> from(context, bytes), to(context, bytes);
  from.fill_zero();
  auto const copy = [&] {
    detail::check_cuda(
        cudaMemcpyAsync(to.data(), from.data(), std::size_t(bytes), cudaMemcpyDeviceToDevice, context.stream()),
        "cudaMemcpyAsync");
  };
  copy();
  peaks.bytes = 2 * double(bytes) / median_seconds(context, 20, copy);
  return peaks;
}

template <class P>
using Model = BertClassifier<Cuda<P>>;

/// One training step: with dropout, clipping and AdamW, from the host's tokens to the losses on the host.
template <class P>
bool training(Shape const& shape, char const* lengths_name, std::vector<Index> const& lengths, CudaOptions const& options,
              int steps, Peaks const& peaks) {
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

  double const seconds = median_seconds(model.context(), steps, [&] { trainer.step(data, labels, rows, 1000); });
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
  line["right"] = right;
  print(line);
  return right;
}

/// 25,000 reviews with IMDB's lengths, in batches of `batch`, by length as evaluate() sorts them.
template <class P>
void evaluation(Shape const& shape, CudaOptions const& options, Index reviews, Index batch) {
  auto model = Model<P>::from_config(config_of(shape), {}, {.backend = options, .seed = 0, .dropout = {}});
  std::vector<Index> lengths;
  for (Index i = 0; i < reviews; ++i) lengths.push_back(imdb_lengths[std::size_t(i) % imdb_lengths.size()]);
  auto const data = random_reviews(28996, lengths);
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
  Peaks peaks;
  {
    CudaContext context(options);
    peaks = measure_peaks(context);
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
