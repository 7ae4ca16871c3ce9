// What the doctor finds by running the model: each fault is planted, and the model is afterwards what it was, to the bit.
#include "hone/train/doctor_model.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "hone/train/doctor.hpp"
#include "support/catch.hpp"
#include "support/clean_data.hpp"
#include "support/error_matcher.hpp"

namespace {

using namespace hone;
using test::finding_of;
using test::verdict;
template <class P>
using ModelOf = BertClassifier<Cpu<P>>;
using Model = ModelOf<fp32>;

DoctorOptions patient() {
  DoctorOptions options;
  options.seconds = 1e9;
  options.training.learning_rate = 1e-3;
  return options;
}
template <class M, class R = Recipe<>>
std::vector<Finding> examined(M& model, data::Dataset const& data, R const& recipe = test::clean_recipe(),
                              DoctorOptions const& options = patient()) {
  DoctorSpeed speed;
  return examine_model(model, data, recipe, options, speed);
}
std::string bits(Model const& model) {
  Sha256 sum;
  auto const add = [&sum](auto view) { sum.update(view.data, std::size_t(view.size) * sizeof(view.data[0])); };
  add(model.parameters().weights());
  add(model.parameters().gradients());
  return sum.hex();
}
void fill(Model& model, std::string const& name, float value) {
  Index const id = model.parameters().find(name);
  REQUIRE(id >= 0);
  model.parameters().set(id, std::vector<float>(std::size_t(model.parameters().info(id).size), value));
}

TEST_CASE("a clean model: nothing is found") {
  auto const data = test::clean_data(200);
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    INFO("seed " << seed);
    auto model = test::clean_model<Model>(seed);
    auto options = patient();
    options.training.seed = seed;
    auto const findings = examined(model, data, test::clean_recipe(), options);
    for (auto const& finding : findings) {
      INFO(finding.number << " " << finding.title << " " << finding.detail);
      CHECK(finding.severity == Severity::ok);
    }
    for (char const* number : {"D20", "D21", "D22", "D23", "D24"}) CHECK(verdict(findings, number) == "ok");
    CHECK(verdict(findings, "D60") == "none");
  }
}

TEST_CASE("the model is the same to the bit afterwards, gradients and what is frozen too") {
  auto const data = test::clean_data(60);
  auto model = test::clean_model<Model>();
  auto const recipe = test::clean_recipe();
  Trainer<Model, Recipe<>> some(
      model, {.learning_rate = 1e-3, .batch_size = 4, .step_every = 1, .epochs = 1, .num_steps = 3, .seed = 0}, recipe);
  some.fit(data, [](StepReport const&) {});  // so that the gradients are not zero
  model.parameters().freeze(3, true);
  std::string const before = bits(model);
  examined(model, data);
  CHECK(bits(model) == before);
  CHECK(model.parameters().is_frozen(3));
  CHECK_FALSE(model.parameters().is_frozen(4));
  // Also where the examination ends with an error in its middle: a label beyond the head stops the backward pass.
  auto wrong = data;
  wrong.labels[0].values[59] = 2;
  CHECK(test::error_number([&] { examined(model, wrong); }) == 420);
  CHECK(bits(model) == before);
}

TEST_CASE("a snapshot puts back what was there when its work is ended by an exception") {
  auto model = test::clean_model<ModelOf<mixed>>();
  auto& store = model.parameters();
  auto const weights = store.get(2);
  auto const working = std::vector<bfloat16>(store.matrix(2).data, store.matrix(2).data + store.info(2).size);
  try {
    ParameterSnapshot<Cpu<mixed>> snapshot(model.context(), store);
    store.set(2, std::vector<float>(weights.size(), 3));
    throw 1;
  } catch (int) {}
  CHECK(store.get(2) == weights);
  CHECK(std::equal(working.begin(), working.end(), store.matrix(2).data,
                   [](bfloat16 a, bfloat16 b) { return float(a) == float(b); }));
}

TEST_CASE("a run after an examination is the run without it, to the bit") {
  auto const data = test::clean_data(60), other = test::clean_data(20, 2);
  auto const run = [&](bool with_doctor, bool trainer_first) {
    auto model = test::clean_model<Model>();
    auto const recipe = test::clean_recipe();
    TrainerOptions const training{
        .learning_rate = 1e-3, .batch_size = 8, .step_every = 1, .epochs = 1, .num_steps = 100, .seed = 4};
    auto options = patient();
    options.training = training;
    if (with_doctor && !trainer_first) examine(model, data, &other, recipe, options);
    Trainer<Model, Recipe<>> trainer(model, training, recipe);
    if (with_doctor && trainer_first) examine(model, data, &other, recipe, options);
    trainer.fit(data, [](StepReport const&) {});
    return bits(model);
  };
  std::string const without = run(false, false);
  CHECK(run(true, false) == without);
  CHECK(run(true, true) == without);
}

TEST_CASE("D20: a first cross entropy that is not that of chance") {
  auto const data = test::clean_data(100);
  auto model = test::clean_model<Model>();
  auto const bias = model.parameters().find("is_positive.bias");
  auto const with = [&](float difference) {
    model.parameters().set(bias, std::vector<float>{difference, 0});
    return verdict(examined(model, data), "D20");
  };
  CHECK(with(0) == "ok");
  CHECK(with(4) == "warning");  // half of the texts cost 4
  CHECK(with(20) == "error");
  CHECK(with(std::numeric_limits<float>::quiet_NaN()) == "error");
  CHECK(detail::first_loss_finding("h", 2, 0.3, false).severity == Severity::warning);
  CHECK(detail::first_loss_finding("h", 2, 0.3, true).severity == Severity::ok);
  CHECK(detail::first_loss_finding("h", 10, std::log(10.0), false).severity == Severity::ok);
  CHECK(detail::first_loss_finding("h", 10, 9.0, true).severity == Severity::warning);
}

TEST_CASE("D21: labels on another scale than the head") {
  auto data = test::clean_data(100);
  auto model = test::clean_model<Model>();
  CHECK(verdict(examined(model, data), "D21") == "ok");
  for (double& stars : data.labels[1].values) stars += 1000;
  auto const found = finding_of(examined(model, data), "D21");
  CHECK(found.severity == Severity::warning);
  CHECK(found.title.find("star_rating") == 0);
  fill(model, "star_rating.bias", std::numeric_limits<float>::infinity());
  CHECK(verdict(examined(model, data), "D21") == "error");
}

TEST_CASE("D22: a tensor that gets no gradient is named, key.bias is not") {
  auto const data = test::clean_data(100);
  auto model = test::clean_model<Model>();
  // Zero output weights: what lies before them in that half of the block gets nothing, the residual path goes on.
  fill(model, "bert.encoder.layer.1.output.dense.weight", 0);
  auto found = finding_of(examined(model, data), "D22");
  CHECK(found.severity == Severity::error);
  CHECK((*found.data)["zero"] == nlohmann::ordered_json({"bert.encoder.layer.1.intermediate.dense.weight",
                                                         "bert.encoder.layer.1.intermediate.dense.bias"}));
  // A frozen encoder, as where an operation passes no gradient back: everything before the heads is named.
  auto cut = test::clean_model<Model>();
  fill(cut, "is_positive.weight", 0);
  fill(cut, "star_rating.weight", 0);
  found = finding_of(examined(cut, data), "D22");
  CHECK(found.severity == Severity::error);
  CHECK((*found.data)["zero"].size() > 30);
  for (auto const& name : (*found.data)["zero"]) {
    CHECK(name.get<std::string>().find("key.bias") == std::string::npos);
    CHECK(name.get<std::string>().find("is_positive") == std::string::npos);
  }
}

TEST_CASE("D22: contributions that cancel in a batch are not a missing gradient") {
  // L1's gradient to the star head's bias is the sum of signs: with labels of 1 and 10 in turn it is zero in a batch of two.
  auto data = test::clean_data(100);
  for (std::size_t i = 0; i < data.size(); ++i) data.labels[1].values[i] = i % 2 ? 1 : 10;
  auto model = test::clean_model<Model>();
  auto options = patient();
  options.training.batch_size = 2;
  options.order = [](std::size_t count) {
    std::vector<std::size_t> order(count);
    for (std::size_t i = 0; i < count; ++i) order[i] = i;
    return order;
  };
  CHECK(verdict(examined(model, data, test::clean_recipe(), options), "D22") == "ok");
}

TEST_CASE("D22: gradients that are not finite; frozen tensors; heads without a loss") {
  auto const data = test::clean_data(100);
  auto model = test::clean_model<Model>();
  auto recipe = test::clean_recipe();
  recipe.losses.weights = {1, 1e38};
  fill(model, "star_rating.weight", 20);
  auto found = finding_of(examined(model, data, recipe), "D22");
  CHECK(found.severity == Severity::error);
  CHECK_FALSE((*found.data)["not_finite"].empty());

  model = test::clean_model<Model>();
  recipe.losses.weights = {1, 0};
  found = finding_of(examined(model, data, recipe), "D22");
  CHECK(found.severity == Severity::note);
  CHECK(found.detail.find("star_rating") != std::string::npos);

  struct HeadsAlone {
    ParameterSetting setting(ParameterInfo const& info) const { return {info.name.rfind("bert.", 0) == 0 ? 0.0 : 1.0, 1}; }
  };
  Recipe<BasicAdamW<HeadsAlone>> frozen;
  found = finding_of(examined(model, data, frozen), "D22");
  CHECK(found.severity == Severity::ok);
  CHECK((*found.data)["tensors"] == 4);
  struct Nothing {
    ParameterSetting setting(ParameterInfo const&) const { return {0, 1}; }
  };
  CHECK(verdict(examined(model, data, Recipe<BasicAdamW<Nothing>>{}), "D22") == "error");
}

/// An optimizer that does nothing, or goes the wrong way.
template <int Sign>
struct Lame {
  template <Backend B>
  struct State {
    typename AdamW::template State<B> adam;
  };
  template <Backend B>
  State<B> init(typename B::Context& context, ParameterStore<B>& store) const {
    return {AdamW{}.init<B>(context, store)};
  }
  template <Backend B>
  void step(typename B::Context& context, ParameterStore<B>& store, State<B>& state, VectorView<double const> scale,
            double rate) const {
    AdamW{.weight_decay = 0}.step<B>(context, store, state.adam, scale, Sign * rate);
  }
};

TEST_CASE("D23: a recipe that does not learn one batch by heart") {
  auto const data = test::clean_data(100);
  auto model = test::clean_model<Model>();
  auto const still = examined(model, data, Recipe<Lame<0>>{});
  CHECK(verdict(still, "D22") == "ok");
  CHECK(verdict(still, "D23") == "error");
  CHECK(verdict(still, "D24") == "warning");
  CHECK(verdict(examined(model, data, Recipe<Lame<-1>>{}), "D23") == "error");
  CHECK(verdict(examined(model, data, Recipe<Lame<1>>{}), "D23") == "ok");
  CHECK(detail::overfit_finding(1, 0.93, 6, 1e-3, 8).severity == Severity::warning);
  CHECK(detail::overfit_finding(1, std::nan(""), 6, 1e-3, 8).severity == Severity::error);
}

TEST_CASE("D24: learning rates that are too high, close to it, and very low") {
  auto const data = test::clean_data(100);
  auto model = test::clean_model<Model>();
  auto const with = [&](double rate) {
    auto options = patient();
    options.training.learning_rate = rate;
    return finding_of(examined(model, data, test::clean_recipe(), options), "D24");
  };
  auto const usual = with(1e-3);
  INFO(usual.title);
  CHECK(usual.severity == Severity::ok);
  double const too_high = usual.data->at("too_high").get<double>(), best = usual.data->at("best").get<double>();
  REQUIRE(too_high > 0);
  CHECK(best < too_high);
  CHECK(with(too_high).severity == Severity::error);
  CHECK(with(too_high / 2).severity == Severity::warning);
  CHECK(with(best / 10000).severity == Severity::note);
  CHECK(*with(1e-3).data == *usual.data);  // the same call finds the same

  auto recipe = test::clean_recipe();  // a schedule that begins low: one batch at the full rate says less
  recipe.schedule.warmup = 100;
  auto const warmed = [&](double rate) {
    auto options = patient();
    options.training.learning_rate = rate;
    return finding_of(examined(model, data, recipe, options), "D24").severity;
  };
  CHECK(warmed(too_high) == Severity::warning);
  CHECK(warmed(too_high / 2) == Severity::note);
}

TEST_CASE("how a series of losses is read") {
  auto const read = [](std::vector<double> losses) {
    detail::RateRange range;
    double rate = 1e-5;
    for (std::size_t i = 0; i + 1 < losses.size(); ++i, rate *= 10) range.rates.push_back(rate);
    range.losses = std::move(losses);
    detail::read_range(range);
    return range;
  };
  auto const usual = read({1, 0.99, 0.8, 0.2, 3, 0.1});
  CHECK(usual.best == Approx(1e-3));
  CHECK(usual.too_high == Approx(1e-2));  // what comes after it does not count
  CHECK(read({1, 1, 1, 1}).best == 0);
  CHECK(read({1, 0.5, std::nan("")}).too_high == Approx(1e-4));
  CHECK(read({1, 0.5, 0.4}).too_high == 0);
}

TEST_CASE("D60: what there was no time for is told") {
  auto const data = test::clean_data(100);
  auto model = test::clean_model<Model>();
  auto options = patient();
  options.seconds = 0;
  options.training.num_steps = 0;
  auto const findings = examined(model, data, test::clean_recipe(), options);
  CHECK(verdict(findings, "D60") == "note");
  CHECK(verdict(findings, "D22") == "ok");
  CHECK(verdict(findings, "D23") == "none");
}

}  // namespace
