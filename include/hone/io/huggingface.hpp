// Which tensor of a Hugging Face BERT checkpoint becomes which parameter.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "hone/core/config.hpp"
#include "hone/io/ledger.hpp"

#if HONE_BODIES
#include <algorithm>
#include <charconv>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "hone/core/error.hpp"
#endif

namespace hone {

/// A tensor that a checkpoint has: its name as in the file.
struct CheckpointTensor {
  std::string name{};
  std::vector<std::int64_t> shape{};
};

/// A parameter that the model needs. `may_be_new`: it may be initialised instead (a head's).
struct ExpectedParameter {
  std::string name{};
  std::vector<std::int64_t> shape{};
  bool may_be_new = false;
};

/// What to load, in the order of the parameters, and the account of it.
struct LoadPlan {
  std::vector<std::pair<std::string, std::string>> load;  ///< parameter, tensor in the file
  Ledger ledger;
};

/// Decides for every tensor of a checkpoint and every parameter of the model what happens to it. Names may have the prefix
/// `bert.` or not, LayerNorm's may be gamma and beta. Whatever the model expects is matched first; then the known extras
/// of BERT checkpoints are ignored with a reason. Not ok, so that `ledger.require_ok()` throws: an encoder parameter that is
/// missing, another shape, a head of which only a part is there, tensors of an encoder that the model does not have.
///
/// Errors: E511 two tensors would become the same parameter.
LoadPlan plan_loading(std::span<CheckpointTensor const> tensors, std::span<ExpectedParameter const> parameters);

#if HONE_BODIES

namespace detail {

inline bool starts_with_any(std::string_view text, std::initializer_list<std::string_view> beginnings) {
  return std::any_of(beginnings.begin(), beginnings.end(), [&](auto beginning) { return text.starts_with(beginning); });
}

/// The name that `transformers` uses today: old checkpoints say LayerNorm.gamma and LayerNorm.beta.
inline std::string modern_name(std::string name) {
  auto replace_end = [&name](std::string_view old_end, std::string_view new_end) {
    if (!name.ends_with(old_end)) return;
    name.replace(name.size() - old_end.size(), old_end.size(), new_end);
  };
  replace_end("LayerNorm.gamma", "LayerNorm.weight");
  replace_end("LayerNorm.beta", "LayerNorm.bias");
  return name;
}

/// L of "bert.encoder.layer.L.", -1 if the name is not of that form.
inline std::int64_t layer_of(std::string_view parameter) {
  constexpr std::string_view beginning = "bert.encoder.layer.";
  if (!parameter.starts_with(beginning)) return -1;
  parameter.remove_prefix(beginning.size());
  std::int64_t layer = -1;
  auto const [end, error] = std::from_chars(parameter.data(), parameter.data() + parameter.size(), layer);
  bool const good = error == std::errc() && end != parameter.data() + parameter.size() && *end == '.' && layer >= 0;
  return good ? layer : -1;
}

/// Why the model has no use for a tensor; empty if it should have one. `name` is modern and has the prefix if it is the
/// encoder's; `layers` is the number of encoder blocks that the model has.
inline std::string reason_to_ignore(std::string_view name, std::int64_t layers, std::string& suspicion) {
  if (name.ends_with("embeddings.position_ids") || name.ends_with("embeddings.token_type_ids"))
    return "a buffer, not a weight";
  if (starts_with_any(name, {"bert.pooler.", "pooler."})) return "not used: the heads read [CLS] directly";
  if (name.starts_with("cls.predictions.")) return "head of the pretraining task (masked words)";
  if (name.starts_with("cls.seq_relationship.")) return "head of the pretraining task (next sentence)";
  if (std::int64_t const layer = layer_of(name); layer >= layers) {
    suspicion = "encoder block " + std::to_string(layer) + " of a deeper model: config.json says " + std::to_string(layers) +
                (layers == 1 ? " block" : " blocks");
    return "";
  }
  if (starts_with_any(name, {"bert.encoder.", "bert.embeddings."})) {
    suspicion = "part of an encoder that this model cannot compute";
    return "";
  }
  if (starts_with_any(name, {"classifier.", "qa_outputs.", "score."})) return "head of another task";
  return "unknown";
}

inline std::string shapes_differ(std::vector<std::int64_t> const& in_file, std::vector<std::int64_t> const& in_model) {
  auto text = [](std::vector<std::int64_t> const& shape) {
    std::string list = "(";
    for (std::size_t i = 0; i < shape.size(); ++i) list += (i == 0 ? "" : ", ") + std::to_string(shape[i]);
    return list + ")";
  };
  return "shape " + text(in_file) + " in the file, " + text(in_model) + " in the model";
}

}  // namespace detail

HONE_INLINE LoadPlan plan_loading(std::span<CheckpointTensor const> tensors, std::span<ExpectedParameter const> parameters) {
  std::unordered_set<std::string_view> expected;
  std::int64_t layers = 0;
  for (ExpectedParameter const& parameter : parameters) {
    expected.insert(parameter.name);
    layers = std::max(layers, detail::layer_of(parameter.name) + 1);
  }

  LoadPlan plan;
  std::unordered_map<std::string, CheckpointTensor const*> source;  // by parameter
  std::vector<LedgerEntry> rest;
  for (CheckpointTensor const& tensor : tensors) {
    std::string name = detail::modern_name(tensor.name);
    if (!expected.contains(name) && detail::starts_with_any(name, {"embeddings.", "encoder.", "pooler."}))
      name = "bert." + name;
    if (expected.contains(name)) {
      auto const [other, is_first] = source.emplace(name, &tensor);
      if (!is_first)
        throw Error(511, "two tensors of the file are the same parameter, " + name,
                    {.tensor = tensor.name, .value = other->second->name + " and " + tensor.name},
                    "remove one of the two from the file");
      continue;
    }
    LedgerEntry entry{.tensor = tensor.name, .shape = tensor.shape};
    std::string suspicion;
    entry.reason = detail::reason_to_ignore(name, layers, suspicion);
    entry.state = suspicion.empty() ? LedgerState::ignored : LedgerState::mismatched;
    if (!suspicion.empty()) entry.reason = suspicion;
    rest.push_back(std::move(entry));
  }

  auto const module_of = [](std::string_view name) { return name.substr(0, name.rfind('.')); };
  std::unordered_set<std::string_view> modules;  // modules of which something is in the file
  for (auto const& [name, tensor] : source) modules.insert(module_of(name));

  for (ExpectedParameter const& parameter : parameters) {
    LedgerEntry entry{.parameter = parameter.name, .shape = parameter.shape};
    if (auto const found = source.find(parameter.name); found != source.end()) {
      CheckpointTensor const& tensor = *found->second;
      entry.tensor = tensor.name;
      if (tensor.shape == parameter.shape) {
        plan.load.emplace_back(parameter.name, tensor.name);
      } else {
        entry.state = LedgerState::mismatched;
        entry.reason = detail::shapes_differ(tensor.shape, parameter.shape);
      }
    } else if (!parameter.may_be_new) {
      entry.state = LedgerState::missing;
      entry.reason = "not in the file";
    } else if (modules.contains(module_of(parameter.name))) {
      entry.state = LedgerState::missing;
      entry.reason = "not in the file, which has another part of the same layer";
    } else {
      entry.state = LedgerState::created;
      entry.reason = "not in the file: initialised";
    }
    plan.ledger.add(std::move(entry));
  }
  for (LedgerEntry& entry : rest) plan.ledger.add(std::move(entry));
  return plan;
}

#endif

}  // namespace hone
