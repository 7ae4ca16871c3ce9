// Freshly initialised tensors are told from trained ones, by their values alone.
#include "hone/train/doctor_weights.hpp"

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <vector>

#include "hone/core/philox.hpp"
#include "support/catch.hpp"
#include "support/clean_data.hpp"
#include "support/shared_data.hpp"
#include "support/temporary_folder.hpp"

namespace {

namespace fs = std::filesystem;
using namespace hone;
using Model = BertClassifier<Cpu<fp32>>;

double normal(PhiloxStream& random) {
  double const radius = std::sqrt(-2 * std::log(1 - random.uniform()));
  return radius * std::cos(6.283185307179586 * random.uniform());
}

enum class Kind { normal, cut_normal, uniform };

std::vector<float> new_values(Kind kind, Index count, std::uint64_t seed) {
  PhiloxStream random(seed, 1);
  std::vector<float> values;
  while (Index(values.size()) < count) {
    double const x = kind == Kind::uniform ? 2 * random.uniform() - 1 : normal(random);
    if (kind == Kind::cut_normal && std::abs(x) > 2) continue;
    values.push_back(static_cast<float>(0.02 * x));
  }
  return values;
}

TEST_CASE("what was just initialised is not told from random numbers, whatever its distribution and shape") {
  struct Shape {
    Index rows, cols;
  };
  for (auto const shape : {Shape{8, 64}, {32, 32}, {64, 16}, {1000, 24}, {300, 300}, {24, 1000}})
    for (auto const kind : {Kind::normal, Kind::cut_normal, Kind::uniform})
      for (std::uint64_t seed = 0; seed < 20; ++seed) {
        auto const values = new_values(kind, shape.rows * shape.cols, seed);
        auto const scores = randomness_scores(std::span(values), shape.rows, shape.cols);
        INFO(shape.rows << " x " << shape.cols << ", kind " << int(kind) << ", seed " << seed);
        CHECK(scores.largest() < 6);
        CHECK(scores.values == values.size());
      }
}

TEST_CASE("each way in which training shapes a tensor raises its own score") {
  Index const rows = 64, cols = 48;
  auto const scores_of = [&](auto change) {
    auto values = new_values(Kind::normal, rows * cols, 3);
    for (Index r = 0; r < rows; ++r)
      for (Index c = 0; c < cols; ++c) change(values[std::size_t(r * cols + c)], r, c);
    return randomness_scores(std::span(std::as_const(values)), rows, cols);
  };
  CHECK(scores_of([](float&, Index, Index) {}).largest() < 6);
  CHECK(scores_of([](float& v, Index, Index) { v += 0.01f; }).mean > 6);
  CHECK(scores_of([](float& v, Index r, Index) { v *= r % 2 ? 1.5f : 1; }).row_energies > 6);
  CHECK(scores_of([](float& v, Index, Index c) { v *= c % 2 ? 1.5f : 1; }).column_energies > 6);
  CHECK(scores_of([](float& v, Index r, Index) { v += r % 2 ? 0.01f : -0.01f; }).row_means > 6);
  CHECK(scores_of([](float& v, Index, Index c) { v += c % 2 ? 0.01f : -0.01f; }).column_means > 6);
  CHECK(scores_of([](float& v, Index r, Index c) { v = r == 9 && c == 7 ? 0.5f : v; }).shape > 6);
}

TEST_CASE("rows of zeros, a padding token's, do not make a new table look trained") {
  auto values = new_values(Kind::normal, 40 * 32, 5);
  std::fill_n(values.begin(), 32, 0.0f);
  auto const scores = randomness_scores(std::span(std::as_const(values)), 40, 32);
  CHECK(scores.largest() < 6);
  CHECK(scores.values == 39 * 32);
}

TEST_CASE("of a large tensor every k-th row is looked at") {
  auto const values = new_values(Kind::normal, 1000 * 50, 5);
  CHECK(randomness_scores(std::span(values), 1000, 50, 5000).values == 5000);
}

TEST_CASE("LayerNorm and biases: as they were made, or not; key.bias says nothing") {
  auto const look = [](std::string name, ParameterKind kind, std::vector<float> const& values) {
    ParameterInfo info;
    info.name = std::move(name);
    info.shape = {Index(values.size())};
    info.kind = kind;
    return looks_new(info, std::span(values));
  };
  CHECK(look("a.LayerNorm.weight", ParameterKind::norm_weight, {1, 1, 1}) == "all values are 1");
  CHECK(look("a.LayerNorm.weight", ParameterKind::norm_weight, {1, 1, 1.0001f}).empty());
  CHECK(look("a.LayerNorm.weight", ParameterKind::norm_weight, {0.5f, 0.5f}).empty());
  CHECK(look("a.LayerNorm.bias", ParameterKind::norm_bias, {0, 0}) == "all values are 0");
  CHECK(look("a.query.bias", ParameterKind::bias, {0, 0, 0}) == "all values are 0");
  CHECK(look("a.query.bias", ParameterKind::bias, {0, 0, 1e-6f}).empty());
  CHECK(look("a.self.key.bias", ParameterKind::bias, {0, 0, 0}).empty());
}

TEST_CASE("a model from nothing is told as such, without a verdict on its values") {
  auto const model = test::small_bert<Cpu<fp32>>();
  auto const findings = examine_weights(model.parameters(), model.ledger());
  CHECK(test::verdict(findings, "D01") == "note");
  CHECK(test::verdict(findings, "D02") == "none");
}

TEST_CASE("tiny models of random weights are found out") {
  fs::path const shared = test::shared_data();
  if (shared.empty()) HONE_SKIP("shared data not found");
  for (char const* which : {"tiny-bert-1L-random", "tiny-bert-2L-random"}) {
    INFO(which);
    test::TemporaryFolder folder;  // without their tokenizers, which are not BERT's
    for (char const* file : {"config.json", "model.safetensors"})
      fs::copy_file(shared / "fixtures" / which / file, folder / file);
    auto const model = Model::from_pretrained(folder.path(), {.backend = {1}, .seed = 0, .dropout = {}});
    auto const findings = examine_weights(model.parameters(), model.ledger());
    CHECK(test::verdict(findings, "D01") == "ok");
    CHECK(test::verdict(findings, "D02") == "error");
    auto const found = (*test::finding_of(findings, "D02").data)["look_new"].get<std::vector<std::string>>();
    for (auto const& info : model.parameters().infos()) {
      bool const small = info.name.find("token_type") != std::string::npos || detail::ends_with(info.name, "key.bias");
      bool const head = info.name.rfind("bert.", 0) != 0;  // new by design
      INFO(info.name);
      CHECK((std::find(found.begin(), found.end(), info.name) != found.end()) == (!small && !head));
    }
  }
}

TEST_CASE("a pretrained model is clean, and each tensor that is made anew in it is named") {
  fs::path const shared = test::shared_data();
  if (shared.empty()) HONE_SKIP("shared data not found");
  auto model = Model::from_pretrained(shared / "models" / "all-MiniLM-L6-v2", {.backend = {1}, .seed = 0, .dropout = {}});
  auto const clean = examine_weights(model.parameters(), model.ledger());
  CHECK(test::verdict(clean, "D01") == "ok");
  CHECK(test::verdict(clean, "D02") == "ok");
  CHECK((*test::finding_of(clean, "D01").data)["new"] == 4);

  std::vector<std::string> const planted{
      "bert.embeddings.position_embeddings.weight", "bert.encoder.layer.3.output.dense.weight",
      "bert.encoder.layer.5.output.LayerNorm.bias", "bert.encoder.layer.5.output.LayerNorm.weight"};
  for (auto const& name : planted) model.parameters().initialize(model.parameters().find(name), 7);
  auto const findings = examine_weights(model.parameters(), model.ledger());
  CHECK(test::verdict(findings, "D02") == "warning");
  auto found = (*test::finding_of(findings, "D02").data)["look_new"].get<std::vector<std::string>>();
  std::sort(found.begin(), found.end());
  CHECK(found == planted);
  CHECK(test::finding_of(findings, "D02").detail.find("LayerNorm.weight: all values are 1") != std::string::npos);
}

TEST_CASE("a ledger with problems is an error") {
  auto const model = test::small_bert<Cpu<fp32>>();
  Ledger ledger;
  ledger.add({"a", "is_positive.weight", LedgerState::loaded, "", {2, 20}});
  ledger.add({"", "star_rating.weight", LedgerState::missing, "", {1, 20}});
  CHECK(test::verdict(examine_weights(model.parameters(), ledger), "D01") == "error");
}

}  // namespace
