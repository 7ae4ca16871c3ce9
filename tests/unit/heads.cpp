// Compositions of heads and losses that the library has never seen: a user's own head, map and loss among them, and one
// head alone.
#include <cmath>
#include <string>

#include "hone/cpu/backend.hpp"
#include "hone/generic/backend.hpp"
#include "hone/testing/check_loss.hpp"
#include "hone/train/trainer.hpp"
#include "support/catch.hpp"
#include "support/error_matcher.hpp"
#include "support/small_bert.hpp"

namespace {

using namespace hone;

/// y = 1 / (1 + exp(-x))
struct Sigmoid {
  template <class S>
  HONE_HOST_DEVICE static S value(S x) {
    using std::exp;
    return S(1) / (S(1) + exp(-x));
  }
  template <class S>
  HONE_HOST_DEVICE static S derivative(S x) {
    S const y = value(x);
    return y * (S(1) - y);
  }
};

/// Three probabilities that share one label in [0, 1].
struct Moods {
  using Label = float;
  using Map = Sigmoid;
  static constexpr Index width = 3;
  static constexpr std::string_view name() { return "moods"; }
  static bool allows(double label) { return label >= 0 && label <= 1; }
  static std::string allowed() { return "0 to 1"; }
};
static_assert(Head<Moods>);

/// Mean over the outputs of the squared difference (Brier 1950).
struct Brier {
  using Label = float;
  static constexpr char name[] = "brier";
  template <class S>
  HONE_HOST_DEVICE static S row(S const* output, Index width, Label label, S* doutput) {
    S sum = 0;
    for (Index k = 0; k < width; ++k) {
      S const difference = output[k] - S(label);
      sum += difference * difference / S(width);
      if (doutput) doutput[k] = 2 * difference / S(width);
    }
    return sum;
  }
};
static_assert(Loss<Brier>);

using Three = Heads<Regress<"length">, Moods, Classify<"topic", 4>>;
using ThreeLosses = WeightedSum<L1, Brier, CrossEntropy>;

struct Batch {
  RaggedBatch batch;
  Three::Labels labels;
};
Batch some_batch() {
  Batch made;
  made.batch = test::random_batch({9, 4, 17, 6, 1, 12, 8, 5}).batch;
  made.labels = {{0.9, 0.4, 1.7, 0.6, 0.1, 1.2, 0.8, 0.5}, {1, 0, 1, 0.5f, 0, 1, 0, 1}, {0, 1, 2, 3, 0, 1, 2, 3}};
  return made;
}

BertConfig gentle_config() {
  BertConfig config = test::small_config();
  config.initializer_range = 0.1;
  return config;
}

/// Losses by head, before and after some steps of training on one batch.
template <class B>
void check_three() {
  INFO(B::name << " " << B::Precision::name);
  using Model = BertClassifier<B, Three>;
  auto model = Model::from_config(gentle_config(), {}, {.backend = {2}, .seed = 2, .dropout = 0.05});
  model.poison(true);
  auto& store = model.parameters();
  CHECK(store.info(store.find("length.weight")).shape == std::vector<Index>{1, 20});
  CHECK(store.info(store.find("moods.weight")).shape == std::vector<Index>{3, 20});
  CHECK(store.info(store.find("moods.bias")).shape == std::vector<Index>{3});
  CHECK(store.info(store.find("topic.weight")).shape == std::vector<Index>{4, 20});
  auto const made = some_batch();
  AdamW const optimizer;
  auto state = optimizer.template init<B>(model.context(), store);
  ClipState<B> clip(model.context(), store);
  std::array<double, 3> first{}, last{};
  for (std::uint64_t step = 0; step < 150; ++step) {
    model.begin_step(8);
    model.accumulate(made.batch, made.labels, ThreeLosses{{1, 2, 0.5}}, {true, 1, step});
    model.end_step();
    GlobalNormClip{5}.template apply<B>(model.context(), store, clip);
    auto const results = model.step_results();
    for (std::size_t h = 0; h < 3; ++h) {
      last[h] = 0;
      for (double const loss : results.losses[h]) last[h] += loss / 8;
    }
    if (step == 0) first = last;
    optimizer.template step<B>(model.context(), store, state, clip.scale(), 5e-3);
  }
  for (std::size_t h = 0; h < 3; ++h) {
    INFO("head " << h << ": " << first[h] << " to " << last[h]);
    CHECK(last[h] < 0.25 * first[h]);
  }
  auto const out = model.predict(made.batch);
  CHECK(out.rows() == 8);
  auto const& moods = out.template get<"moods">();
  auto const& topic = out.template get<"topic">();
  REQUIRE(moods.cols == 3);
  for (Index b = 0; b < 8; ++b) {
    CHECK(topic.argmax(b) == b % 4);
    for (Index k = 0; k < 3; ++k) CHECK((moods(b, k) > 0 && moods(b, k) < 1));
  }
  CHECK(moods(0, 0) > 0.7);
  CHECK(moods(1, 2) < 0.3);
}

TEST_CASE("three heads with an own head, map and loss learn") {
  check_three<Cpu<fp32>>();
  check_three<Reference<fp64>>();
}

TEST_CASE("the own head and loss have right gradients") {
  testing::check_head<Moods>(6).require();
  testing::check_loss<Brier>({0, 1, 0.5f}, 3).require();
}

TEST_CASE("an own label is checked") {
  auto model = BertClassifier<Cpu<fp32>, Three>::from_config(gentle_config());
  auto made = some_batch();
  std::get<1>(made.labels)[3] = 1.5f;
  model.begin_step(8);
  std::string text;
  CHECK(test::error_number([&] { model.accumulate(made.batch, made.labels, ThreeLosses{}, {}); }, &text) == 420);
  CHECK(text.find("moods") != std::string::npos);
  CHECK(text.find("0 to 1") != std::string::npos);
  std::get<1>(made.labels).pop_back();
  CHECK(test::error_number([&] { model.accumulate(made.batch, made.labels, ThreeLosses{}, {}); }) == 611);
  std::get<1>(made.labels).push_back(0.5f);
  std::get<1>(made.labels)[3] = 0.5f;
  model.begin_step(7);
  CHECK(test::error_number([&] { model.accumulate(made.batch, made.labels, ThreeLosses{}, {}); }) == 610);
}

/// Texts whose first token says the class: learnable at once.
data::Dataset one_label_data() {
  data::Dataset made;
  made.labels = {{"topic", {}}};
  for (int i = 0; i < 24; ++i) {
    std::vector<std::int32_t> const tokens{1, std::int32_t(10 + i % 3), std::int32_t(20 + i % 5), 2};
    made.sources.push_back(std::to_string(i));
    made.texts.push_back("");
    made.tokens.push_back(tokens);
    made.labels[0].values.push_back(i % 3);
  }
  return made;
}

TEST_CASE("one head alone, by the trainer") {
  using One = Heads<Classify<"topic", 3>>;
  using Model = BertClassifier<Cpu<fp32>, One>;
  using OneRecipe = Recipe<AdamW, Constant, NoClip, WeightedSum<CrossEntropy>>;
  auto model = Model::from_config(gentle_config(), {}, {.backend = {1}, .seed = 1, .dropout = {}});
  Trainer<Model, OneRecipe> trainer(model, {.learning_rate = 5e-3, .batch_size = 8, .epochs = 12});
  std::vector<double> losses;
  double accuracy = 0;
  trainer.fit(one_label_data(), [&](StepReport const& report) {
    REQUIRE(report.losses.size() == 1);
    CHECK(report.losses[0].first == "topic");
    losses.push_back(report.losses[0].second);
    accuracy = report.accuracy;
  });
  REQUIRE(losses.size() == 36);
  CHECK(losses.front() > 0.5);
  CHECK(losses.back() < 0.1);
  CHECK(accuracy == 1);
}

TEST_CASE("a head's weights begin as PyTorch's Linear") {
  auto const model = BertClassifier<Cpu<fp64>, Heads<Classify<"many", 400>>>::from_config(gentle_config());
  double most = 0, sum = 0, squares = 0;
  auto const weights = model.parameters().get(model.parameters().find("many.weight"));
  for (double const w : weights) most = std::max(most, std::abs(w)), sum += w, squares += w * w;
  double const bound = 1 / std::sqrt(20.0), n = double(weights.size());
  CHECK(most <= bound);
  CHECK(most > 0.99 * bound);
  CHECK(std::abs(sum / n) < 5 * bound / std::sqrt(3 * n));  // five standard deviations
  CHECK(std::abs(squares / n - bound * bound / 3) < 5 * bound * bound * std::sqrt(4.0 / 45 / n));
}

}  // namespace
