// The arithmetic of a whole model against stored double-precision values of PyTorch: expected/tiny.
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "hone/generic/backend.hpp"
#include "hone/io/json.hpp"
#include "hone/optim/adamw.hpp"
#include "hone/optim/clip.hpp"
#include "hone/optim/schedule.hpp"
#include "support/backends.hpp"
#include "support/catch.hpp"
#include "support/in_brief.hpp"
#include "support/stored_values.hpp"
#include "support/tiny_bert.hpp"

namespace {

using namespace hone;
namespace fs = std::filesystem;
using hone::test::check_stored;

using Losses = WeightedSum<CrossEntropy, L1>;
constexpr DropoutKey no_dropout{};

/// The longest chain of additions behind one value, for float: each of 2 blocks adds up D = 24 or F = 40 products six
/// times forward and as often backward, and gradients add up to 60 rows.
constexpr std::int64_t chain = 2 * 2 * 6 * 40 + 60;

template <class B>
using ScalarOf = ActivationOf<typename B::Precision>;

bool is_key_bias(std::string const& name) { return name.ends_with("key.bias"); }

struct Needs {
  fs::path folder = hone::test::expected().empty() ? fs::path() : hone::test::expected() / "tiny";
  bool has(std::string const& file) const { return !folder.empty() && fs::exists(folder / file); }
};

double mean(std::vector<double> const& values) {
  double sum = 0;
  for (double const v : values) sum += v;
  return sum / double(values.size());
}

/// Outputs, hidden states, losses and every gradient of every stored batch.
template <class B>
void check_batches(fs::path const& folder) {
  using T = ScalarOf<B>;
  INFO("backend " << B::name << " " << B::Precision::name);
  double const tolerance = hone::test::stored_tolerance<T>(chain);
  auto model = BertClassifier<B>::from_pretrained(folder);
  model.poison(true);
  SafetensorsReader const stored(folder / "expected.safetensors");
  auto const batches = hone::test::stored_batches(folder / "batches.safetensors");
  REQUIRE(batches.size() == 4);
  for (std::size_t k = 0; k < batches.size(); ++k) {
    std::string const prefix = "batch." + std::to_string(k) + ".";
    auto const& [batch, labels] = batches[k];
    auto check = [&](std::string const& name, std::vector<double> const& got) {
      check_stored(prefix + name, got, stored.read<double>(prefix + name), tolerance);
    };
    auto const hidden = model.hidden_states(batch);
    REQUIRE(hidden.size() == 3);
    for (std::size_t l = 0; l < hidden.size(); ++l) check("hidden." + std::to_string(l), hidden[l].values);
    auto const outputs = model.predict(batch);
    check("logits", outputs.template get<"is_positive">().values);
    check("star_rating", outputs.template get<"star_rating">().values);

    model.begin_step(batch.size());
    model.accumulate(batch, labels, Losses{{1, 0.02}}, no_dropout);
    model.end_step();
    auto const results = model.step_results();
    check("logits", results.outputs.template get<"is_positive">().values);
    check("star_rating", results.outputs.template get<"star_rating">().values);
    check("cross_entropy", {mean(results.losses[0])});
    check("l1", {mean(results.losses[1])});

    auto& store = model.parameters();
    double largest_gradient = 0;
    for (auto const& info : store.infos())
      largest_gradient = std::max(largest_gradient, hone::test::largest(stored.read<double>(prefix + "grad." + info.name)));
    for (Index id = 0; id < store.count(); ++id) {
      std::string const& name = store.info(id).name;
      auto const gradient = stored.read<double>(prefix + "grad." + name);
      // The true gradient of key.bias is zero; what is stored is the rounding of sums of values up to the largest gradient.
      if (is_key_bias(name))
        CHECK(hone::test::largest(store.get_gradient(id)) <= hone::test::rounding_bound<T>(chain, largest_gradient));
      else
        check_stored(prefix + "grad." + name, store.get_gradient(id), gradient, tolerance);
    }
    CHECK(stored.tensors().size() % batches.size() == 0);
    CHECK(std::size_t(store.count()) + 7 == stored.tensors().size() / batches.size());  // nothing stored was left out
  }
}

TEST_CASE("outputs, hidden states, losses and gradients of four batches") {
  Needs const data;
  if (!data.has("expected.safetensors")) HONE_SKIP("expected/tiny/expected.safetensors is absent");
  check_batches<Reference<fp64>>(data.folder);
  check_batches<Cpu<fp64>>(data.folder);
  check_batches<Reference<fp32>>(data.folder);
  check_batches<Cpu<fp32>>(data.folder);
}
TEMPLATE_TEST_CASE("outputs, hidden states, losses and gradients of four batches, on the device's operations", "",
                   HONE_DEVICE_BACKENDS(fp64), testing::CudaEmulator<fp32>) {
  Needs const data;
  if (!data.has("expected.safetensors")) HONE_SKIP("expected/tiny/expected.safetensors is absent");
  check_batches<TestType>(data.folder);
}

struct Settings {
  Index steps, step_every, warmup;
  double lr, weight_decay, clip, star_weight, epsilon, beta1, beta2;
  bool to_zero, no_decay;

  explicit Settings(nlohmann::json const& json)
      : steps(json.at("steps")),
        step_every(json.at("step_every")),
        warmup(json.at("warmup")),
        lr(json.at("lr")),
        weight_decay(json.at("weight_decay")),
        clip(json.at("clip")),
        star_weight(json.at("star_weight")),
        epsilon(json.at("eps")),
        beta1(json.at("betas").at(0)),
        beta2(json.at("betas").at(1)),
        to_zero(json.at("linear_to_zero")),
        no_decay(json.at("no_decay_for_bias_and_layer_norm")) {}
};

/// One stored training run: losses and norm of every step, final weights.
template <class B, class Groups>
void check_run(fs::path const& folder, std::string const& run) {
  using T = ScalarOf<B>;
  constexpr bool in_double = std::is_same_v<T, double>;
  INFO("run " << run << ", backend " << B::name << " " << B::Precision::name);
  auto const record = read_json_file(folder / ("train-" + run + ".json"));
  Settings const settings(record.at("settings"));
  auto const batches = hone::test::stored_batches(folder / "batches.safetensors");
  REQUIRE(!batches.empty());
  auto model = BertClassifier<B>::from_pretrained(folder);
  model.poison(true);
  auto& store = model.parameters();
  std::vector<std::vector<T>> initial;
  for (Index id = 0; id < store.count(); ++id) initial.push_back(store.get(id));

  BasicAdamW<Groups> const optimizer{settings.weight_decay, settings.beta1, settings.beta2, settings.epsilon, {}};
  auto state = optimizer.template init<B>(model.context(), store);
  ClipState<B> clip(model.context(), store);
  OneOf<LinearWarmup, LinearWarmupDecay> schedule{LinearWarmup{settings.warmup}};
  if (settings.to_zero) schedule.choice = LinearWarmupDecay{settings.warmup};

  // In float, rounding moves each step's weights and the next step starts from there: the bound of one batch, times the
  // number of steps so far (Adam's steps have the size of the learning rate, whatever the gradient's).
  double const one = hone::test::stored_tolerance<T>(chain);
  std::size_t next = 0;
  REQUIRE(record.at("log").size() == std::size_t(settings.steps));
  for (Index step = 0; step < settings.steps; ++step) {
    auto const& log = record.at("log").at(std::size_t(step));
    std::vector<std::size_t> micro;
    Index examples = 0, first = 0;
    for (Index i = 0; i < settings.step_every; ++i) {
      micro.push_back(next++ % batches.size());
      examples += batches[micro.back()].batch.size();
    }
    model.begin_step(examples);
    for (std::size_t const m : micro) {
      RaggedBatch batch = batches[m].batch;
      batch.first_example = first;
      first += batch.size();
      model.accumulate(batch, batches[m].labels, Losses{{1, settings.star_weight}}, no_dropout);
    }
    model.end_step();
    GlobalNormClip{settings.clip}.template apply<B>(model.context(), store, clip);
    double const rate = settings.lr * schedule.factor(step, settings.steps);
    auto const results = model.step_results();
    double const tolerance = in_double ? one : one * double(step + 1);
    INFO("step " << step + 1);
    check_stored("learning rate", std::vector<double>{rate}, {log.at("learning_rate").get<double>()}, 1e-15);
    check_stored("cross entropy", std::vector<double>{mean(results.losses[0])}, {log.at("cross_entropy").get<double>()},
                 tolerance);
    check_stored("l1", std::vector<double>{mean(results.losses[1])}, {log.at("l1").get<double>()}, tolerance);
    check_stored("gradient norm", std::vector<double>{clip.fetch_norm()}, {log.at("grad_norm").get<double>()}, tolerance);
    optimizer.template step<B>(model.context(), store, state, clip.scale(), rate);
  }

  SafetensorsReader const stored(folder / ("train-" + run + ".safetensors"));
  CHECK(stored.tensors().size() == std::size_t(store.count()));
  for (Index id = 0; id < store.count(); ++id) {
    std::string const& name = store.info(id).name;
    auto const expected = stored.read<double>(name);
    auto const got = store.get(id);
    if (in_double) {
      check_stored(name, got, expected, 1e-9);
    } else if (!is_key_bias(name)) {  // Adam makes steps of the size of the learning rate from key.bias's rounding noise
      double moved = 0, apart = 0;
      for (std::size_t i = 0; i < got.size(); ++i) {
        moved += std::pow(expected[i] - double(initial[std::size_t(id)][i]), 2);
        apart += std::pow(expected[i] - double(got[i]), 2);
      }
      INFO(name << " moved by " << std::sqrt(moved) << ", is off by " << std::sqrt(apart));
      CHECK(std::sqrt(apart) <= one * double(settings.steps) * std::sqrt(moved) + 1e-6 * hone::test::largest(expected));
    }
  }
}

template <class... Backends>
void check_run(std::string const& run) {
  Needs const data;
  if (!data.has("train-" + run + ".json")) HONE_SKIP(("expected/tiny/train-" + run + ".json is absent").c_str());
  auto const no_decay =
      read_json_file(data.folder / ("train-" + run + ".json")).at("settings").at("no_decay_for_bias_and_layer_norm");
  auto check = [&]<class B>(std::type_identity<B>) {
    if (no_decay.get<bool>())
      check_run<B, NoDecayForBiasAndNorm>(data.folder, run);
    else
      check_run<B, OneGroup>(data.folder, run);
  };
  (check(std::type_identity<Backends>{}), ...);
}
void check_run(std::string const& run) { check_run<Reference<fp64>, Cpu<fp64>, Cpu<fp32>>(run); }

TEST_CASE("training run: default") { check_run("default"); }
TEST_CASE("training run: accumulation of unequal batches") { check_run("accumulate"); }
TEST_CASE("training run: warm-up and linear decay") { check_run("warmup_linear"); }
TEST_CASE("training run: no decay of biases and norms") { check_run("no_decay_groups"); }
TEST_CASE("training run: tight clipping") { check_run("tight_clip"); }
TEMPLATE_TEST_CASE("training runs, on the device's operations", "", HONE_DEVICE_BACKENDS(fp64),
                   testing::CudaEmulator<fp32>) {
  if (test::in_brief<TestType> && std::is_same_v<typename TestType::Precision, fp64>) return;  // float shows as much
  for (char const* run : {"accumulate", "default", "warmup_linear", "no_decay_groups", "tight_clip"}) {
    check_run<TestType>(run);
    if (test::in_brief<TestType>) break;
  }
}

}  // namespace
