// The gradient of the whole model's loss, dropout on, against central differences: what the layers' checks cannot see, how
// they are put together.
#include <cmath>
#include <nlohmann/json.hpp>

#include "hone/generic/backend.hpp"
#include "hone/loss/cross_entropy.hpp"
#include "hone/loss/l1.hpp"
#include "hone/models/bert_classifier.hpp"
#include "hone/testing/check_report.hpp"
#include "support/backends.hpp"
#include "support/catch.hpp"
#include "support/in_brief.hpp"

namespace {

using namespace hone;
using Losses = WeightedSum<CrossEntropy, L1>;

BertConfig config() {
  BertConfig config;
  config.vocab_size = 9;
  config.hidden_size = 10;
  config.num_hidden_layers = 2;
  config.num_attention_heads = 2;
  config.intermediate_size = 7;
  config.max_position_embeddings = 6;
  config.initializer_range = 0.5;
  config.hidden_dropout_prob = config.attention_probs_dropout_prob = 0.2;
  (*config.raw)["pad_token_id"] = nullptr;
  return config;
}

template <class B>
void check(DropoutKey key) {
  INFO(B::name << ", dropout " << key.training);
  auto model = BertClassifier<B>::from_config(config(), {}, {.backend = {1}, .seed = 4});
  model.poison(true);
  auto& store = model.parameters();
  for (Index id = 0; id < store.count(); ++id) {
    auto weights = store.get(id);
    PhiloxStream random(8, std::uint64_t(id));
    for (double& w : weights) w += 0.4 * (2 * random.uniform() - 1);
    store.set(id, weights);
  }
  RaggedBatch batch = testing::some_batch({5, 1, 3}, 9);
  batch.first_example = 1;  // of a step of 6, the others' share is missing
  typename BertClassifier<B>::Labels const labels{{1, 0, 1}, {9, 2, 7}};
  Losses const losses{{1, 0.3}};
  auto step = [&] {
    model.begin_step(6);
    model.accumulate(batch, labels, losses, key);
    model.end_step();
    auto const results = model.step_results();
    double sum = 0;
    for (std::size_t i = 1; i <= 3; ++i) sum += results.losses[0][i] * 1 + results.losses[1][i] * 0.3;
    return sum / 6;
  };
  double const at_rest = step();
  std::vector<std::vector<double>> gradients;
  for (Index id = 0; id < store.count(); ++id) gradients.push_back(store.get_gradient(id));
  constexpr bool emulated = test::is_emulated<B>;
  double const h = 1e-3, rounding = 64 * 2.3e-16 * at_rest / h;
  Index compared = 0;
  for (Index id = 0; id < store.count(); ++id) {
    auto const& info = store.info(id);
    auto const weights = store.get(id);
    std::vector<std::size_t> places;
    Index const every = test::in_brief<B> ? info.size : emulated ? 1 + info.size / 2 : info.size > 40 ? 11 : 1;
    for (Index i = 0; i < info.size; i += every) places.push_back(std::size_t(i));
    std::vector<double> differences;
    double scale = 0;
    for (std::size_t const i : places) {
      auto f = [&](double t) {
        auto moved = weights;
        moved[i] += t;
        store.set(id, moved);
        return step() - at_rest;
      };
      differences.push_back((8 * (f(h) - f(-h)) - (f(2 * h) - f(-2 * h))) / (12 * h));
      scale = std::max(scale, std::abs(differences.back()));
    }
    store.set(id, weights);
    for (std::size_t n = 0; n < places.size(); ++n, ++compared) {
      INFO(info.name << " value " << places[n]);
      CHECK(std::abs(gradients[std::size_t(id)][places[n]] - differences[n]) <= 1e-6 * scale + rounding);
    }
    INFO(info.name);
    CHECK((scale > 1e-6 || emulated || info.name.ends_with("key.bias")));  // the comparison says something
  }
  CHECK(compared > (test::in_brief<B> ? 35 : emulated ? 70 : 350));
}

TEST_CASE("the gradient of the whole model, on the reference") {
  check<Reference<fp64>>({});
  check<Reference<fp64>>({true, 42, 3});
}
TEST_CASE("the gradient of the whole model, on the processor") {
  check<Cpu<fp64>>({});
  check<Cpu<fp64>>({true, 42, 3});
}
TEMPLATE_TEST_CASE("the gradient of the whole model, on the device's operations", "", HONE_DEVICE_BACKENDS(fp64)) {
  if (!test::in_brief<TestType>) check<TestType>({});
  check<TestType>({true, 42, 3});
}

}  // namespace
