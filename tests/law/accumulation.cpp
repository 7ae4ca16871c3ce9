// A step's gradient does not depend on how its examples are cut into batches: 16 x 1, 8 x 2 and 4 x 4 are one step.
#include "hone/generic/backend.hpp"
#include "hone/train/trainer.hpp"
#include "support/backends.hpp"
#include "support/catch.hpp"
#include "support/in_brief.hpp"
#include "support/small_bert.hpp"
#include "support/stored_values.hpp"

namespace {

using namespace hone;
using hone::test::LabelledBatch;

/// Sums run over the step's 163 rows; in front of them each row went through 12 products of up to 28 terms, and back.
constexpr std::int64_t chain = 163 + 2 * 12 * 28;

template <class T>
constexpr double tolerance() {
  return std::is_same_v<T, double> ? 1e-12 : test::rounding_bound<T>(chain, 1);
}

/// The gradients and results of one step over `all`, cut into batches of the given sizes.
template <class B>
struct Step {
  std::vector<std::vector<MasterOf<typename B::Precision>>> gradients;
  typename BertClassifier<B>::StepResults results;
};
template <class B>
Step<B> step(BertClassifier<B>& model, LabelledBatch const& all, std::vector<Index> const& sizes, DropoutKey key,
             bool number_examples = true) {
  model.begin_step(all.batch.size());
  Index first = 0;
  for (Index const size : sizes) {
    LabelledBatch some = test::part(all, first, size);
    if (!number_examples) some.batch.first_example = 0;
    model.accumulate(some.batch, some.labels, test::SentimentLosses{{1, 0.02}}, key);
    first += size;
  }
  REQUIRE(first == all.batch.size());
  model.end_step();
  return {test::all_gradients(model), model.step_results()};
}

/// The largest difference of two steps' gradients, relative to the largest value of each tensor. key.bias, whose true
/// gradient is zero, relative to the largest of all.
template <class B>
double apart(BertClassifier<B> const& model, Step<B> const& a, Step<B> const& b) {
  double all = 0, most = 0;
  for (auto const& gradient : b.gradients) all = std::max(all, test::largest(gradient));
  for (std::size_t i = 0; i < b.gradients.size(); ++i) {
    bool const zero = model.parameters().info(Index(i)).name.ends_with("key.bias");
    double const scale = zero ? all : test::largest(b.gradients[i]);
    std::vector<double> const expected(b.gradients[i].begin(), b.gradients[i].end());
    most = std::max(most, test::largest_difference(a.gradients[i], expected) / scale);
  }
  for (std::size_t h = 0; h < 2; ++h) {
    most = std::max(most,
                    test::largest_difference(a.results.losses[h], b.results.losses[h]) / test::largest(b.results.losses[h]));
    most = std::max(most, test::largest_difference(a.results.outputs.heads[h].values, b.results.outputs.heads[h].values) /
                              test::largest(b.results.outputs.heads[h].values));
  }
  return most;
}

template <class B>
void check(DropoutKey key) {
  using T = MasterOf<typename B::Precision>;
  INFO(B::name << " " << B::Precision::name << ", dropout " << key.training);
  auto model = test::small_bert<B>();
  model.poison(true);
  LabelledBatch const sixteen = test::random_batch({12, 3, 40, 1, 7, 7, 9, 2, 25, 1, 1, 18, 5, 11, 6, 15});
  REQUIRE(sixteen.batch.rows() == 163);
  Step<B> const whole = step<B>(model, sixteen, {16}, key);
  std::vector<std::vector<Index>> cuts{{7, 7, 2}, {8, 8}};
  if (!test::in_brief<B>)
    cuts.insert(cuts.end(), {{4, 4, 4, 4}, {5, 11}, {1, 15}, {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}});
  for (std::vector<Index> const& sizes : cuts) {
    INFO(sizes.size() << " batches, the first of " << sizes[0]);
    CHECK(apart(model, step<B>(model, sixteen, sizes, key), whole) <= tolerance<T>());
  }
  // A step with a last, smaller batch.
  LabelledBatch const thirteen = test::part(sixteen, 0, 13);
  CHECK(apart(model, step<B>(model, thirteen, {8, 5}, key), step<B>(model, thirteen, {13}, key)) <= tolerance<T>());
  if (!test::in_brief<B>)
    CHECK(apart(model, step<B>(model, thirteen, {4, 4, 4, 1}, key), step<B>(model, thirteen, {13}, key)) <= tolerance<T>());
  // What a mistake would look like: masks that begin anew in every batch.
  if (key.training) CHECK(apart(model, step<B>(model, sixteen, {8, 8}, key, false), whole) > 1e-2);
}

TEST_CASE("a step cut into batches is the same step") {
  check<Reference<fp64>>({});
  check<Cpu<fp64>>({});
  check<Cpu<fp32>>({});
}
TEST_CASE("a step cut into batches is the same step, with dropout") {
  DropoutKey const key{true, 5, 2};
  check<Reference<fp64>>(key);
  check<Cpu<fp64>>(key);
  check<Cpu<fp32>>(key);
}
TEMPLATE_TEST_CASE("a step cut into batches is the same step, on the device's operations", "", HONE_DEVICE_BACKENDS(fp64)) {
  if (!test::in_brief<TestType>) check<TestType>({});
  check<TestType>({true, 5, 2});
}

/// A data set of random token sequences.
data::Dataset some_data(std::size_t count) {
  std::vector<Index> lengths;
  for (std::size_t i = 0; i < count; ++i) lengths.push_back(Index(1 + (i * 7) % 23));
  LabelledBatch const all = test::random_batch(lengths, 9);
  data::Dataset made;
  made.labels = {{"is_positive", {}}, {"star_rating", {}}};
  for (std::size_t b = 0; b < count; ++b) {
    made.sources.push_back(std::to_string(b));
    made.texts.push_back("");
    made.tokens.push_back(
        std::span(all.batch.tokens).subspan(std::size_t(all.batch.offsets[b]), std::size_t(all.batch.length(Index(b)))));
    made.labels[0].values.push_back(std::get<0>(all.labels)[b]);
    made.labels[1].values.push_back(std::get<1>(all.labels)[b]);
  }
  return made;
}

/// Weights after 6 steps of the trainer: 2 epochs of 45 examples in steps of 16, the last of each with 13.
std::vector<std::vector<double>> train(Index batch_size, Index step_every) {
  auto model = test::small_bert<Cpu<fp64>>();
  using Model = decltype(model);
  Recipe<> recipe{};
  recipe.losses = test::SentimentLosses{{1, 0.02}};
  Trainer<Model, Recipe<>> trainer(
      model, {.learning_rate = 1e-3, .batch_size = batch_size, .step_every = step_every, .epochs = 2, .seed = 3}, recipe);
  trainer.fit(some_data(45), [](StepReport const&) {});
  CHECK(trainer.steps() == 6);
  std::vector<std::vector<double>> weights;
  for (Index id = 0; id < model.parameters().count(); ++id)
    if (!model.parameters().info(id).name.ends_with("key.bias")) weights.push_back(model.parameters().get(id));
  return weights;
}

TEST_CASE("the trainer's steps are the same for 16 x 1, 8 x 2 and 4 x 4") {
  auto const whole = train(16, 1);
  for (auto const& [size, every] : std::vector<std::pair<Index, Index>>{{8, 2}, {4, 4}, {1, 16}}) {
    auto const cut = train(size, every);
    // Adam divides by the gradient's size, so that a gradient's rounding, 1e-12 of the largest, counts for more where the
    // gradient is small: 1e-9 of a weight's size after six steps.
    for (std::size_t i = 0; i < whole.size(); ++i) test::check_stored("tensor " + std::to_string(i), cut[i], whole[i], 1e-9);
  }
  CHECK(test::largest_difference(train(15, 1)[0], whole[0]) > 1e-6);  // another step is another result
}

}  // namespace
