#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "hone/core/config.hpp"
#include "hone/core/parameter_store.hpp"
#include "hone/io/huggingface.hpp"
#include "hone/io/ledger.hpp"
#include "hone/io/model_weights.hpp"
#include "hone/io/safetensors_writer.hpp"
#include "hone/models/bert_config.hpp"
#include "hone/text/tokenizer.hpp"

#if HONE_BODIES
#include <nlohmann/json.hpp>
#endif

namespace hone {

/// The tokenizer of a model folder; none when the folder has neither tokenizer.json nor vocab.txt.
std::optional<Tokenizer> tokenizer_of_folder(std::filesystem::path const& folder);

/// Throws E531 when a vocabulary cannot be the model's: it has more tokens than the model has embeddings, or so many fewer
/// that it is not the padding that some models have.
void check_tokenizer(Tokenizer const& tokenizer, BertConfig const& config);

/// A configuration with one probability for every dropout, where one is given. Throws E533 outside [0, 1).
BertConfig with_dropout(BertConfig config, std::optional<double> probability);

namespace detail {

/// Compares a checkpoint with the parameters of a store; those in `may_be_new` need not be in the file. Throws E510.
LoadPlan checked_plan(ModelWeights const& weights, std::span<ParameterInfo const> parameters,
                      std::span<std::string const> may_be_new);

}  // namespace detail

/// Allocates all parameters of a store and fills them from a checkpoint; those in `may_be_new` are initialised when the file
/// does not have them. The file's shapes are compared first: a small file with a large configuration allocates nothing.
///
/// Returns the account. Errors: E510 when something else is missing or has another shape; nothing is loaded then.
/// @param on_progress  called with the numbers of tensors that are loaded, and of all
template <Backend B>
Ledger load_parameters(ParameterStore<B>& store, ModelWeights const& weights, std::span<std::string const> may_be_new,
                       std::uint64_t seed, std::function<void(Index, Index)> const& on_progress = {}) {
  LoadPlan const plan = detail::checked_plan(weights, store.infos(), may_be_new);
  store.allocate();
  Index loaded = 0;
  for (auto const& [parameter, tensor] : plan.load) {
    Index const id = store.find(parameter);
    std::vector<MasterOf<typename B::Precision>> values(std::size_t(store.info(id).size));
    weights.read(*weights.find(tensor), std::span(values));
    store.set(id, values);
    if (on_progress) on_progress(++loaded, Index(plan.load.size()));
  }
  for (auto const& entry : plan.ledger.entries())
    if (entry.state == LedgerState::created) store.initialize(store.find(entry.parameter), seed);
  return plan.ledger;
}

namespace detail {

/// Writes config.json of an encoder whose weights are in `torch_dtype`. Errors: E70x of the disk.
void save_encoder_config(BertConfig config, char const* torch_dtype, std::filesystem::path const& path);

#if HONE_BODIES

HONE_INLINE LoadPlan checked_plan(ModelWeights const& weights, std::span<ParameterInfo const> parameters,
                                  std::span<std::string const> may_be_new) {
  std::vector<CheckpointTensor> in_file;
  for (auto const& tensor : weights.tensors()) in_file.push_back({tensor.name, tensor.shape});
  std::vector<ExpectedParameter> expected;
  for (auto const& info : parameters)
    expected.push_back(
        {info.name, info.shape, std::find(may_be_new.begin(), may_be_new.end(), info.name) != may_be_new.end()});
  LoadPlan plan = hone::plan_loading(in_file, expected);
  plan.ledger.require_ok(weights.tensors().empty() ? "model.safetensors"
                                                   : weights.file_of(weights.tensors().front().name).string());
  return plan;
}

HONE_INLINE void save_encoder_config(BertConfig config, char const* torch_dtype, std::filesystem::path const& path) {
  (*config.raw)["architectures"] = {"BertModel"};
  (*config.raw)["torch_dtype"] = torch_dtype;
  config.save(path);
}

#endif

}  // namespace detail

/// Writes model.safetensors, config.json and the tokenizer's files: what from_pretrained and transformers load.
///
/// Each file is replaced whole or not at all; the weights come last, so that a folder with new weights is complete.
/// Errors: E70x of the disk.
template <Backend B>
void save_model_folder(std::filesystem::path const& folder, ParameterStore<B> const& store, BertConfig const& config,
                       std::optional<Tokenizer> const& tokenizer) {
  using M = MasterOf<typename B::Precision>;
  static_assert(std::is_same_v<M, float> || std::is_same_v<M, double>);
  std::error_code failure;
  std::filesystem::create_directories(folder, failure);
  if (failure)
    throw Error(707, "a folder cannot be made", {.file = folder.string(), .value = failure.message()},
                "check the path and the permissions");
  detail::save_encoder_config(config, std::is_same_v<M, float> ? "float32" : "float64", folder / "config.json");
  if (tokenizer) tokenizer->save(folder);
  std::vector<std::vector<M>> values;
  std::vector<TensorToWrite> tensors;
  for (Index id = 0; id < store.count(); ++id) {
    values.push_back(store.get(id));
    auto const& info = store.info(id);
    tensors.push_back({info.name, std::is_same_v<M, float> ? DType::F32 : DType::F64, info.shape, values.back().data()});
  }
  write_safetensors(folder / "model.safetensors", tensors);
}

#if HONE_BODIES

HONE_INLINE std::optional<Tokenizer> tokenizer_of_folder(std::filesystem::path const& folder) {
  std::error_code ignored;
  if (!std::filesystem::exists(folder / "tokenizer.json", ignored) &&
      !std::filesystem::exists(folder / "vocab.txt", ignored))
    return {};
  return Tokenizer::from_folder(folder);
}

HONE_INLINE void check_tokenizer(Tokenizer const& tokenizer, BertConfig const& config) {
  constexpr std::int64_t most_padding = 256;
  std::int64_t const size = tokenizer.vocabulary_size();
  if (size > config.vocab_size || size + most_padding <= config.vocab_size)
    throw Error(531, "the tokenizer's vocabulary is not the model's",
                {.value = std::to_string(size) + " tokens",
                 .allowed = std::to_string(config.vocab_size) + " (vocab_size of config.json)"},
                "use the vocab.txt or tokenizer.json that came with the model");
}

HONE_INLINE BertConfig with_dropout(BertConfig config, std::optional<double> probability) {
  if (!probability) return config;
  if (!(*probability >= 0 && *probability < 1))
    throw Error(533, "the dropout probability is out of range",
                {.value = std::to_string(*probability), .allowed = "0 <= p < 1"}, "choose a probability such as 0.1");
  config.hidden_dropout_prob = config.attention_probs_dropout_prob = *probability;
  if (config.classifier_dropout) config.classifier_dropout = probability;
  return config;
}

#endif

}  // namespace hone
