// The first layer, output, loss or gradient that is not finite is the one that is named.
#include "hone/train/nan_finder.hpp"

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "hone/train/trainer.hpp"
#include "support/catch.hpp"
#include "support/clean_data.hpp"
#include "support/error_matcher.hpp"

namespace {

using namespace hone;
using Model = BertClassifier<Cpu<fp32>>;
constexpr float infinite = std::numeric_limits<float>::infinity();

void put(Model& model, std::string const& name, std::size_t at, float value) {
  Index const id = model.parameters().find(name);
  REQUIRE(id >= 0);
  auto values = model.parameters().get(id);
  values.at(at) = value;
  model.parameters().set(id, values);
}

/// Trains until it fails, and gives what was found.
Finding failure(Model& model, Recipe<> const& recipe, int number, std::string* text = nullptr) {
  auto const data = test::clean_data(24);
  Trainer<Model, Recipe<>> trainer(
      model, {.learning_rate = 1e-3, .batch_size = 4, .step_every = 2, .epochs = 1, .num_steps = 9, .seed = 0}, recipe);
  CHECK_FALSE(trainer.problem());
  std::string message;
  CHECK(test::error_number([&] { trainer.fit(data, [](StepReport const&) {}); }, &message) == number);
  REQUIRE(trainer.problem());
  CHECK(trainer.problem()->number == "D50");
  CHECK(trainer.problem()->severity == Severity::error);
  INFO(message);
  CHECK(message.find(trainer.problem()->title) != std::string::npos);
  if (text) *text = message;
  return *trainer.problem();
}

TEST_CASE("the range of numbers") {
  CHECK(ValueRange::of(std::vector<double>{3, -2, 1}).text() == "-2 to 3");
  CHECK(ValueRange::of(std::vector<float>{3, infinite, 1}).text() == "1 to 3, 1 of 3 not finite");
  CHECK(ValueRange::of(std::vector<float>{infinite, -infinite, std::nanf("")}).text() == "not one finite value");
  CHECK(ValueRange::of(std::vector<float>{}).finite());
}

TEST_CASE("a layer that makes the first values that are not finite") {
  auto model = test::clean_model<Model>();
  put(model, "bert.encoder.layer.1.output.dense.bias", 3, infinite);
  auto found = failure(model, test::clean_recipe(), 620);
  CHECK(found.title == "the first values that are not finite come from encoder layer 1");
  CHECK(found.detail.find("its input: -") == 0);
  CHECK(found.detail.find("its parameters: bert.encoder.layer.1.output.dense.bias") != std::string::npos);
  CHECK(found.detail.find("weights that are not finite: bert.encoder.layer.1.output.dense.bias") != std::string::npos);
  CHECK((*found.data)["layer"] == 1);

  model = test::clean_model<Model>();
  put(model, "bert.embeddings.LayerNorm.weight", 0, std::nanf(""));
  found = failure(model, test::clean_recipe(), 620);
  CHECK(found.title.find("the embeddings") != std::string::npos);
  CHECK((*found.data)["layer"] == -1);
}

TEST_CASE("finite weights whose product overflows: the layer, its input and its largest parameter") {
  auto model = test::clean_model<Model>();
  Index const id = model.parameters().find("bert.encoder.layer.0.intermediate.dense.weight");
  auto values = model.parameters().get(id);
  for (float& v : values) v = v > 0 ? 2e38f : -2e38f;
  model.parameters().set(id, values);
  auto const found = failure(model, test::clean_recipe(), 620);
  CHECK(found.title.find("encoder layer 0") != std::string::npos);
  CHECK(found.detail.find("bert.encoder.layer.0.intermediate.dense.weight") != std::string::npos);
  CHECK(found.detail.find("weights that are not finite") == std::string::npos);
}

TEST_CASE("a head, where all layers are finite") {
  auto model = test::clean_model<Model>();
  put(model, "star_rating.bias", 0, 3e38f);
  auto const found = failure(model, test::clean_recipe(), 620);
  CHECK(found.title == "the first values that are not finite come from the head star_rating");
  CHECK((*found.data)["head"] == "star_rating");
}

TEST_CASE("a gradient, where the whole forward pass is finite: the first on the way back") {
  auto model = test::clean_model<Model>();
  auto recipe = test::clean_recipe();
  recipe.losses.weights = {1, 1e38};
  Index const id = model.parameters().find("star_rating.weight");
  model.parameters().set(id, std::vector<float>(std::size_t(model.parameters().info(id).size), 20));
  std::string text;
  auto const found = failure(model, recipe, 621, &text);
  // The head's own gradients are sums of finite numbers, here too large: 1e38 * 5 * 0.5.
  CHECK(found.title.find("going back, the first gradient that is not finite is that of ") == 0);
  CHECK(found.detail.find("the gradient before it: ") != std::string::npos);
  CHECK(found.detail.find("loss weight 1e+38") != std::string::npos);
  CHECK(text.find("[hone-E621]") == 0);
}

/// A loss that is not a number where its output is large.
struct Fragile {
  using Label = double;
  static constexpr char name[] = "fragile";
  template <class S>
  HONE_HOST_DEVICE static S row(S const* output, Index, Label label, S* doutput) {
    S const difference = output[0] - S(label);
    if (doutput) doutput[0] = difference;
    return std::sqrt(S(100) - difference * difference);
  }
};

TEST_CASE("a loss, where the outputs are finite") {
  auto model = test::clean_model<Model>();
  put(model, "star_rating.bias", 0, 50);
  Recipe<AdamW, LinearWarmup, GlobalNormClip, WeightedSum<CrossEntropy, Fragile>> const recipe;
  auto const data = test::clean_data(8);
  auto const labels = labels_for<SentimentAndStars>(data);
  std::vector<std::size_t> const rows{0, 1, 2};
  std::vector<std::pair<RaggedBatch, Model::Labels>> const batches{make_batch<SentimentAndStars>(data, labels, rows)};
  auto const found = find_not_finite(model, std::span(batches), recipe.losses);
  CHECK(found.title == "outputs are finite, and the loss of star_rating is not");
  CHECK(found.detail.find("star_rating: outputs 2") != std::string::npos);
}

TEST_CASE("nothing that is not finite without dropout") {
  auto model = test::clean_model<Model>();
  auto const data = test::clean_data(8);
  auto const labels = labels_for<SentimentAndStars>(data);
  std::vector<std::size_t> const rows{0, 1, 2};
  std::vector<std::pair<RaggedBatch, Model::Labels>> const batches{make_batch<SentimentAndStars>(data, labels, rows)};
  auto const found = find_not_finite(model, std::span(batches), test::clean_recipe().losses);
  CHECK(found.title == "without dropout every value of this step is finite");
}

}  // namespace
