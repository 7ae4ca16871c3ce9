// A real pretrained model on real reviews against stored values of PyTorch: expected/pretrained.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "hone/core/sha256.hpp"
#include "hone/data/archive.hpp"
#include "hone/io/json.hpp"
#include "hone/io/safetensors_reader.hpp"
#include "hone/loss/cross_entropy.hpp"
#include "hone/loss/l1.hpp"
#include "hone/models/bert_classifier.hpp"
#include "hone/optim/adamw.hpp"
#include "hone/optim/clip.hpp"
#include "support/catch.hpp"
#include "support/in_brief.hpp"
#include "support/shared_data.hpp"
#include "support/stored_values.hpp"

namespace {

using namespace hone;
namespace fs = std::filesystem;
using hone::test::check_stored;
using hone::test::sanitized;  // ten times slower: fewer reviews and steps, said so in the output
using Losses = WeightedSum<CrossEntropy, L1>;

/// The stored case: reviews in order, their ids and stars.
struct Case {
  fs::path folder{}, model{};
  std::string missing{};  // what is absent; empty: nothing
  std::vector<std::string> names{}, texts{};
  std::vector<Index> lengths{};
  std::size_t batch_size = 0;
  std::string checksum{};

  Case() {
    if (hone::test::expected().empty() || !fs::exists(hone::test::expected() / "pretrained" / "reviews.json")) {
      missing = "expected/pretrained/reviews.json is absent";
      return;
    }
    folder = hone::test::expected() / "pretrained";
    auto const json = read_json_file(folder / "reviews.json");
    fs::path const archive = hone::test::shared_data() / json.at("archive").get<std::string>();
    model = hone::test::shared_data() / "models" / json.at("model").get<std::string>();
    for (fs::path const& needed : {archive, model})
      if (!fs::exists(needed)) missing = needed.filename().string() + " is absent";
    if (!missing.empty()) return;
    names = json.at("reviews").get<std::vector<std::string>>();
    lengths = json.at("tokens_per_review").get<std::vector<Index>>();
    batch_size = json.at("batch_size").get<std::size_t>();
    checksum = json.at("sha256_of_int32_ids").get<std::string>();
    std::map<std::string, std::string> found;
    std::set<std::string, std::less<>> const wanted(names.begin(), names.end());
    data::for_each_file(
        archive, [&](std::string_view name) { return wanted.contains(name); },
        [&](std::string const& name, std::string content) { found[name] = std::move(content); });
    for (auto const& name : names) texts.push_back(found.at(name));
  }
  double stars(std::size_t i) const { return std::stod(names[i].substr(names[i].rfind('_') + 1)); }

  /// Reviews first .. first + count - 1 as a batch with labels.
  template <class Labels>
  std::pair<RaggedBatch, Labels> batch(RaggedTokens const& ids, std::size_t first, std::size_t count) const {
    std::pair<RaggedBatch, Labels> made;
    for (std::size_t i = first; i < first + count; ++i) {
      made.first.push_back(ids[i]);
      std::get<0>(made.second).push_back(stars(i) > 5 ? 1 : 0);
      std::get<1>(made.second).push_back(stars(i));
    }
    return made;
  }
};

/// The pretrained model with the stored heads, without dropout.
template <class B>
BertClassifier<B> load(Case const& stored) {
  auto model = BertClassifier<B>::from_pretrained(stored.model, {.dropout = 0});
  CHECK(model.ledger().count(LedgerState::created) == 4);  // two heads
  SafetensorsReader const heads(stored.folder / "heads.safetensors");
  for (auto const& head : heads.tensors())
    model.parameters().set(model.parameters().find(head.name), heads.read<MasterOf<typename B::Precision>>(head.name));
  return model;
}

double mean(std::vector<double> const& values) {
  double sum = 0;
  for (double const v : values) sum += v;
  return sum / double(values.size());
}

TEST_CASE("the tokenizer gives the ids that were stored") {
  Case const stored;
  if (!stored.missing.empty()) HONE_SKIP(stored.missing.c_str());
  auto const tokenizer = Tokenizer::from_folder(stored.model);
  ThreadPool pool(2);
  auto const ids = tokenizer.encode_batch(stored.texts, 512, pool);
  REQUIRE(ids.size() == stored.lengths.size());
  for (std::size_t i = 0; i < ids.size(); ++i) REQUIRE(Index(ids[i].size()) == stored.lengths[i]);
  Sha256 sum;
  sum.update(std::span<std::int32_t const>(ids.tokens));
  CHECK(sum.hex() == stored.checksum);
}

TEST_CASE("outputs, losses and gradients of a batch of reviews in double") {
  using B = Cpu<fp64>;
  Case const stored;
  if (!stored.missing.empty()) HONE_SKIP(stored.missing.c_str());
  if (!fs::exists(stored.folder / "expected.safetensors")) HONE_SKIP("expected/pretrained/expected.safetensors is absent");
  SafetensorsReader const values(stored.folder / "expected.safetensors");
  auto model = load<B>(stored);
  ThreadPool pool(2);
  auto const ids = model.tokenizer().encode_batch(stored.texts, 512, pool);
  auto check = [&](std::string const& name, std::vector<double> const& got) {
    check_stored(name, got, values.read<double>(name), 1e-9);
  };
  if (sanitized) {  // the first two reviews, forward alone: what is stored of the others needs minutes here
    std::printf("with sanitizers: 2 of %zu reviews, outputs only\n", stored.batch_size);
    auto const [batch, labels] = stored.batch<BertClassifier<B>::Labels>(ids, 0, 2);
    auto const outputs = model.predict(batch);
    auto logits = values.read<double>("logits"), stars = values.read<double>("star_rating");
    check_stored("logits", outputs.get<"is_positive">().values, {logits.begin(), logits.begin() + 4}, 1e-9);
    check_stored("star_rating", outputs.get<"star_rating">().values, {stars.begin(), stars.begin() + 2}, 1e-9);
    return;
  }
  auto const [batch, labels] = stored.batch<BertClassifier<B>::Labels>(ids, 0, stored.batch_size);
  {
    auto const last = model.hidden_states(batch).back();
    std::vector<double> cls;
    for (Index b = 0; b < batch.size(); ++b) {
      double const* row = last.row(batch.offsets[std::size_t(b)]);
      cls.insert(cls.end(), row, row + last.cols);
    }
    check("cls", cls);
  }
  model.begin_step(batch.size());
  model.accumulate(batch, labels, Losses{{1, 0.02}}, {});
  model.end_step();
  auto const results = model.step_results();
  check("logits", results.outputs.get<"is_positive">().values);
  check("star_rating", results.outputs.get<"star_rating">().values);
  check("cross_entropy", {mean(results.losses[0])});
  check("l1", {mean(results.losses[1])});

  auto const& store = model.parameters();
  double largest_norm = 0;
  for (auto const& info : store.infos())
    largest_norm = std::max(largest_norm, values.read<double>("grad_norm." + info.name)[0]);
  for (Index id = 0; id < store.count(); ++id) {
    std::string const& name = store.info(id).name;
    auto gradient = store.get_gradient(id);
    double squares = 0;
    for (double const g : gradient) squares += g * g;
    double const norm = std::sqrt(squares);
    if (name.ends_with(
            "key.bias")) {  // zero in exact arithmetic: sums over the batch's rows of values up to the largest gradient
      INFO(name);
      CHECK(norm <= hone::test::rounding_bound<double>(batch.rows(), largest_norm));
      continue;
    }
    auto const first = values.read<double>("grad_first." + name);
    gradient.resize(first.size());
    check("grad_norm." + name, {norm});
    // Of a large gradient 16 values are stored, perhaps small ones: as if the largest had the root mean square's size.
    double const typical = norm / std::sqrt(double(store.info(id).size));
    check_stored("grad_first." + name, gradient, first, 1e-9, typical);
  }
}

/// Largest relative difference of one quantity over the first steps of two logs: how far one run drifted from the other.
double drift(nlohmann::json const& run, nlohmann::json const& from, char const* quantity, std::size_t steps) {
  double most = 0;
  for (std::size_t s = 0; s < steps; ++s) {
    double const a = run.at(s).at(quantity), b = from.at(s).at(quantity);
    most = std::max(most, std::abs(a - b) / std::abs(b));
  }
  return most;
}

TEST_CASE("training steps in float stay within three times PyTorch's own drift") {
  using B = Cpu<fp32>;
  Case const stored;
  if (!stored.missing.empty()) HONE_SKIP(stored.missing.c_str());
  for (char const* file : {"train.json", "train-float32.json"})
    if (!fs::exists(stored.folder / file)) HONE_SKIP(file);
  auto const exact = read_json_file(stored.folder / "train.json"),
             theirs = read_json_file(stored.folder / "train-float32.json");
  auto const& settings = exact.at("settings");
  REQUIRE(settings == theirs.at("settings"));
  REQUIRE(settings.at("warmup") == 0);
  REQUIRE(settings.at("linear_to_zero") == false);
  REQUIRE(settings.at("no_decay_for_bias_and_layer_norm") == false);
  REQUIRE(settings.at("step_every") == 1);
  std::size_t const all = exact.at("log").size(), steps = sanitized ? 1 : all;
  REQUIRE(all >= 20);
  if (sanitized) std::printf("with sanitizers: 1 of %zu steps\n", all);

  auto model = load<B>(stored);
  ThreadPool pool(2);
  auto const ids = model.tokenizer().encode_batch(stored.texts, 512, pool);
  AdamW const optimizer{
      settings.at("weight_decay"), settings.at("betas").at(0), settings.at("betas").at(1), settings.at("eps"), {}};
  auto state = optimizer.init<B>(model.context(), model.parameters());
  ClipState<B> clip(model.context(), model.parameters());
  nlohmann::json log = nlohmann::json::array();
  for (std::size_t step = 0; step < steps; ++step) {
    auto const [batch, labels] = stored.batch<BertClassifier<B>::Labels>(ids, step * stored.batch_size, stored.batch_size);
    model.begin_step(batch.size());
    model.accumulate(batch, labels, Losses{{1, settings.at("star_weight")}}, {});
    model.end_step();
    GlobalNormClip{settings.at("clip")}.apply<B>(model.context(), model.parameters(), clip);
    auto const results = model.step_results();
    log.push_back(
        {{"cross_entropy", mean(results.losses[0])}, {"l1", mean(results.losses[1])}, {"grad_norm", clip.fetch_norm()}});
    optimizer.step<B>(model.context(), model.parameters(), state, clip.scale(), settings.at("lr"));
  }
  // PyTorch's drift over all its steps: that of one step is a matter of luck.
  for (char const* quantity : {"cross_entropy", "l1", "grad_norm"}) {
    double const ours = drift(log, exact.at("log"), quantity, steps);
    double const pytorch = drift(theirs.at("log"), exact.at("log"), quantity, all);
    std::printf("drift of %s over %zu steps: %.2g, PyTorch's %.2g\n", quantity, steps, ours, pytorch);
    INFO(quantity);
    CHECK(pytorch > 0);
    CHECK(ours <= 3 * pytorch);
  }
}

}  // namespace
