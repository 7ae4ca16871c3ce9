// The doctor: what should be looked at before a model is trained, looked at.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "hone/core/ragged_batch.hpp"
#include "hone/data/dataset.hpp"
#include "hone/train/batch.hpp"
#include "hone/train/doctor_labels.hpp"
#include "hone/train/doctor_leaks.hpp"
#include "hone/train/doctor_model.hpp"
#include "hone/train/doctor_options.hpp"
#include "hone/train/doctor_resources.hpp"
#include "hone/train/doctor_texts.hpp"
#include "hone/train/doctor_weights.hpp"
#include "hone/train/finding.hpp"

namespace hone {

/// Examines a model, its data and its recipe before the first step: the findings, what is right among them, in the order of
/// their numbers. docs/doctor.md has a section for each.
///
/// The model is the same to the bit afterwards, its gradients too, so that a run after it is the run without it; the
/// optimizer of a trainer is not touched. The same call with the same data finds the same, but for what is measured in
/// seconds (D32) and what the time was too short for (D60).
///
/// @param test  may be null; tokens of it are not needed but for the plan of time
/// Errors: those of labels_for (labels that a head does not allow), E422 (data not tokenised), E408 (no examples), E411,
/// E412, E414 and E415 (empty texts, ids and lengths beyond the model's tables), and those of memory.
template <class Model, class RecipeType>
std::vector<Finding> examine(Model& model, data::Dataset const& train, data::Dataset const* test, RecipeType const& recipe,
                             DoctorOptions const& options = {}) {
  using HeadList = typename Model::HeadsType;
  static_cast<void>(labels_for<HeadList>(train));
  require_tokens(train);
  if (train.size() == 0) throw Error(408, "there are no examples to examine", {}, "check the training data");
  if constexpr (requires { model.config().vocab_size; })
    for (std::size_t i = 0; i < train.size(); ++i) {
      RaggedBatch one;
      one.first_example = Index(i);
      one.push_back(train.tokens[i]);
      auto const& config = model.config();
      one.check(config.vocab_size, config.max_position_embeddings, config.type_vocab_size);
    }
  auto const labels = head_labels<HeadList>(train);
  Tokenizer const* tokenizer = nullptr;
  if constexpr (requires { model.has_tokenizer(); })
    if (model.has_tokenizer()) tokenizer = &model.tokenizer();

  std::vector<Finding> findings;
  auto const add = [&findings](std::vector<Finding> some) {
    for (auto& finding : some) findings.push_back(std::move(finding));
  };
  if constexpr (requires { model.ledger(); }) add(examine_weights(model.parameters(), model.ledger()));
  add(examine_tokens(train, labels, tokenizer, options));
  add(examine_labels(labels, options));
  add(examine_leaks(train, labels, tokenizer, options));
  add(examine_copies(train, test, labels));
  DoctorSpeed speed;
  add(examine_model(model, train, recipe, options, speed));
  add(examine_resources(model, train, test, recipe, options, speed));
  std::stable_sort(findings.begin(), findings.end(), [](auto const& a, auto const& b) { return a.number < b.number; });
  return findings;
}

}  // namespace hone
