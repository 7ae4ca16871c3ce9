// The doctor: what should be looked at before a model is trained, looked at.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "hone/core/config.hpp"
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

#if defined(HONE_KERNELS_ELSEWHERE)
#include "hone/models/bert_classifier.hpp"
#include "hone/train/recipe.hpp"
#endif

namespace hone {

namespace detail {

/// Throws what RaggedBatch::check throws for a text that does not fit the model.
void check_texts(data::Dataset const& train, std::int64_t vocabulary, std::int64_t positions, std::int64_t types);
void add_findings(std::vector<Finding>& findings, std::vector<Finding> more);
/// In the order of their numbers.
void sort_findings(std::vector<Finding>& findings);
/// What data tell without a model.
void examine_data(std::vector<Finding>& findings, data::Dataset const& train, data::Dataset const* test,
                  std::span<HeadLabels const> labels, Tokenizer const* tokenizer, DoctorOptions const& options);

#if HONE_BODIES

HONE_INLINE void check_texts(data::Dataset const& train, std::int64_t vocabulary, std::int64_t positions,
                             std::int64_t types) {
  for (std::size_t i = 0; i < train.size(); ++i) {
    RaggedBatch one;
    one.first_example = Index(i);
    one.push_back(train.tokens[i]);
    one.check(vocabulary, positions, types);
  }
}

HONE_INLINE void add_findings(std::vector<Finding>& findings, std::vector<Finding> more) {
  for (auto& finding : more) findings.push_back(std::move(finding));
}

HONE_INLINE void sort_findings(std::vector<Finding>& findings) {
  std::stable_sort(findings.begin(), findings.end(), [](auto const& a, auto const& b) { return a.number < b.number; });
}

HONE_INLINE void examine_data(std::vector<Finding>& findings, data::Dataset const& train, data::Dataset const* test,
                              std::span<HeadLabels const> labels, Tokenizer const* tokenizer,
                              DoctorOptions const& options) {
  add_findings(findings, examine_tokens(train, labels, tokenizer, options));
  add_findings(findings, examine_labels(labels, options));
  add_findings(findings, examine_leaks(train, labels, tokenizer, options));
  add_findings(findings, examine_copies(train, test, labels));
}

#endif

}  // namespace detail

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
    detail::check_texts(train, model.config().vocab_size, model.config().max_position_embeddings,
                        model.config().type_vocab_size);
  auto const labels = head_labels<HeadList>(train);
  Tokenizer const* tokenizer = nullptr;
  if constexpr (requires { model.has_tokenizer(); })
    if (model.has_tokenizer()) tokenizer = &model.tokenizer();

  std::vector<Finding> findings;
  if constexpr (requires { model.ledger(); }) findings = examine_weights(model.parameters(), model.ledger());
  detail::examine_data(findings, train, test, labels, tokenizer, options);
  DoctorSpeed speed;
  detail::add_findings(findings, examine_model(model, train, recipe, options, speed));
  detail::add_findings(findings, examine_resources(model, train, test, recipe, options, speed));
  detail::sort_findings(findings);
  return findings;
}

// Compiled once where the training is (train/trainer.hpp).
#if defined(HONE_KERNELS_ELSEWHERE)
extern template std::vector<Finding> examine(BertClassifier<Cpu<fp32>>&, data::Dataset const&, data::Dataset const*,
                                             Recipe<> const&, DoctorOptions const&);
extern template std::vector<Finding> examine(BertClassifier<Cpu<mixed>>&, data::Dataset const&, data::Dataset const*,
                                             Recipe<> const&, DoctorOptions const&);
extern template std::vector<Finding> examine(BertClassifier<Cpu<fp32>>&, data::Dataset const&, data::Dataset const*,
                                             Recipe<AdamW, OneOf<LinearWarmup, LinearWarmupDecay>> const&,
                                             DoctorOptions const&);
extern template std::vector<Finding> examine(BertClassifier<Cpu<mixed>>&, data::Dataset const&, data::Dataset const*,
                                             Recipe<AdamW, OneOf<LinearWarmup, LinearWarmupDecay>> const&,
                                             DoctorOptions const&);
#endif

}  // namespace hone
