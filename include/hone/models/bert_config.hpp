// The config.json of a BERT model: sizes and constants of the encoder.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <utility>

#include "hone/core/config.hpp"
#include "hone/io/json_box.hpp"

#if HONE_BODIES
#include "hone/core/atomic_file.hpp"
#include "hone/core/error.hpp"
#include "hone/io/config_json.hpp"
#include "hone/io/json.hpp"
#endif

namespace hone {

class ConfigJson;

/// What config.json says about a BERT encoder, under the names that it uses. The defaults of what it may leave out are those
/// of transformers' BertConfig; the six sizes must be there.
///
/// Fields that change nothing here (use_cache, id2label, ...) are kept in `raw` and written back.
struct BertConfig {
  std::int64_t vocab_size = 0;               ///< V
  std::int64_t hidden_size = 0;              ///< D, a multiple of num_attention_heads
  std::int64_t num_hidden_layers = 0;        ///< L
  std::int64_t num_attention_heads = 0;      ///< H
  std::int64_t intermediate_size = 0;        ///< F
  std::int64_t max_position_embeddings = 0;  ///< the longest text in tokens
  std::int64_t type_vocab_size = 2;          ///< segments
  double layer_norm_eps = 1e-12;
  double hidden_dropout_prob = 0.1;
  double attention_probs_dropout_prob = 0.1;
  std::optional<double> classifier_dropout{};  ///< dropout before the heads; hidden_dropout_prob if absent or null
  double initializer_range = 0.02;             ///< standard deviation of new weights
  std::string hidden_act = "gelu";             ///< gelu (exact, erf), gelu_new or gelu_pytorch_tanh (the same formula), relu
  std::int64_t pad_token_id = 0;
  JsonBox<nlohmann::json> raw{};  ///< all fields as they were read: an object, or null

  /// Width of one attention head, E = D / H.
  std::int64_t head_size() const noexcept { return hidden_size / num_attention_heads; }
  /// Dropout before the heads.
  double head_dropout() const noexcept { return classifier_dropout.value_or(hidden_dropout_prob); }

  /// The row of the word embeddings that is not trained: pad_token_id, or -1 where config.json says null.
  std::int64_t padding_row() const { return null_padding() ? -1 : pad_token_id; }

  /// Reads and checks a config.json. Errors: those of read_json_file and from_json.
  static BertConfig from_file(std::filesystem::path const& path);

  /// Reads and checks the fields of a parsed config.json; `file` is named in errors.
  ///
  /// Errors: E211 to E213 a field is missing, of another type, or out of range; E520 a model that this library cannot
  /// compute; E521 sizes that do not fit together.
  static BertConfig from_json(nlohmann::json json, std::string const& file);

  /// Checks what `from_json` checks, for a configuration that was filled in by hand.
  void check() const;

  /// All fields as JSON: `raw`, with the named fields over it.
  nlohmann::json to_json() const;

  /// Writes config.json as transformers does: sorted keys, two spaces. Errors: E70x of the disk.
  void save(std::filesystem::path const& path) const;

 private:
  bool null_padding() const;

  /// Fields whose other values would need arithmetic that the encoder does not have.
  static void refuse_unsupported(ConfigJson const& fields);

  void check(std::string const& file) const;
};

#if HONE_BODIES

HONE_INLINE BertConfig BertConfig::from_file(std::filesystem::path const& path) {
  return from_json(read_json_file(path, std::uint64_t{4} << 20), path.string());
}

HONE_INLINE BertConfig BertConfig::from_json(nlohmann::json json, std::string const& file) {
  BertConfig config;
  *config.raw = std::move(json);
  ConfigJson const fields(*config.raw, file);
  config.refuse_unsupported(fields);
  config.vocab_size = fields.integer("vocab_size", 1, std::int64_t{1} << 24);
  config.hidden_size = fields.integer("hidden_size", 1, 1 << 16);
  config.num_hidden_layers = fields.integer("num_hidden_layers", 1, 1024);
  config.num_attention_heads = fields.integer("num_attention_heads", 1, 4096);
  config.intermediate_size = fields.integer("intermediate_size", 1, 1 << 20);
  config.max_position_embeddings = fields.integer("max_position_embeddings", 1, 1 << 20);
  config.type_vocab_size = fields.integer("type_vocab_size", 1, 1 << 16, config.type_vocab_size);
  config.layer_norm_eps = fields.number("layer_norm_eps", 0, 1, true, config.layer_norm_eps);
  config.hidden_dropout_prob = fields.number("hidden_dropout_prob", 0, 1, false, config.hidden_dropout_prob);
  config.attention_probs_dropout_prob =
      fields.number("attention_probs_dropout_prob", 0, 1, false, config.attention_probs_dropout_prob);
  if (fields.has("classifier_dropout")) config.classifier_dropout = fields.number("classifier_dropout", 0, 1, false);
  config.initializer_range = fields.number("initializer_range", 0, 100, false, config.initializer_range);
  config.hidden_act = fields.word("hidden_act", {"gelu", "gelu_new", "gelu_pytorch_tanh", "relu"}, config.hidden_act);
  config.pad_token_id = fields.integer("pad_token_id", 0, config.vocab_size - 1, 0);
  config.check(file);
  return config;
}

HONE_INLINE void BertConfig::check() const { from_json(to_json(), "(configuration in memory)"); }

HONE_INLINE nlohmann::json BertConfig::to_json() const {
  nlohmann::json json = raw.is_null() ? nlohmann::json::object() : *raw;
  if (!json.contains("model_type")) json["model_type"] = "bert";
  json["vocab_size"] = vocab_size;
  json["hidden_size"] = hidden_size;
  json["num_hidden_layers"] = num_hidden_layers;
  json["num_attention_heads"] = num_attention_heads;
  json["intermediate_size"] = intermediate_size;
  json["max_position_embeddings"] = max_position_embeddings;
  json["type_vocab_size"] = type_vocab_size;
  json["layer_norm_eps"] = layer_norm_eps;
  json["hidden_dropout_prob"] = hidden_dropout_prob;
  json["attention_probs_dropout_prob"] = attention_probs_dropout_prob;
  if (classifier_dropout)
    json["classifier_dropout"] = *classifier_dropout;
  else if (json.contains("classifier_dropout"))
    json["classifier_dropout"] = nullptr;
  json["initializer_range"] = initializer_range;
  json["hidden_act"] = hidden_act;
  if (!null_padding()) json["pad_token_id"] = pad_token_id;
  return json;
}

HONE_INLINE void BertConfig::save(std::filesystem::path const& path) const {
  write_file_atomically(path, to_json().dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

HONE_INLINE bool BertConfig::null_padding() const {
  return raw->contains("pad_token_id") && raw->at("pad_token_id").is_null() && pad_token_id == 0;
}

HONE_INLINE void BertConfig::refuse_unsupported(ConfigJson const& fields) {
  auto refuse = [&](std::string const& key, nlohmann::json const& value, std::string const& allowed) {
    throw Error(520, "config.json asks for something that this library cannot compute: \"" + key + "\"",
                {.file = fields.file(), .value = ConfigJson::shown(value), .allowed = allowed},
                "use a plain BERT encoder, or one whose features are supported");
  };
  auto require = [&](char const* key,
                     nlohmann::json const& allowed) {  // absent and null mean the default, which is allowed
    nlohmann::json const* const value = fields.find(key);
    if (value != nullptr && *value != allowed) refuse(key, *value, allowed.dump());
  };
  require("model_type", "bert");
  require("position_embedding_type", "absolute");
  require("is_decoder", false);
  require("is_encoder_decoder", false);
  require("add_cross_attention", false);
  if (auto const* const value = fields.find("quantization_config"))
    refuse("quantization_config", *value, "none: float weights");
  if (auto const* const value = fields.find("pruned_heads"); value != nullptr && !value->empty())
    refuse("pruned_heads", *value, "none");
}

HONE_INLINE void BertConfig::check(std::string const& file) const {
  if (hidden_size % num_attention_heads != 0)
    throw Error(521, "hidden_size is not a multiple of num_attention_heads",
                {.file = file, .value = std::to_string(hidden_size) + " and " + std::to_string(num_attention_heads)},
                "correct config.json, or fetch it again");
  // Each factor is bounded by its range above, so none of this overflows.
  std::int64_t const block = 4 * hidden_size * hidden_size + 2 * hidden_size * intermediate_size;
  std::int64_t const tables = (vocab_size + max_position_embeddings + type_vocab_size) * hidden_size;
  constexpr std::int64_t most = std::int64_t{1} << 36;
  if (num_hidden_layers * block + tables > most)
    throw Error(521, "the model has too many parameters",
                {.file = file,
                 .value = std::to_string(num_hidden_layers * block + tables),
                 .allowed = "at most " + std::to_string(most)},
                "check the sizes in config.json");
}

#endif

}  // namespace hone
