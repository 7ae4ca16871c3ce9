// Model folders: what is saved is what is loaded, whatever names a checkpoint uses; wrong folders are refused.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "hone/cpu/backend.hpp"
#include "hone/io/json.hpp"
#include "hone/io/safetensors.hpp"
#include "support/catch.hpp"
#include "support/error_matcher.hpp"
#include "support/small_bert.hpp"
#include "support/temporary_folder.hpp"

namespace {

using namespace hone;
namespace fs = std::filesystem;
using Model = BertClassifier<Cpu<fp32>>;

/// A folder with a small model; the words of its vocabulary are [PAD], [UNK], [CLS], [SEP], [MASK], a, b, ..., z.
struct Saved {
  test::TemporaryFolder folder{};
  Saved() {
    BertConfig config = test::small_config();
    Model::from_config(config, vocabulary(31), {.backend = {1}, .seed = 3, .dropout = {}}).save(folder.path());
  }
  static Tokenizer vocabulary(int size) {
    test::TemporaryFolder made;
    std::string words = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n";
    for (int i = 5; i < size; ++i) words += (i < 31 ? std::string(1, char('a' + i - 5)) : "w" + std::to_string(i)) + "\n";
    test::write_file(made / "vocab.txt", words);
    return Tokenizer::from_folder(made.path());
  }
  fs::path weights() const { return folder / "model.safetensors"; }

  /// Rewrites the weights: each tensor may get another name (empty: left out), other values, another shape.
  template <class Edit>
  void rewrite(Edit&& edit) const {
    struct Tensor {
      std::string name;
      std::vector<std::int64_t> shape;
      std::vector<float> values;
    };
    std::vector<Tensor> tensors;
    {
      SafetensorsReader const reader(weights());
      for (auto const& info : reader.tensors()) {
        Tensor tensor{info.name, info.shape, reader.read<float>(info.name)};
        edit(tensor.name, tensor.shape, tensor.values);
        if (!tensor.name.empty()) tensors.push_back(std::move(tensor));
      }
    }
    std::vector<TensorToWrite> written;
    for (auto const& tensor : tensors) written.push_back({tensor.name, DType::F32, tensor.shape, tensor.values.data()});
    write_safetensors(weights(), written);
  }
  int error(std::string* text = nullptr) const {
    return test::error_number([&] { Model::from_pretrained(folder.path()); }, text);
  }
};

TEST_CASE("a saved model is loaded to the bit") {
  auto const dropped = GENERATE(false, true);
  test::TemporaryFolder folder;
  auto model = Model::from_config(test::small_config(), Saved::vocabulary(31), {.backend = {1}, .seed = 8, .dropout = {}});
  auto const batch = test::random_batch({7, 3, 12}).batch;
  auto const said = model.predict(batch);
  model.save(folder.path());
  if (dropped) model.save(folder.path());  // over a folder that has a model
  auto loaded = Model::from_pretrained(folder.path());
  CHECK(test::weights_hash(loaded) == test::weights_hash(model));
  CHECK(loaded.predict(batch).heads[0].values == said.heads[0].values);
  CHECK(loaded.predict(batch).heads[1].values == said.heads[1].values);
  CHECK(loaded.ledger().count(LedgerState::loaded) == std::size_t(loaded.parameters().count()));
  CHECK(loaded.ledger().count(LedgerState::created) == 0);
  CHECK(loaded.ledger().count(LedgerState::ignored) == 0);
  CHECK(loaded.tokenizer().encode("a b") == model.tokenizer().encode("a b"));
  auto const before = model.config().to_json(), after = loaded.config().to_json();
  for (auto const& [key, value] : before.items()) {
    INFO(key);
    CHECK(after.at(key) == value);
  }
  // Saved again, the same bytes.
  test::TemporaryFolder again;
  loaded.save(again.path());
  for (char const* file : {"model.safetensors", "config.json", "vocab.txt"}) {
    INFO(file);
    CHECK(!test::read_file(folder / file).empty());
    CHECK(test::read_file(again / file) == test::read_file(folder / file));
  }
}

TEST_CASE("a model in double is saved in double") {
  test::TemporaryFolder folder;
  auto const model = BertClassifier<Cpu<fp64>>::from_config(test::small_config());
  model.save(folder.path());
  auto const loaded = BertClassifier<Cpu<fp64>>::from_pretrained(folder.path());
  CHECK(test::weights_hash(loaded) == test::weights_hash(model));
  CHECK_FALSE(loaded.has_tokenizer());
  CHECK(test::error_number([&] { loaded.tokenizer(); }) == 532);
  auto const rounded = Model::from_pretrained(folder.path());  // a float model takes the nearest floats
  auto const exact = model.parameters().get(0);
  auto const near = rounded.parameters().get(0);
  for (std::size_t i = 0; i < exact.size(); ++i) REQUIRE(near[i] == float(exact[i]));
}

TEST_CASE("old names, no prefix, and tensors that nobody needs") {
  Saved const saved;
  std::string const before = test::weights_hash(Model::from_pretrained(saved.folder.path()));
  auto strip = [](std::string& name) {
    if (name.starts_with("bert.")) name = name.substr(5);
  };
  auto old = [](std::string& name) {
    if (name.ends_with("LayerNorm.weight")) name.replace(name.size() - 6, 6, "gamma");
    if (name.ends_with("LayerNorm.bias")) name.replace(name.size() - 4, 4, "beta");
  };
  SECTION("without the prefix") {
    saved.rewrite([&](std::string& name, auto&, auto&) { strip(name); });
    CHECK(test::weights_hash(Model::from_pretrained(saved.folder.path())) == before);
  }
  SECTION("gamma and beta") {
    saved.rewrite([&](std::string& name, auto&, auto&) { old(name); });
    CHECK(test::weights_hash(Model::from_pretrained(saved.folder.path())) == before);
  }
  SECTION("both") {
    saved.rewrite([&](std::string& name, auto&, auto&) {
      strip(name);
      old(name);
    });
    CHECK(test::weights_hash(Model::from_pretrained(saved.folder.path())) == before);
  }
  SECTION("without heads: those are new, and say so") {
    saved.rewrite([&](std::string& name, auto&, auto&) {
      if (!name.starts_with("bert.")) name.clear();
    });
    auto const loaded = Model::from_pretrained(saved.folder.path(), {.backend = {1}, .seed = 5, .dropout = {}});
    CHECK(loaded.ledger().count(LedgerState::created) == 4);
    CHECK(loaded.ledger().summary().find("new 4: is_positive.weight") != std::string::npos);
    CHECK(test::weights_hash(loaded) != before);
    CHECK(test::weights_hash(loaded) ==
          test::weights_hash(Model::from_pretrained(saved.folder.path(), {.backend = {2}, .seed = 5, .dropout = {}})));
    CHECK(test::weights_hash(loaded) !=
          test::weights_hash(Model::from_pretrained(saved.folder.path(), {.backend = {1}, .seed = 6, .dropout = {}})));
  }
}

TEST_CASE("weights that are not the model's are refused") {
  Saved const saved;
  std::string text;
  std::string const wanted = "bert.encoder.layer.1.output.dense.weight";
  SECTION("a tensor is missing") {
    saved.rewrite([&](std::string& name, auto&, auto&) {
      if (name == wanted) name.clear();
    });
    CHECK(saved.error(&text) == 510);
    CHECK(text.find(wanted) != std::string::npos);
  }
  SECTION("a tensor has another shape") {
    saved.rewrite([&](std::string& name, auto& shape, auto&) {
      if (name == wanted) std::swap(shape[0], shape[1]);
    });
    CHECK(saved.error(&text) == 510);
    CHECK(text.find(wanted) != std::string::npos);
  }
  SECTION("a head has another width") {
    saved.rewrite([&](std::string& name, auto& shape, auto& values) {
      if (name == "is_positive.weight") shape = {1, 20}, values.resize(20);
    });
    CHECK(saved.error(&text) == 510);
    CHECK(text.find("is_positive.weight") != std::string::npos);
  }
  SECTION("the configuration has more layers") {
    auto config = read_json_file(saved.folder / "config.json");
    config["num_hidden_layers"] = 3;
    test::write_file(saved.folder / "config.json", config.dump());
    CHECK(saved.error(&text) == 510);
    CHECK(text.find("bert.encoder.layer.2") != std::string::npos);
  }
  SECTION("the file is cut off") {
    std::string const bytes = test::read_file(saved.weights());
    for (std::size_t const length : {bytes.size() - 1, bytes.size() / 2, std::size_t{100}, std::size_t{7}, std::size_t{0}}) {
      INFO(length << " of " << bytes.size() << " bytes");
      test::write_file(saved.weights(), bytes.substr(0, length));
      int const number = saved.error();
      CHECK(number >= 201);
      CHECK(number <= 239);
    }
  }
  SECTION("there are no weights") {
    fs::remove(saved.weights());
    CHECK(saved.error() == 238);
  }
  SECTION("there is no configuration") {
    fs::remove(saved.folder / "config.json");
    CHECK(saved.error() >= 201);
  }
}

TEST_CASE("a vocabulary that is not the model's is refused") {
  BertConfig const config = test::small_config();
  CHECK(test::error_number([&] { Model::from_config(config, Saved::vocabulary(31)); }) == 0);
  CHECK(test::error_number([&] { Model::from_config(config, Saved::vocabulary(30)); }) == 0);  // padded to a round number
  CHECK(test::error_number([&] { Model::from_config(config, Saved::vocabulary(32)); }) == 531);
  BertConfig large = config;
  large.vocab_size = 31 + 256;
  CHECK(test::error_number([&] { Model::from_config(large, Saved::vocabulary(31)); }) == 531);
  Saved const saved;
  test::TemporaryFolder other;
  Model::from_config(large, Saved::vocabulary(280)).save(other.path());
  fs::copy_file(other / "vocab.txt", saved.folder / "vocab.txt", fs::copy_options::overwrite_existing);
  for (char const* extra : {"tokenizer.json", "tokenizer_config.json"})
    if (fs::exists(other / extra)) fs::copy_file(other / extra, saved.folder / extra, fs::copy_options::overwrite_existing);
  CHECK(saved.error() == 531);
}

TEST_CASE("ids outside the tables are refused") {
  auto model = Model::from_config(test::small_config());
  auto number = [&](std::vector<std::int32_t> const& tokens, std::vector<std::int32_t> const& segments = {}) {
    RaggedBatch batch;
    batch.push_back(tokens, segments);
    return test::error_number([&] { model.predict(batch); });
  };
  CHECK(number({1, 30}) == 0);
  CHECK(number({1, 31}) == 414);
  CHECK(number({1, -1}) == 414);
  CHECK(number(std::vector<std::int32_t>(40, 1)) == 0);
  CHECK(number(std::vector<std::int32_t>(41, 1)) == 415);
  CHECK(number({1, 2}, {0, 2}) == 416);
}

TEST_CASE("dropout probabilities outside [0, 1) are refused") {
  for (double const p : {-0.1, 1.0, std::nan("")})
    CHECK(test::error_number(
              [&] { Model::from_config(test::small_config(), {}, {.backend = {1}, .seed = 0, .dropout = p}); }) == 533);
  CHECK(Model::from_config(test::small_config(), {}, {.backend = {1}, .seed = 0, .dropout = 0.25})
            .config()
            .hidden_dropout_prob == 0.25);
}

TEST_CASE("small models of others load") {
  fs::path const fixtures = test::shared_data() / "fixtures";
  if (test::shared_data().empty() || !fs::exists(fixtures / "tiny-bert-1L-random"))
    HONE_SKIP("fixtures/tiny-bert-*-random are absent");
  auto check = [](Model model, std::vector<std::int32_t> const& ids) {
    CHECK(model.ledger().ok());
    CHECK(model.ledger().count(LedgerState::created) == 4);
    CHECK(model.ledger().count(LedgerState::ignored) == 0);
    RaggedBatch batch;
    batch.push_back(ids);
    CHECK(std::isfinite(model.predict(batch).heads[0](0, 0)));
  };
  for (char const* name : {"tiny-bert-1L-random", "tiny-bert-2L-random"}) {  // their tokenizer.json is not BERT's
    INFO(name);
    CHECK(test::error_number([&] { Model::from_pretrained(fixtures / name); }) == 305);
    test::TemporaryFolder weights;
    for (char const* file : {"config.json", "model.safetensors"}) fs::copy_file(fixtures / name / file, weights / file);
    check(Model::from_pretrained(weights.path()), {2, 7, 255, 3});
  }
}

/// Where a Python with transformers is: $HONE_PYTHON.
TEST_CASE("transformers loads what was saved and computes the same") {
  char const* const python = std::getenv("HONE_PYTHON");
  if (python == nullptr) HONE_SKIP("HONE_PYTHON does not name a Python with torch, transformers and safetensors");
  test::TemporaryFolder folder;
  auto model = Model::from_config(test::small_config(), Saved::vocabulary(31), {.backend = {1}, .seed = 12, .dropout = {}});
  fs::path const saved = folder / "model";
  model.save(saved);
  RaggedBatch batch;
  batch.push_back(model.tokenizer().encode("a b c q z"));
  auto const hidden = model.hidden_states(batch).back();
  std::string numbers;
  for (double const v : hidden.values) numbers += std::to_string(v) + "\n";
  test::write_file(folder / "hidden.txt", numbers);
  test::write_file(folder / "check.py", R"(
import sys, torch
from safetensors.torch import load_file
from transformers import AutoModel, AutoTokenizer
folder = sys.argv[1]
model, info = AutoModel.from_pretrained(folder + "/model", output_loading_info=True, add_pooling_layer=False)
assert type(model).__name__ == "BertModel", type(model)
assert not info["missing_keys"] and not info["mismatched_keys"], info
assert {k.split(".")[0] for k in info["unexpected_keys"]} <= {"is_positive", "star_rating"}, info
ids = AutoTokenizer.from_pretrained(folder + "/model")("a b c q z")["input_ids"]
got = model.eval()(torch.tensor([ids])).last_hidden_state.flatten().tolist()
expected = [float(line) for line in open(folder + "/hidden.txt")]
assert len(got) == len(expected), (ids, len(got), len(expected))
worst = max(abs(a - b) for a, b in zip(got, expected))
assert worst < 1e-5, worst
heads = load_file(folder + "/model/model.safetensors")
assert heads["is_positive.weight"].shape == (2, 20) and heads["star_rating.bias"].shape == (1,)
)");
  std::string const command =
      std::string(python) + " '" + (folder / "check.py").string() + "' '" + folder.path().string() + "'";
  CHECK(std::system(command.c_str()) == 0);
}

}  // namespace
