#include "hone/models/bert_config.hpp"

#include <nlohmann/json.hpp>

#include "hone/core/atomic_file.hpp"
#include "support/catch.hpp"
#include "support/error_matcher.hpp"
#include "support/shared_data.hpp"
#include "support/temporary_folder.hpp"

using hone::BertConfig;
using hone::test::error_number;
using nlohmann::json;

namespace {

json small() {
  return json::parse(R"({"model_type":"bert","vocab_size":99,"hidden_size":32,"num_hidden_layers":2,"num_attention_heads":4,
    "intermediate_size":37,"max_position_embeddings":64,"use_cache":true,"id2label":{"0":"a"}})");
}

/// The error that a field gives, 0 if it is accepted. A value "absent" removes the field.
int with(std::string const& key, json const& value, std::string* text = nullptr) {
  json config = small();
  config[key] = value;
  if (value == json("absent")) config.erase(key);
  return error_number([&] { BertConfig::from_json(config, "config.json"); }, text);
}

}  // namespace

TEST_CASE("sizes are read, the rest has the defaults of transformers") {
  BertConfig const config = BertConfig::from_json(small(), "config.json");
  CHECK(config.vocab_size == 99);
  CHECK(config.hidden_size == 32);
  CHECK(config.num_hidden_layers == 2);
  CHECK(config.num_attention_heads == 4);
  CHECK(config.head_size() == 8);
  CHECK(config.intermediate_size == 37);
  CHECK(config.max_position_embeddings == 64);
  CHECK(config.type_vocab_size == 2);
  CHECK(config.layer_norm_eps == 1e-12);
  CHECK(config.hidden_dropout_prob == 0.1);
  CHECK(config.attention_probs_dropout_prob == 0.1);
  CHECK_FALSE(config.classifier_dropout.has_value());
  CHECK(config.head_dropout() == 0.1);
  CHECK(config.initializer_range == 0.02);
  CHECK(config.hidden_act == "gelu");
  CHECK(config.pad_token_id == 0);
  CHECK_NOTHROW(config.check());
}

TEST_CASE("fields are written back, those that are not ours too") {
  hone::test::TemporaryFolder folder;
  json fields = small();
  fields["classifier_dropout"] = nullptr;
  fields["pad_token_id"] = nullptr;
  BertConfig config = BertConfig::from_json(fields, "config.json");
  json written = config.to_json();
  for (auto const& [key, value] : fields.items()) CHECK(written.at(key) == value);
  config.hidden_dropout_prob = 0.25;
  config.classifier_dropout = 0.5;
  config.layer_norm_eps = 1e-5;
  config.save(folder / "config.json");
  BertConfig const again = BertConfig::from_file(folder / "config.json");
  CHECK(again.hidden_dropout_prob == 0.25);
  CHECK(again.head_dropout() == 0.5);
  CHECK(again.layer_norm_eps == 1e-5);
  CHECK(again.raw->at("id2label").at("0") == "a");
  CHECK(again.to_json() == config.to_json());
}

TEST_CASE("a configuration filled in by hand is checked the same way") {
  BertConfig config;
  CHECK(error_number([&] { config.check(); }) == 213);
  config.vocab_size = 99;
  config.hidden_size = config.intermediate_size = 32;
  config.num_hidden_layers = 1;
  config.num_attention_heads = 4;
  config.max_position_embeddings = 8;
  CHECK_NOTHROW(config.check());
  CHECK(config.to_json().at("model_type") == "bert");
  config.hidden_size = 33;
  CHECK(error_number([&] { config.check(); }) == 521);
}

TEST_CASE("what the encoder cannot compute is refused by name") {
  std::string text;
  CHECK(with("model_type", "roberta", &text) == 520);
  CHECK(text.find("config.json asks for something that this library cannot compute: \"model_type\"") != std::string::npos);
  CHECK(text.find("file config.json, found \"roberta\", allowed \"bert\"") != std::string::npos);
  CHECK(with("model_type", 3) == 520);
  CHECK(with("model_type", "absent") == 0);
  CHECK(with("position_embedding_type", "relative_key") == 520);
  CHECK(with("position_embedding_type", "absolute") == 0);
  for (char const* key : {"is_decoder", "is_encoder_decoder", "add_cross_attention"}) {
    CHECK(with(key, true) == 520);
    CHECK(with(key, 1) == 520);
    CHECK(with(key, false) == 0);
    CHECK(with(key, nullptr) == 0);
  }
  CHECK(with("quantization_config", {{"bits", 4}}) == 520);
  CHECK(with("quantization_config", nullptr) == 0);
  CHECK(with("pruned_heads", {{"0", {1}}}) == 520);
  CHECK(with("pruned_heads", json::object()) == 0);
  CHECK(with("hidden_act", "silu", &text) == 213);
  CHECK(text.find("found \"silu\", allowed gelu, gelu_new, gelu_pytorch_tanh, relu") != std::string::npos);
  for (char const* act : {"gelu", "gelu_new", "gelu_pytorch_tanh", "relu"}) CHECK(with("hidden_act", act) == 0);
}

TEST_CASE("sizes that are missing, mistyped, absurd or do not fit together") {
  for (char const* key : {"vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size",
                          "max_position_embeddings"}) {
    INFO(key);
    CHECK(with(key, "absent") == 211);
    CHECK(with(key, nullptr) == 211);
    CHECK(with(key, "32") == 212);
    CHECK(with(key, 32.0) == 212);
    CHECK(with(key, true) == 212);
    CHECK(with(key, json::array({32})) == 212);
    CHECK(with(key, 0) == 213);
    CHECK(with(key, -32) == 213);
    CHECK(with(key, 1 << 30) == 213);
    CHECK(with(key, std::int64_t{1} << 62) == 213);
    CHECK(with(key, ~std::uint64_t{0}) == 213);
  }
  std::string text;
  CHECK(with("num_attention_heads", 5, &text) == 521);
  CHECK(text.find("found 32 and 5") != std::string::npos);
  json large = small();
  large["hidden_size"] = 1 << 16;
  large["num_hidden_layers"] = 1024;
  CHECK(error_number([&] { BertConfig::from_json(large, "c"); }) == 521);
}

TEST_CASE("probabilities and constants") {
  for (char const* key : {"hidden_dropout_prob", "attention_probs_dropout_prob", "classifier_dropout"}) {
    CHECK(with(key, 0) == 0);
    CHECK(with(key, 0.999) == 0);
    CHECK(with(key, 1) == 213);
    CHECK(with(key, -0.1) == 213);
    CHECK(with(key, 1e300) == 213);
    CHECK(with(key, "0.1") == 212);
    CHECK(with(key, nullptr) == 0);
  }
  CHECK(with("layer_norm_eps", 0) == 213);
  CHECK(with("layer_norm_eps", 1e-5) == 0);
  CHECK(with("layer_norm_eps", "1e-5") == 212);
  CHECK(with("pad_token_id", 98) == 0);
  CHECK(with("pad_token_id", 99) == 213);
  CHECK(with("pad_token_id", -1) == 213);
  CHECK(with("type_vocab_size", 0) == 213);
}

TEST_CASE("files that are no configuration") {
  hone::test::TemporaryFolder folder;
  auto const read = [&](std::string const& content) {
    hone::write_file_atomically(folder / "config.json", content);
    return error_number([&] { BertConfig::from_file(folder / "config.json"); });
  };
  CHECK(error_number([&] { BertConfig::from_file(folder / "config.json"); }) == 201);
  CHECK(error_number([&] { BertConfig::from_file(folder.path()); }) == 203);
  CHECK(read("") == 210);
  CHECK(read("{") == 210);
  CHECK(read("[]") == 212);
  CHECK(read("{}") == 211);
  CHECK(read("{\"hidden_dropout_prob\":NaN}") == 210);
  CHECK(read("\xef\xbb\xbf{}") == 210);
  CHECK(read(R"({"vocab_size":99,"vocab_size":98})") == 215);
  CHECK(read(std::string((4 << 20) + 1, ' ')) == 204);
}

TEST_CASE("real configurations") {
  auto const data = hone::test::shared_data();
  if (data.empty()) HONE_SKIP("no shared data");
  int found = 0;
  for (char const* folder : {"models/all-MiniLM-L6-v2", "vocab/bert-base-cased", "vocab/bert-base-uncased", "expected/tiny",
                             "fixtures/tiny-bert-1L-random", "fixtures/tiny-bert-2L-random"}) {
    auto const path = data / folder / "config.json";
    if (!std::filesystem::exists(path)) continue;
    INFO(path);
    ++found;
    BertConfig const config = BertConfig::from_file(path);
    json const written = config.to_json();
    for (auto const& [key, value] : config.raw->items()) CHECK(written.at(key) == value);
  }
  CHECK(found > 0);
}
