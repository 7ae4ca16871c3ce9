// The trainer against its steps written out by hand, and what it refuses.
#include "hone/train/trainer.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>

#include "support/catch.hpp"
#include "support/error_matcher.hpp"
#include "support/small_bert.hpp"

namespace {

using namespace hone;
using Model = BertClassifier<Cpu<fp32>>;
using SentimentRecipe = Recipe<AdamW, LinearWarmupDecay, GlobalNormClip, test::SentimentLosses>;

/// Clips after all rows of the words' gradient have been declared used.
struct ReadsAllRows : GlobalNormClip {
  template <Backend B>
  void apply(typename B::Context& context, ParameterStore<B> const& store, ClipState<B>& state) const {
    store.gradients();  // a view to write through
    GlobalNormClip::apply<B>(context, store, state);
  }
};

template <class Clip = GlobalNormClip>
auto recipe() {
  Recipe<AdamW, LinearWarmupDecay, Clip, test::SentimentLosses> made;
  made.schedule.warmup = 2;
  made.clip.max_norm = 0.5;
  made.losses = test::SentimentLosses{{1, 0.02}};
  return made;
}

data::Dataset some_data(std::size_t count) {
  std::vector<Index> lengths;
  for (std::size_t i = 0; i < count; ++i) lengths.push_back(Index(1 + (i * 7) % 23));
  auto const all = test::random_batch(lengths, 9);
  data::Dataset made;
  made.labels = {{"other", std::vector<double>(count, 0)}, {"is_positive", {}}, {"star_rating", {}}};
  for (std::size_t b = 0; b < count; ++b) {
    made.sources.push_back("review_" + std::to_string(b) + ".txt");
    made.texts.emplace_back();
    made.tokens.push_back(
        std::span(all.batch.tokens).subspan(std::size_t(all.batch.offsets[b]), std::size_t(all.batch.length(Index(b)))));
    made.labels[1].values.push_back(std::get<0>(all.labels)[b]);
    made.labels[2].values.push_back(std::get<1>(all.labels)[b]);
  }
  return made;
}

constexpr TrainerOptions options{
    .learning_rate = 2e-3, .batch_size = 4, .step_every = 2, .epochs = 2, .num_steps = 100, .seed = 3};

TEST_CASE("a run is its steps written out, to the bit") {
  auto const data = some_data(19);  // 3 steps an epoch: 8, 8 and 3 examples
  auto model = test::small_bert<Cpu<fp32>>();
  Trainer<Model, SentimentRecipe> trainer(model, options, recipe());
  CHECK(trainer.total_steps(19) == 6);
  std::vector<StepReport> reports;
  FitReport const fit = trainer.fit(data, [&](StepReport const& report) { reports.push_back(report); });
  CHECK(fit.steps == 6);
  CHECK(fit.examples == 38);
  CHECK(fit.tokens == 2 * Index(data.tokens.tokens.size()));
  CHECK_FALSE(fit.interrupted);
  REQUIRE(reports.size() == 6);

  auto hand = test::small_bert<Cpu<fp32>>();
  auto& store = hand.parameters();
  AdamW const optimizer;
  auto state = optimizer.init<Cpu<fp32>>(hand.context(), store);
  ClipState<Cpu<fp32>> clip(hand.context(), store);
  auto const& sentiment = data.label("is_positive").values;
  auto const& stars = data.label("star_rating").values;
  for (std::size_t step = 0; step < 6; ++step) {
    INFO("step " << step + 1);
    auto const order = data::epoch_order(19, 3, std::uint32_t(step / 3));
    std::size_t const begin = step % 3 * 8, end = std::min<std::size_t>(begin + 8, 19);
    Index tokens = 0;
    hand.begin_step(Index(end - begin));
    for (std::size_t first = begin; first < end; first += 4) {
      RaggedBatch batch;
      Model::Labels labels;
      batch.first_example = Index(first - begin);
      for (std::size_t i = first; i < std::min(first + 4, end); ++i) {
        batch.push_back(data.tokens[order[i]]);
        std::get<0>(labels).push_back(std::int32_t(sentiment[order[i]]));
        std::get<1>(labels).push_back(stars[order[i]]);
      }
      tokens += batch.rows();
      hand.accumulate(batch, labels, test::SentimentLosses{{1, 0.02}}, {true, 3, step});
    }
    hand.end_step();
    GlobalNormClip{0.5}.apply<Cpu<fp32>>(hand.context(), store, clip);
    auto const results = hand.step_results();
    double const rate = 2e-3 * std::min(1.0, double(step + 1) / 2) * double(6 - step) / 6;
    double ce = 0, l1 = 0, right = 0;
    for (std::size_t i = 0; i < end - begin; ++i) {
      ce += results.losses[0][i] / double(end - begin);
      l1 += results.losses[1][i] / double(end - begin);
      double const predicted = results.outputs.heads[0](Index(i), 1) > results.outputs.heads[0](Index(i), 0) ? 1 : 0;
      right += predicted == sentiment[order[begin + i]] ? 1 : 0;
    }
    StepReport const& report = reports[step];
    CHECK(report.step == Index(step) + 1);
    CHECK(report.total_steps == 6);
    CHECK(report.epoch == Index(step / 3));
    REQUIRE(report.losses.size() == 2);
    CHECK(report.losses[0].first == "is_positive");
    CHECK(report.losses[0].second == Approx(ce).epsilon(1e-12));
    CHECK(report.losses[1].first == "star_rating");
    CHECK(report.losses[1].second == Approx(l1).epsilon(1e-12));
    CHECK(report.accuracy == Approx(right / double(end - begin)).epsilon(1e-12));
    CHECK(report.learning_rate == Approx(rate).epsilon(1e-15));
    CHECK(report.grad_norm == clip.fetch_norm());
    CHECK(report.group_norms == clip.fetch_norms().groups);
    std::string groups;
    double squares = 0;
    for (auto const& [group, norm] : report.group_norms) {
      groups += group + " ";
      squares += norm * norm;
    }
    CHECK(groups == "embeddings layer.0 layer.1 is_positive star_rating ");
    CHECK(std::sqrt(squares) == Approx(report.grad_norm).epsilon(1e-12));
    CHECK(report.examples == Index(end - begin));
    CHECK(report.tokens == tokens);
    optimizer.step<Cpu<fp32>>(hand.context(), store, state, clip.scale(), report.learning_rate);
  }
  CHECK(test::weights_hash(model) == test::weights_hash(hand));
  CHECK(reports.back().total_tokens == fit.tokens);
}

TEST_CASE("a training that knows which words' gradients are zero is the one that reads them all, to the bit") {
  auto const data = some_data(19);
  auto const labels = labels_for<Model::HeadsType>(data);
  BertConfig config = test::small_config();
  config.hidden_size = 32;
  Model::ModelOptions const model_options{.backend = {2}, .seed = 1, .dropout = {}};
  auto knows = Model::from_config(config, {}, model_options), reads = Model::from_config(config, {}, model_options);
  REQUIRE(knows.parameters().used_rows().used);
  auto const used = [](Model const& model) {
    UsedRows const rows = model.parameters().used_rows();
    return std::count(rows.used, rows.used + rows.count, 1);
  };
  TrainerOptions const one{.learning_rate = 2e-3, .batch_size = 1, .step_every = 2};
  Trainer trainer{knows, one, recipe()};
  Trainer other{reads, one, recipe<ReadsAllRows>()};
  for (std::size_t i = 0; i + 1 < 19; i += 2) {
    std::vector<std::size_t> const rows{i, i + 1};
    double const norm = trainer.step(data, labels, rows, 100).grad_norm;
    REQUIRE(used(knows) < config.vocab_size);
    CHECK(other.step(data, labels, rows, 100).grad_norm == norm);
    REQUIRE(used(reads) == config.vocab_size);
    CHECK(test::weights_hash(knows) == test::weights_hash(reads));
  }
  // Words that are no longer in a batch, where somebody wrote: the next step clears them.
  auto& store = knows.parameters();
  Index const word = store.find("bert.embeddings.word_embeddings.weight");
  REQUIRE(word >= 0);
  store.gradient_matrix(word)(30, 0) = std::numeric_limits<float>::quiet_NaN();
  std::vector<std::size_t> const rows{1};
  trainer.step(data, labels, rows, 100);
  other.step(data, labels, rows, 100);
  CHECK(test::weights_hash(knows) == test::weights_hash(reads));
}

TEST_CASE("whichever of epochs and steps ends first") {
  auto const data = some_data(19);
  auto model = test::small_bert<Cpu<fp32>>();
  auto limited = options;
  limited.num_steps = 4;
  Trainer<Model, SentimentRecipe> trainer(model, limited, recipe());
  CHECK(trainer.fit(data, [](StepReport const&) {}).steps == 4);
  CHECK(trainer.fit(data, [](StepReport const&) {}).steps == 0);  // the run has ended
  limited.epochs = 0;
  Trainer<Model, SentimentRecipe> none(model, limited, recipe());
  CHECK(none.fit(data, [](StepReport const&) {}).steps == 0);
}

TEST_CASE("a run that was stopped and continued is the run that was not") {
  auto const data = some_data(19);
  auto whole = test::small_bert<Cpu<fp32>>(), halves = test::small_bert<Cpu<fp32>>();
  Trainer<Model, SentimentRecipe> one(whole, options, recipe()), two(halves, options, recipe());
  one.fit(data, [](StepReport const&) {});
  for (Index const until : {2, 3, 5, 6}) {  // within an epoch, at its end, in the next
    std::atomic<bool> stop = false;
    auto const fit = two.fit(
        data, [&](StepReport const& report) { stop = report.step == until; }, &stop);
    CHECK(two.steps() == until);
    CHECK(fit.interrupted == (until < 6));
  }
  CHECK(test::weights_hash(whole) == test::weights_hash(halves));
}

TEST_CASE("settings and labels are checked before the first step") {
  auto model = test::small_bert<Cpu<fp32>>();
  std::string const before = test::weights_hash(model);
  auto wrong = [&](auto change) {
    auto changed = options;
    change(changed);
    return test::error_number([&] { Trainer<Model, SentimentRecipe>(model, changed, recipe()); });
  };
  CHECK(wrong([](TrainerOptions&) {}) == 0);
  CHECK(wrong([](TrainerOptions& o) { o.batch_size = 0; }) == 601);
  CHECK(wrong([](TrainerOptions& o) { o.step_every = 0; }) == 601);
  CHECK(wrong([](TrainerOptions& o) { o.epochs = -1; }) == 601);
  CHECK(wrong([](TrainerOptions& o) { o.num_steps = -1; }) == 601);
  CHECK(wrong([](TrainerOptions& o) { o.learning_rate = std::nan(""); }) == 601);
  CHECK(wrong([](TrainerOptions& o) { o.learning_rate = -1; }) == 601);

  auto number = [&](auto change, std::string* text = nullptr) {
    auto data = some_data(19);
    change(data);
    Trainer<Model, SentimentRecipe> trainer(model, options, recipe());
    return test::error_number([&] { trainer.fit(data, [](StepReport const&) { FAIL("a step was done"); }); }, text);
  };
  std::string text;
  CHECK(number([](data::Dataset& d) { d.labels[2].values[7] = std::nan(""); }, &text) == 420);
  CHECK(text.find("review_7.txt") != std::string::npos);
  CHECK(text.find("star_rating") != std::string::npos);
  CHECK(number([](data::Dataset& d) { d.labels[1].values[18] = 2; }, &text) == 420);
  CHECK(text.find("review_18.txt") != std::string::npos);
  CHECK(number([](data::Dataset& d) { d.labels[1].values[18] = 0.5; }) == 420);
  CHECK(number([](data::Dataset& d) { d.labels[1].values.pop_back(); }) == 421);
  CHECK(number([](data::Dataset& d) { d.labels.pop_back(); }, &text) == 401);
  CHECK(text.find("star_rating") != std::string::npos);
  CHECK(number([](data::Dataset& d) { d.tokens = {}; }) == 422);
  CHECK(test::weights_hash(model) == before);
}

/// Puts a value into the middle of a parameter.
void spoil(Model& model, std::string const& name, float value) {
  Index const id = model.parameters().find(name);
  auto values = model.parameters().get(id);
  values[values.size() / 2] = value;
  model.parameters().set(id, values);
}

TEST_CASE("a weight that is not a number is named") {
  auto const data = some_data(8);
  std::string text;
  for (char const* name : {"bert.encoder.layer.1.output.dense.weight", "is_positive.weight", "star_rating.bias"}) {
    INFO(name);
    auto model = test::small_bert<Cpu<fp32>>();
    spoil(model, name, std::numeric_limits<float>::quiet_NaN());
    std::string const before = test::weights_hash(model);
    Trainer<Model, SentimentRecipe> trainer(model, options, recipe());
    CHECK(test::error_number([&] { trainer.fit(data, [](StepReport const&) {}); }, &text) == 620);
    CHECK(text.find(name) != std::string::npos);
    CHECK(text.find("step 1") != std::string::npos);
    CHECK(text.find(name[0] == 's' ? "head star_rating" : "head is_positive") != std::string::npos);
    CHECK(test::weights_hash(model) == before);
    CHECK(trainer.steps() == 0);
  }
}

TEST_CASE("a loss that overflows where no gradient does changes nothing either") {
  auto const data = some_data(8);
  auto model = test::small_bert<Cpu<fp32>>();
  spoil(model, "star_rating.bias", 3e38f);  // 5 * 3e38 + 5 is infinite; the gradient of |x| is 1
  std::string const before = test::weights_hash(model);
  Trainer<Model, SentimentRecipe> trainer(model, options, recipe());
  std::string text;
  CHECK(test::error_number([&] { trainer.fit(data, [](StepReport const&) {}); }, &text) == 620);
  CHECK(text.find("head star_rating") != std::string::npos);
  CHECK(text.find("the loss itself overflowed") != std::string::npos);
  CHECK(test::weights_hash(model) == before);
}

TEST_CASE("a gradient that overflows where no loss does") {
  // Huge logits that are right: the loss is zero; a huge star is finite as a loss, and its gradient times a weight is not.
  auto const data = some_data(8);
  auto model = test::small_bert<Cpu<fp32>>();
  auto strong = recipe();
  strong.losses = test::SentimentLosses{{1, 1e38}};
  Index const id = model.parameters().find("star_rating.weight");
  auto weights = model.parameters().get(id);
  for (float& w : weights) w = 10;
  model.parameters().set(id, weights);
  std::string const before = test::weights_hash(model);
  Trainer<Model, SentimentRecipe> trainer(model, options, strong);
  std::string text;
  CHECK(test::error_number([&] { trainer.fit(data, [](StepReport const&) {}); }, &text) == 621);
  CHECK(text.find("(gradient)") != std::string::npos);
  CHECK(test::weights_hash(model) == before);
}

}  // namespace
