// Gradient times input of the tokens: against central differences, in any batch, and without a trace in the training.
#include <array>
#include <cmath>
#include <string>
#include <vector>

#include "hone/generic/backend.hpp"
#include "hone/models/bert_classifier.hpp"
#include "hone/train/recipe.hpp"
#include "hone/train/trainer.hpp"
#include "support/backends.hpp"
#include "support/catch.hpp"
#include "support/error_matcher.hpp"
#include "support/small_bert.hpp"

namespace {

using namespace hone;

BertConfig config() {
  BertConfig config = test::small_config();
  config.hidden_size = 12;
  config.intermediate_size = 10;
  config.vocab_size = 9;
  config.max_position_embeddings = 6;
  return config;
}

/// The model's blocks and heads on embedded rows given from outside: <d output / d e_i, e_i> is the derivative of the output
/// by t where row e_i is scaled by (1 + t).
template <class B>
struct Probe {
  using A = ActivationOf<typename B::Precision>;
  BertClassifier<B>& model;
  BertConfig shape;

  /// The outputs of both heads for one sequence whose embedded rows are `rows` (N, D), row-major.
  std::array<std::vector<double>, 2> outputs(std::vector<double> const& rows, std::vector<std::int32_t> const& tokens) {
    typename B::Context context{typename B::Options{1}};
    ParameterStore<B> store(context);
    Encoder<B> encoder(store, "bert.encoder",
                       {shape.hidden_size, shape.num_attention_heads, shape.intermediate_size,
                        activation_of(shape.hidden_act), shape.layer_norm_eps, 0.0, 0.0, shape.initializer_range},
                       shape.num_hidden_layers);
    store.allocate();
    for (Index id = 0; id < store.count(); ++id) {
      Index const from = model.parameters().find(store.info(id).name);
      REQUIRE(from >= 0);
      store.set(id, model.parameters().get(from));
    }
    Index const n = Index(tokens.size());
    Workspace<B> workspace(context);
    typename Encoder<B>::Cache cache;
    workspace.plan([&](Plan& plan) { cache = encoder.plan(plan, n, 1, ReadRows::all, false); });
    RaggedBatch batch;
    batch.push_back(tokens);
    BatchMemory<B> memory(context);
    Pass<B> pass{context, store, memory.upload(batch), {}};
    std::vector<A> const in(rows.begin(), rows.end());
    context.upload(cache.inputs.front().data, in.data(), in.size() * sizeof(A));
    encoder.forward(pass, cache);
    std::vector<A> cls(std::size_t(shape.hidden_size));
    context.download(cls.data(), cache.inputs.back().data, cls.size() * sizeof(A));
    context.synchronize();
    std::array<std::vector<double>, 2> out;
    for (std::size_t h = 0; h < 2; ++h) {
      std::string const name = h == 0 ? "is_positive" : "star_rating";
      auto const weight = model.parameters().get(model.parameters().find(name + ".weight"));
      auto const bias = model.parameters().get(model.parameters().find(name + ".bias"));
      for (std::size_t k = 0; k < bias.size(); ++k) {
        double sum = double(bias[k]);
        for (std::size_t d = 0; d < cls.size(); ++d) sum += double(weight[k * cls.size() + d]) * double(cls[d]);
        out[h].push_back(h == 0 ? sum : 5 * sum + 5);
      }
    }
    return out;
  }
};

template <class B>
void check_differences() {
  INFO(B::name);
  auto model = BertClassifier<B>::from_config(config(), {}, {.backend = {1}, .seed = 4, .dropout = {}});
  model.poison(true);
  for (Index id = 0; id < model.parameters().count(); ++id) {  // every parameter matters, also norms and biases
    auto weights = model.parameters().get(id);
    PhiloxStream random(8, std::uint64_t(id));
    for (double& w : weights) w += 0.3 * (2 * random.uniform() - 1);
    model.parameters().set(id, weights);
  }
  std::vector<std::vector<std::int32_t>> const texts{{2, 7, 1, 7, 3}, {5}, {8, 0, 4}};
  RaggedBatch batch;
  for (auto const& text : texts) batch.push_back(text);
  auto const outputs = model.predict(batch);
  auto const rows = model.hidden_states(batch).front();
  std::vector<Index> const classes{0, 1, 1};
  std::array const attributed{model.attribute(batch, 0, classes), model.attribute(batch, 1)};
  auto const both = model.attribute(batch);
  REQUIRE(both[0].size() == 3);
  CHECK(both[1] == attributed[1]);
  Probe<B> probe{model, config()};
  std::size_t first = 0;
  double largest = 0;
  std::size_t const width = std::size_t(config().hidden_size);
  for (std::size_t b = 0; b < texts.size(); ++b) {
    std::vector<double> const own(rows.values.begin() + std::ptrdiff_t(first * width),
                                  rows.values.begin() + std::ptrdiff_t((first + texts[b].size()) * width));
    first += texts[b].size();
    auto const at_rest = probe.outputs(own, texts[b]);
    CHECK(std::abs(at_rest[1][0] - outputs.heads[1](Index(b), 0)) < 1e-10);  // the probe is the model
    auto const predicted = std::size_t(outputs.heads[0].argmax(Index(b)));
    for (std::size_t h = 0; h < 2; ++h) REQUIRE(attributed[h][b].size() == texts[b].size());
    for (std::size_t t = 0; t < texts[b].size(); ++t) {
      auto moved = [&](double by) {
        auto rows_moved = own;
        for (std::size_t d = 0; d < width; ++d) rows_moved[t * width + d] *= 1 + by;
        return probe.outputs(rows_moved, texts[b]);
      };
      double const step = 1e-3;
      auto const a = moved(step), c = moved(-step), a2 = moved(2 * step), c2 = moved(-2 * step);
      auto slope = [&](std::size_t h, std::size_t k) {
        return (8 * (a[h][k] - c[h][k]) - (a2[h][k] - c2[h][k])) / (12 * step);
      };
      INFO("text " << b << " token " << t);
      CHECK(std::abs(attributed[0][b][t] - slope(0, std::size_t(classes[b]))) < 1e-8);
      CHECK(std::abs(both[0][b][t] - slope(0, predicted)) < 1e-8);
      CHECK(std::abs(attributed[1][b][t] - slope(1, 0)) < 1e-8);
      largest = std::max(largest, std::abs(slope(1, 0)));
    }
  }
  CHECK(largest > 0.1);  // there was something to compare
}

TEST_CASE("attributions are derivatives, on the reference") { check_differences<Reference<fp64>>(); }
TEST_CASE("attributions are derivatives, on the processor") { check_differences<Cpu<fp64>>(); }
TEMPLATE_TEST_CASE("attributions on the device's operations", "", HONE_DEVICE_BACKENDS(fp64)) {
  auto const batch = test::random_batch({4, 9, 2}).batch;
  auto reference = test::small_bert<Reference<fp64>>();
  auto model = test::small_bert<TestType>();
  auto const expected = reference.attribute(batch), got = model.attribute(batch);
  for (std::size_t h = 0; h < 2; ++h)
    for (std::size_t b = 0; b < 3; ++b)
      for (std::size_t t = 0; t < expected[h][b].size(); ++t) CHECK(std::abs(got[h][b][t] - expected[h][b][t]) < 1e-9);
}

TEST_CASE("attributions of a text are the same in any batch, up to rounding") {
  auto model = test::small_bert<Cpu<fp32>>(2);
  model.poison(true);
  auto const all = test::random_batch({12, 3, 40, 1, 7, 25});
  auto const together = model.attribute(all.batch);
  double largest = 0;
  for (std::size_t b = 0; b < 6; ++b) {
    auto const alone = model.attribute(test::chosen(all, {b}, 5).batch);  // nor does the place in a step matter
    for (std::size_t h = 0; h < 2; ++h) {
      REQUIRE(alone[h][0].size() == together[h][b].size());
      for (std::size_t t = 0; t < alone[h][0].size(); ++t) {
        INFO("text " << b << " head " << h << " token " << t);
        CHECK(std::abs(alone[h][0][t] - together[h][b][t]) < 2e-6 * (h == 0 ? 1 : 5));
        largest = std::max(largest, std::abs(together[h][b][t]));
      }
    }
  }
  CHECK(largest > 0.5);
}

TEST_CASE("attributions leave no trace in a training") {
  auto const data = [] {
    data::Dataset data;
    auto const made = test::random_batch({9, 3, 14, 8, 5, 21, 2, 6});
    for (std::size_t b = 0; b < 8; ++b) {
      data.sources.push_back(std::to_string(b));
      data.texts.push_back("text");
      auto const begin = std::size_t(made.batch.offsets[b]);
      data.tokens.push_back(std::span(made.batch.tokens).subspan(begin, std::size_t(made.batch.length(Index(b)))));
    }
    auto const& [sentiment, stars] = made.labels;
    data.labels = {{"is_positive", {sentiment.begin(), sentiment.end()}}, {"star_rating", stars}};
    return data;
  }();
  auto trained = [&](bool with) {
    auto model = test::small_bert<Cpu<fp32>>();
    Trainer trainer(model, TrainerOptions{1e-3, 2, 2, 2, 100, 7},
                    Recipe<AdamW, LinearWarmup, GlobalNormClip, test::SentimentLosses>{});
    auto const other = test::random_batch({30, 17, 5}, 9).batch;  // larger than a training batch: memory grows
    trainer.fit(data, [&](StepReport const&) {
      if (!with) return;
      auto const before = test::weights_hash(model);
      static_cast<void>(model.attribute(other));
      CHECK(test::weights_hash(model) == before);
      for (auto const& gradient : test::all_gradients(model))
        for (float const value : gradient) REQUIRE(value == 0);
    });
    CHECK(trainer.steps() == 4);
    return test::weights_hash(model);
  };
  CHECK(trained(true) == trained(false));
  CHECK(trained(true) != test::weights_hash(test::small_bert<Cpu<fp32>>()));
}

TEST_CASE("what attributions are not given for is refused") {
  auto model = test::small_bert<Cpu<fp32>>();
  auto const batch = test::random_batch({3, 2}).batch;
  std::vector<Index> const one{1}, high{1, 2}, negative{0, -1}, right{1, 0}, zeros{0, 0};
  CHECK(test::error_number([&] { model.attribute(batch, 2); }) == 750);
  CHECK(test::error_number([&] { model.attribute(batch, 0, one); }) == 751);
  CHECK(test::error_number([&] { model.attribute(batch, 0, high); }) == 751);
  CHECK(test::error_number([&] { model.attribute(batch, 0, negative); }) == 751);
  CHECK(test::error_number([&] { model.attribute(batch, 1, zeros); }) == 751);  // it does not classify
  CHECK(test::error_number([&] { model.attribute(batch, 0, right); }) == 0);
  model.begin_step(2);
  CHECK(test::error_number([&] { model.attribute(batch); }) == 752);
  model.end_step();
  CHECK(test::error_number([&] { model.attribute(batch); }) == 0);
}

}  // namespace
