// From a dataset to what a model takes: checked labels by head, ragged batches.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "hone/core/config.hpp"
#include "hone/core/error.hpp"
#include "hone/core/ragged_batch.hpp"
#include "hone/data/dataset.hpp"
#include "hone/heads/heads.hpp"

namespace hone {

/// Throws E422 when the texts of a dataset are not tokenised.
void require_tokens(data::Dataset const& data);

namespace detail {

/// One label for each example. Throws E401, E421.
std::vector<double> const& label_values(data::Dataset const& data, std::string_view head);

/// Throws E420.
[[noreturn]] void refuse_label(std::string const& file, std::string_view head, double value, std::string const& allowed);

}  // namespace detail

/// The labels of a dataset for every head of a model, checked. Throws E401 when a head has no labels, E420 when a label
/// is not one that its head allows, naming the file, E421 when there is not one label for each example.
template <class HeadList>
typename HeadList::Labels labels_for(data::Dataset const& data) {
  typename HeadList::Labels labels;
  for_each_index<HeadList::count>([&](auto i) {
    using H = typename HeadList::template At<i>;
    auto const& values = detail::label_values(data, H::name());
    auto& chosen = std::get<i>(labels);
    for (std::size_t row = 0; row < values.size(); ++row) {
      if (!H::allows(values[row])) detail::refuse_label(data.sources[row], H::name(), values[row], H::allowed());
      chosen.push_back(static_cast<typename H::Label>(values[row]));
    }
  });
  return labels;
}

/// The batch and the labels of some examples of a dataset, in the order given. `made`: an earlier one, whose
/// memory is used again.
template <class HeadList>
std::pair<RaggedBatch, typename HeadList::Labels> make_batch(data::Dataset const& data,
                                                             typename HeadList::Labels const& labels,
                                                             std::span<std::size_t const> rows, Index first_example = 0,
                                                             std::pair<RaggedBatch, typename HeadList::Labels> made = {}) {
  made.first.clear();
  made.first.first_example = first_example;
  for (std::size_t const row : rows) made.first.push_back(data.tokens[row]);
  for_each_index<HeadList::count>([&](auto i) {
    std::get<i>(made.second).clear();
    for (std::size_t const row : rows) std::get<i>(made.second).push_back(std::get<i>(labels)[row]);
  });
  return made;
}

#if HONE_BODIES

namespace detail {

HONE_INLINE std::vector<double> const& label_values(data::Dataset const& data, std::string_view head) {
  auto const& values = data.label(head).values;
  if (values.size() != data.size())
    throw Error(
        421, "there is not one label for each example",
        {.tensor = std::string(head), .value = std::to_string(values.size()), .allowed = std::to_string(data.size())},
        "give every example a label");
  return values;
}

HONE_INLINE void refuse_label(std::string const& file, std::string_view head, double value, std::string const& allowed) {
  throw Error(420, "a label is not one that the head allows",
              {.file = file, .tensor = std::string(head), .value = std::to_string(value), .allowed = allowed},
              "correct the labels");
}

}  // namespace detail

HONE_INLINE void require_tokens(data::Dataset const& data) {
  if (data.tokens.size() != data.size())
    throw Error(422, "the data is not tokenised",
                {.value = std::to_string(data.tokens.size()) + " token sequences", .allowed = std::to_string(data.size())},
                "set data.tokens = tokenizer.encode_batch(data.texts, max_length, pool)");
}

#endif

}  // namespace hone
