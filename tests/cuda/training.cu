// Whole training steps on a device: against the host, against themselves, and as a graph.
#include "cuda/device.hpp"

#include "hone/train/memory_plan.hpp"
#include "hone/train/trainer.hpp"
#include "support/small_bert.hpp"

namespace {

using namespace hone;

/// A model that is trained step by step, with dropout and clipping.
template <class B>
struct Training {
  BertClassifier<B> model;
  AdamW optimizer{};
  typename AdamW::template State<B> state;
  ClipState<B> clip;
  test::LabelledBatch const examples = test::random_batch({30, 3, 40, 1, 7, 7, 19, 2, 25}, 20);

  explicit Training(typename B::Options options = {})
      : model(BertClassifier<B>::from_config(test::small_config(), {}, {.backend = options, .seed = 4, .dropout = {}})),
        state(optimizer.init<B>(model.context(), model.parameters())),
        clip(model.context(), model.parameters()) {}

  /// Everything of a step but the losses' way back to the host.
  void run(std::uint64_t step) {
    model.begin_step(9);
    for (Index const first : {0, 5}) {
      auto const some = test::part(examples, first, first == 0 ? 5 : 4);
      model.accumulate(some.batch, some.labels, test::SentimentLosses{{1, 0.02}}, {true, 6, step});
    }
    model.end_step();
    GlobalNormClip{1.0}.apply<B>(model.context(), model.parameters(), clip);
    optimizer.step<B>(model.context(), model.parameters(), state, clip.scale(), 1e-3);
  }
  /// Every head's losses, one after the other.
  std::vector<double> losses() {
    std::vector<double> all;
    for (auto const& of_head : model.step_results().losses) all.insert(all.end(), of_head.begin(), of_head.end());
    return all;
  }
};

/// The largest difference, as a part of the largest value.
double difference(std::vector<double> const& a, std::vector<double> const& b) {
  REQUIRE(a.size() == b.size());
  double most = 0, scale = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    REQUIRE(std::isfinite(a[i]));
    most = std::max(most, std::abs(a[i] - b[i]));
    scale = std::max(scale, std::abs(b[i]));
  }
  return most / scale;
}

template <template <class> class Op, class P>
void on_rung(char const* op, std::string_view expected) {
  auto const rung = RungOf<Cuda<P>, Op<P>>::name;
  std::printf("%-26s %-5s %s\n", op, P::name.data(), rung.data());
  INFO(op << " in " << P::name);
  CHECK(rung == expected);
}

template <class P>
void check_rungs() {
  on_rung<LinearForward, P>("LinearForward", "cublaslt");
  on_rung<LinearBackwardInput, P>("LinearBackwardInput", "cublaslt");
  on_rung<LinearBackwardParameters, P>("LinearBackwardParameters", "cublaslt");
  on_rung<ActivationForward, P>("ActivationForward", "cuda");
  on_rung<ActivationBackward, P>("ActivationBackward", "cuda");
  on_rung<AttentionForward, P>("AttentionForward", "cuda");
  on_rung<AttentionBackward, P>("AttentionBackward", "cuda");
  on_rung<DropoutApply, P>("DropoutApply", "cuda");
  on_rung<EmbeddingForward, P>("EmbeddingForward", "cuda");
  on_rung<EmbeddingBackward, P>("EmbeddingBackward", "cuda");
  on_rung<ResidualNormForward, P>("ResidualNormForward", "cuda");
  on_rung<ResidualNormBackward, P>("ResidualNormBackward", "cuda");
  on_rung<GatherRows, P>("GatherRows", "cuda");
  on_rung<ScatterAddRows, P>("ScatterAddRows", "cuda");
  on_rung<SumOfSquares, P>("SumOfSquares", "cuda");
  on_rung<ClipScale, P>("ClipScale", "cuda");
  on_rung<AdamWStep, P>("AdamWStep", "cuda");
}

TEST_CASE("every operation runs on the rung that is meant for it") {
  check_rungs<mixed>();
  check_rungs<fp32>();
}

TEST_CASE("without a device the error says so, and what to do") {
  std::string const why = test::no_device();
  if (why.empty()) {
    SUCCEED("there is a device");
    return;
  }
  INFO(why);
  bool const numbered = why.find("[hone-E720]") == 0 || why.find("[hone-E721]") == 0 || why.find("[hone-E725]") == 0;
  CHECK(numbered);
  CHECK(why.find("Next: ") != std::string::npos);
  CHECK(cuda_info_text().find("no device can be used") != std::string::npos);
}

TEST_CASE("the first steps in float, with dropout, have the host's losses to rounding") {
  if (auto const why = test::no_device(); !why.empty()) HONE_SKIP(why.c_str());
  Training<Cuda<fp32>> device(CudaOptions{.threads = 1});
  Training<Cpu<fp32>> host(HostOptions{1});
  for (std::uint64_t step = 0; step < 3; ++step) {
    INFO("step " << step);
    device.run(step);
    host.run(step);
    // Sums of about 40 terms through ten layers; AdamW makes steps of 1e-3 of gradients that are mere rounding.
    CHECK(difference(device.losses(), host.losses()) < (step == 0 ? 2e-5 : 2e-3));
    CHECK(std::abs(device.clip.fetch_norm() / host.clip.fetch_norm() - 1) < (step == 0 ? 2e-5 : 2e-2));
  }
}

TEST_CASE("a step in mixed precision is near that in double") {
  if (auto const why = test::no_device(); !why.empty()) HONE_SKIP(why.c_str());
  Training<Cuda<mixed>> device(CudaOptions{.threads = 1});
  Training<Reference<fp64>> host(HostOptions{1});
  device.run(0);
  host.run(0);
  CHECK(difference(device.losses(), host.losses()) < 0.05);
  CHECK(std::abs(device.clip.fetch_norm() / host.clip.fetch_norm() - 1) < 0.1);
}

template <class P>
void check_repeats() {
  INFO(P::name);
  std::string algorithms;
  std::string const one = [&] {
    Training<Cuda<P>> training(CudaOptions{.threads = 1});
    for (std::uint64_t step = 0; step < 5; ++step) training.run(step);
    algorithms = training.model.context().algorithms();
    return test::weights_hash(training.model);
  }();
  Training<Cuda<P>> training(CudaOptions{.threads = 1});
  REQUIRE(training.model.context().use_algorithms(algorithms) > 0);
  for (std::uint64_t step = 0; step < 5; ++step) training.run(step);
  CHECK(test::weights_hash(training.model) == one);
  CHECK(training.model.context().algorithms() == algorithms);  // nothing was chosen anew
  training.run(5);
  CHECK(test::weights_hash(training.model) != one);
}

TEST_CASE("the same seed and algorithms give the same bits") {
  if (auto const why = test::no_device(); !why.empty()) HONE_SKIP(why.c_str());
  check_repeats<fp32>();
  check_repeats<mixed>();
}

TEST_CASE("a step like the one before takes no memory and waits for nothing: it can be captured as a graph") {
  if (auto const why = test::no_device(); !why.empty()) HONE_SKIP(why.c_str());
  Training<Cuda<mixed>> training(CudaOptions{.threads = 1});
  training.run(0);
  training.run(1);
  auto& context = training.model.context();
  context.synchronize();
  std::size_t const bytes = context.bytes(), peak = context.peak_bytes();
  cudaGraph_t graph = nullptr;
  REQUIRE(cudaStreamBeginCapture(context.stream(), cudaStreamCaptureModeGlobal) == cudaSuccess);
  training.run(2);
  REQUIRE(cudaStreamEndCapture(context.stream(), &graph) == cudaSuccess);
  std::size_t nodes = 0;
  CHECK(cudaGraphGetNodes(graph, nullptr, &nodes) == cudaSuccess);
  CHECK(nodes > 50);
  CHECK(cudaGraphDestroy(graph) == cudaSuccess);
  CHECK(context.bytes() == bytes);
  CHECK(context.peak_bytes() == peak);
}

data::Dataset some_data() {
  std::vector<Index> lengths;
  for (Index i = 0; i < 40; ++i) lengths.push_back(1 + i * 7 % 23);
  return test::random_dataset(lengths, 9);
}

/// The checksum of the weights after six epochs of the trainer.
template <class P>
std::string train(CudaOptions options, Index batch_size, Index step_every, detail::StepGraphs::Counts& counts,
                  std::string* algorithms, std::size_t* peak = nullptr) {
  using Model = BertClassifier<Cuda<P>>;
  auto model = Model::from_config(test::small_config(), {}, {.backend = options, .seed = 4, .dropout = {}});
  if (!algorithms->empty()) model.context().use_algorithms(*algorithms);
  using Training = Recipe<AdamW, LinearWarmup, GlobalNormClip, test::SentimentLosses>;
  Training recipe;
  recipe.losses = test::SentimentLosses{{1, 0.02}};
  Trainer<Model, Training> trainer(
      model, {.learning_rate = 1e-3, .batch_size = batch_size, .step_every = step_every, .epochs = 6, .seed = 3}, recipe);
  trainer.fit(some_data(), [](StepReport const&) {});
  counts = model.context().graph_counts();
  *algorithms = model.context().algorithms();
  if (peak) *peak = model.context().peak_bytes();
  return test::weights_hash(model);
}

template <class P>
void check_graphs() {
  INFO(P::name);
  for (auto const& [size, every] : std::vector<std::pair<Index, Index>>{{8, 1}, {4, 2}}) {
    INFO("batches of " << size << ", " << every << " a step");
    std::string algorithms;
    detail::StepGraphs::Counts with, without;
    // The first run meets every size and chooses all algorithms: the other two have the same.
    train<P>({.threads = 1}, size, every, without, &algorithms);
    auto const one = train<P>({.threads = 1}, size, every, with, &algorithms);
    auto const other = train<P>({.threads = 1, .graphs = false}, size, every, without, &algorithms);
    CHECK(one == other);
    CHECK(without.captured == 0);
    CHECK(with.captured > 0);
    CHECK(with.updated > 0);
    CHECK(with.captured == with.updated + with.instantiated);
    CHECK(with.given_up == 0);
    CHECK(with.captured + with.eager == without.eager);
    std::printf("graphs, %s, %d x %d: %d captured, %d updated, %d instantiated, %d eager\n", P::name.data(), int(size),
                int(every), int(with.captured), int(with.updated), int(with.instantiated), int(with.eager));
  }
}

TEST_CASE("steps as graphs give the bits of steps launch by launch") {
  if (auto const why = test::no_device(); !why.empty()) HONE_SKIP(why.c_str());
  check_graphs<fp32>();
  check_graphs<mixed>();
}

TEST_CASE("a step that cannot be captured runs as it is") {
  if (auto const why = test::no_device(); !why.empty()) HONE_SKIP(why.c_str());
  CudaContext context(CudaOptions{.threads = 1});
  Buffer<Cuda<fp32>, float> x(context, 1000), more;
  x.fill_zero();
  Index bytes = 0;
  for (int time = 0; time < 3; ++time)
    run_step(context, {}, [&] {
      context.fill_zero(x.data(), 4);
      more = {};  // given back and taken anew: no capture survives that
      more = Buffer<Cuda<fp32>, float>(context, 1000 + ++bytes);
      context.fill_zero(more.data(), 4000);
    });
  CHECK(context.graph_counts().captured == 0);
  CHECK(context.graph_counts().given_up == 2);
  CHECK(context.graph_counts().eager == 3);
  CHECK(more.download()[999] == 0);
}

TEST_CASE("an error within a step comes through, and the next step runs") {
  if (auto const why = test::no_device(); !why.empty()) HONE_SKIP(why.c_str());
  CudaContext context(CudaOptions{.threads = 1});
  Buffer<Cuda<fp32>, float> x(context, 10);
  auto const good = [&] { context.fill_zero(x.data(), 40); };
  run_step(context, {}, good);
  CHECK_THROWS_AS(run_step(context, {}, [&] { throw Error(610, "a body's own error", {}, "nothing"); }), Error);
  run_step(context, {}, good);
  CHECK(x.download() == std::vector<float>(10, 0.0f));
  CHECK(context.graph_counts().captured == 1);
}

TEST_CASE("a training on a device takes no more than was planned") {
  if (auto const why = test::no_device(); !why.empty()) HONE_SKIP(why.c_str());
  using Model = BertClassifier<Cuda<mixed>>;
  using Training = Recipe<AdamW, LinearWarmup, GlobalNormClip, test::SentimentLosses>;
  CudaOptions const options{.threads = 1, .measure_algorithms = false};  // measuring takes memory for itself
  MemoryPlan const plan =
      training_memory_plan<Model>(test::small_config(), Training{}, {.batch_size = 8}, 23, {options, 1, {}});
  detail::StepGraphs::Counts counts;
  std::string algorithms;
  std::size_t peak = 0;
  train<mixed>(options, 8, 1, counts, &algorithms, &peak);
  INFO(plan.text());
  CHECK(peak <= plan.total());
  CHECK(double(peak) > 0.98 * double(plan.total()));  // cuBLASLt's workspace is the most of it
}

TEST_CASE("uploads may come from temporaries, in any number") {
  if (auto const why = test::no_device(); !why.empty()) HONE_SKIP(why.c_str());
  CudaContext context(CudaOptions{.threads = 1});
  Index const count = 3'000'017;  // several blocks of staging memory, and a tail
  Buffer<Cuda<fp32>, std::int32_t> buffer(context, count);
  for (int round = 0; round < 3; ++round) {
    std::vector<std::int32_t> values(static_cast<std::size_t>(count));
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<std::int32_t>(i) * (round + 1);
    buffer.upload(values);
    std::fill(values.begin(), values.end(), -1);
    for (int small = 0; small < 100; ++small) {
      std::int32_t const one = small;
      context.upload(buffer.data() + small, &one, sizeof one);
    }
    auto const back = buffer.download();
    for (std::size_t i = 0; i < back.size(); ++i)
      if (back[i] != (i < 100 ? std::int32_t(i) : std::int32_t(i) * (round + 1)))
        FAIL("value " << i << " of round " << round);
  }
}

TEST_CASE("too much memory is refused with what was asked for and what is there; the context goes on") {
  if (auto const why = test::no_device(); !why.empty()) HONE_SKIP(why.c_str());
  CudaContext context(CudaOptions{.threads = 1});
  try {
    static_cast<void>(context.allocate(std::size_t(1) << 50));
    FAIL("a pebibyte was given");
  } catch (Error const& error) {
    CHECK(error.number() == 723);
    CHECK(std::string(error.what()).find("1125899906842624 bytes") != std::string::npos);
  }
  Buffer<Cuda<fp32>, float> buffer(context, 10);
  buffer.fill_zero();
  CHECK(buffer.download() == std::vector<float>(10, 0.0f));
}

}  // namespace
