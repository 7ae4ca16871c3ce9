#include "hone/io/huggingface.hpp"

#include <algorithm>
#include <map>

#include "hone/io/safetensors.hpp"
#include "hone/models/bert_config.hpp"
#include "support/catch.hpp"
#include "support/error_matcher.hpp"
#include "support/shared_data.hpp"

using hone::CheckpointTensor;
using hone::ExpectedParameter;
using hone::LedgerState;
using hone::LoadPlan;
using hone::test::error_number;

namespace {

/// The parameters of an encoder of these sizes with the two heads, as the classifier expects them.
std::vector<ExpectedParameter> expected(std::int64_t layers, std::int64_t width = 4, std::int64_t feed_forward = 6,
                                        std::int64_t words = 11, std::int64_t positions = 7, std::int64_t segments = 2) {
  std::vector<ExpectedParameter> list;
  auto const affine = [&](std::string const& name, std::int64_t out, std::int64_t in, bool may_be_new = false) {
    list.push_back({name + ".weight", {out, in}, may_be_new});
    list.push_back({name + ".bias", {out}, may_be_new});
  };
  auto const norm = [&](std::string const& name) {
    list.push_back({name + ".weight", {width}});
    list.push_back({name + ".bias", {width}});
  };
  list.push_back({"bert.embeddings.word_embeddings.weight", {words, width}});
  list.push_back({"bert.embeddings.position_embeddings.weight", {positions, width}});
  list.push_back({"bert.embeddings.token_type_embeddings.weight", {segments, width}});
  norm("bert.embeddings.LayerNorm");
  for (std::int64_t layer = 0; layer < layers; ++layer) {
    std::string const block = "bert.encoder.layer." + std::to_string(layer) + ".";
    for (char const* part : {"query", "key", "value"}) affine(block + "attention.self." + part, width, width);
    affine(block + "attention.output.dense", width, width);
    norm(block + "attention.output.LayerNorm");
    affine(block + "intermediate.dense", feed_forward, width);
    affine(block + "output.dense", width, feed_forward);
    norm(block + "output.LayerNorm");
  }
  affine("is_positive", 2, width, true);
  affine("star_rating", 1, width, true);
  return list;
}

/// A checkpoint that has exactly these parameters, or those of the encoder alone.
std::vector<CheckpointTensor> checkpoint(std::vector<ExpectedParameter> const& parameters, bool heads, bool prefix = true) {
  std::vector<CheckpointTensor> tensors;
  for (auto const& parameter : parameters) {
    if (parameter.may_be_new && !heads) continue;
    bool const encoder = parameter.name.starts_with("bert.");
    tensors.push_back({encoder && !prefix ? parameter.name.substr(5) : parameter.name, parameter.shape});
  }
  return tensors;
}

hone::LedgerEntry const& entry_of(LoadPlan const& plan, std::string const& name) {
  for (auto const& entry : plan.ledger.entries())
    if (entry.tensor == name || entry.parameter == name) return entry;
  throw std::runtime_error("no entry for " + name);
}

}  // namespace

TEST_CASE("names with and without the prefix, heads there or not") {
  auto const parameters = expected(2);
  for (bool const prefix : {true, false}) {
    for (bool const heads : {true, false}) {
      LoadPlan const plan = hone::plan_loading(checkpoint(parameters, heads, prefix), parameters);
      INFO(plan.ledger.table());
      CHECK(plan.ledger.ok());
      CHECK(plan.load.size() == parameters.size() - (heads ? 0 : 4));
      CHECK(plan.ledger.count(LedgerState::loaded) == plan.load.size());
      CHECK(plan.ledger.count(LedgerState::created) == (heads ? 0 : 4));
      CHECK(plan.load[0].first == "bert.embeddings.word_embeddings.weight");
      CHECK(plan.load[0].second ==
            (prefix ? "bert.embeddings.word_embeddings.weight" : "embeddings.word_embeddings.weight"));
      for (auto const& [parameter, tensor] : plan.load) CHECK((parameter == tensor || parameter == "bert." + tensor));
    }
  }
}

TEST_CASE("old names of LayerNorm") {
  auto const parameters = expected(1);
  auto tensors = checkpoint(parameters, false);
  int renamed = 0;
  for (auto& tensor : tensors) {
    auto const at = tensor.name.find("LayerNorm.");
    if (at == std::string::npos) continue;
    tensor.name = tensor.name.substr(0, at) + (tensor.name.ends_with("weight") ? "LayerNorm.gamma" : "LayerNorm.beta");
    ++renamed;
  }
  CHECK(renamed == 6);
  LoadPlan const plan = hone::plan_loading(tensors, parameters);
  CHECK(plan.ledger.ok());
  CHECK(entry_of(plan, "bert.embeddings.LayerNorm.weight").tensor == "bert.embeddings.LayerNorm.gamma");
  CHECK(entry_of(plan, "bert.encoder.layer.0.output.LayerNorm.bias").tensor == "bert.encoder.layer.0.output.LayerNorm.beta");
}

TEST_CASE("extra tensors are ignored, each with its reason") {
  auto const parameters = expected(2);
  auto tensors = checkpoint(parameters, true);
  std::map<std::string, std::string> const extras{
      {"bert.pooler.dense.weight", "not used"},
      {"bert.embeddings.position_ids", "buffer"},
      {"cls.predictions.transform.LayerNorm.gamma", "masked words"},
      {"cls.predictions.decoder.weight", "masked words"},
      {"cls.seq_relationship.weight", "next sentence"},
      {"classifier.bias", "another task"},
      {"qa_outputs.weight", "another task"},
      {"something", "unknown"},
  };
  for (auto const& [name, reason] : extras) tensors.push_back({name, {3}});
  tensors.push_back({"embeddings.position_ids", {1, 7}});
  tensors.push_back({"pooler.dense.bias", {4}});
  LoadPlan const plan = hone::plan_loading(tensors, parameters);
  CHECK(plan.ledger.ok());
  CHECK(plan.ledger.count(LedgerState::ignored) == extras.size() + 2);
  for (auto const& [name, reason] : extras) {
    CHECK(entry_of(plan, name).state == LedgerState::ignored);
    CHECK(entry_of(plan, name).reason.find(reason) != std::string::npos);
  }
  CHECK(plan.load.size() == parameters.size());
}

TEST_CASE("what a model expects is loaded, even under a name that is ignored elsewhere") {
  std::vector<ExpectedParameter> const parameters{{"cls.predictions.bias", {3}}, {"classifier.weight", {2, 4}, true}};
  std::vector<CheckpointTensor> const tensors{{"cls.predictions.bias", {3}}, {"classifier.weight", {2, 4}}};
  CHECK(hone::plan_loading(tensors, parameters).load.size() == 2);
}

TEST_CASE("a missing encoder tensor is a problem") {
  auto const parameters = expected(2);
  auto tensors = checkpoint(parameters, true);
  std::erase_if(tensors, [](auto const& tensor) { return tensor.name == "bert.encoder.layer.1.attention.self.key.bias"; });
  LoadPlan const plan = hone::plan_loading(tensors, parameters);
  CHECK(plan.ledger.count(LedgerState::missing) == 1);
  std::string text;
  CHECK(error_number([&] { plan.ledger.require_ok("m"); }, &text) == 510);
  CHECK(text.find("bert.encoder.layer.1.attention.self.key.bias: not in the file") != std::string::npos);
}

TEST_CASE("another shape is a problem, for the encoder and for the heads") {
  auto const parameters = expected(1);
  for (std::string const name : {"bert.encoder.layer.0.intermediate.dense.weight", "is_positive.weight"}) {
    auto tensors = checkpoint(parameters, true);
    for (auto& tensor : tensors)
      if (tensor.name == name) tensor.shape = {5, 4};
    LoadPlan const plan = hone::plan_loading(tensors, parameters);
    CHECK_FALSE(plan.ledger.ok());
    CHECK(plan.load.size() == parameters.size() - 1);
    CHECK(entry_of(plan, name).state == LedgerState::mismatched);
    CHECK(entry_of(plan, name).reason == (name[0] == 'i' ? "shape (5, 4) in the file, (2, 4) in the model"
                                                         : "shape (5, 4) in the file, (6, 4) in the model"));
  }
}

TEST_CASE("half a head is a problem") {
  auto const parameters = expected(1);
  auto tensors = checkpoint(parameters, true);
  std::erase_if(tensors, [](auto const& tensor) { return tensor.name == "is_positive.bias"; });
  LoadPlan const plan = hone::plan_loading(tensors, parameters);
  CHECK(entry_of(plan, "is_positive.bias").state == LedgerState::missing);
  CHECK(entry_of(plan, "star_rating.bias").state == LedgerState::loaded);
}

TEST_CASE("a deeper model than config.json says is a problem, and so is another architecture") {
  auto const parameters = expected(2);
  for (bool const prefix : {true, false}) {
    LoadPlan const plan = hone::plan_loading(checkpoint(expected(3), false, prefix), parameters);
    CHECK_FALSE(plan.ledger.ok());
    CHECK(plan.ledger.count(LedgerState::mismatched) == 16);
    CHECK(entry_of(plan, std::string(prefix ? "bert." : "") + "encoder.layer.2.output.dense.bias").reason ==
          "encoder block 2 of a deeper model: config.json says 2 blocks");
  }
  LoadPlan const shallow = hone::plan_loading(checkpoint(expected(1), false), parameters);
  CHECK(shallow.ledger.count(LedgerState::missing) == 16);

  for (std::string const name :
       {"bert.encoder.layer.0.attention.self.distance_embedding.weight", "encoder.layer.1.crossattention.self.key.bias",
        "bert.encoder.relative_attention_bias.weight", "bert.encoder.layer.99999999999999999999.x",
        "bert.encoder.layer.-1.x", "encoder.layer.1"}) {
    auto tensors = checkpoint(parameters, true);
    tensors.push_back({name, {4}});
    LoadPlan const plan = hone::plan_loading(tensors, parameters);
    CHECK_FALSE(plan.ledger.ok());
    CHECK(entry_of(plan, name).reason == "part of an encoder that this model cannot compute");
  }
}

TEST_CASE("two tensors for one parameter") {
  auto const parameters = expected(1);
  for (std::string const name : {"embeddings.word_embeddings.weight", "bert.embeddings.LayerNorm.gamma"}) {
    auto tensors = checkpoint(parameters, false);
    tensors.push_back({name, {11, 4}});
    std::string text;
    CHECK(error_number([&] { hone::plan_loading(tensors, parameters); }, &text) == 511);
    CHECK(text.find(name) != std::string::npos);
  }
}

TEST_CASE("real checkpoints load whole") {
  auto const data = hone::test::shared_data();
  if (data.empty()) HONE_SKIP("no shared data");
  struct Model {
    char const* folder;
    std::size_t ignored, created;
  };
  for (Model const model : {Model{"models/all-MiniLM-L6-v2", 3, 4}, Model{"fixtures/tiny-bert-1L-random", 0, 4},
                            Model{"fixtures/tiny-bert-2L-random", 0, 4}, Model{"expected/tiny", 0, 0}}) {
    if (!std::filesystem::exists(data / model.folder)) continue;
    INFO(model.folder);
    auto const config = hone::BertConfig::from_file(data / model.folder / "config.json");
    auto const weights = hone::ModelWeights::open(data / model.folder);
    std::vector<CheckpointTensor> tensors;
    for (auto const& tensor : weights.tensors()) tensors.push_back({tensor.name, tensor.shape});
    auto const parameters = expected(config.num_hidden_layers, config.hidden_size, config.intermediate_size,
                                     config.vocab_size, config.max_position_embeddings, config.type_vocab_size);
    LoadPlan const plan = hone::plan_loading(tensors, parameters);
    INFO(plan.ledger.table());
    CHECK(plan.ledger.ok());
    CHECK(plan.ledger.count(LedgerState::ignored) == model.ignored);
    CHECK(plan.ledger.count(LedgerState::created) == model.created);
    CHECK(plan.load.size() == parameters.size() - model.created);
  }
}
